//! The messages a redirect may leave, for [`web::flash`](crate::web::flash). Keys that begin with `flash-refused-`
//! are shown as refusals, all others as done.

/// The activation link was sent again.
pub const LINK_SENT: &str = "flash-link-sent";
/// The customer's e-mail address was corrected and the link sent there.
pub const EMAIL_CORRECTED: &str = "flash-email-corrected";
/// The registration was cancelled.
pub const REGISTRATION_CANCELLED: &str = "flash-registration-cancelled";
/// The consent was changed.
pub const CONSENT_SAVED: &str = "flash-consent-saved";
/// The rule that stands is signed by the customer's key.
pub const RULE_SIGNED: &str = "flash-rule-signed";
/// It is not.
pub const RULE_NOT_SIGNED: &str = "flash-refused-rule-not-signed";
/// The device is open for a while.
pub const DEVICE_OPENED: &str = "flash-device-opened";
/// It is not any more.
pub const DEVICE_CLOSED: &str = "flash-device-closed";
/// The web address was changed.
pub const WEB_ADDRESS_SAVED: &str = "flash-web-address-saved";
/// The device was released.
pub const DEVICE_RELEASED: &str = "flash-device-released";
/// Another installer was asked to take a device over.
pub const TAKE_OVER_SENT: &str = "flash-take-over-sent";
/// They are not any more.
pub const TAKE_OVER_WITHDRAWN: &str = "flash-take-over-withdrawn";
/// The device has another installer.
pub const TAKEN_OVER: &str = "flash-taken-over";
/// It had this one already.
pub const TAKEN_OVER_YOURS: &str = "flash-refused-taken-over-yours";
/// The organisation has a recording passphrase.
pub const RECORDING_KEY_SET: &str = "flash-recording-key-set";
/// A session was allowed.
pub const SESSION_ALLOWED: &str = "flash-session-allowed";
/// An emergency stop is in force.
pub const STOPPED: &str = "flash-emergency-stopped";
/// It is lifted.
pub const LIFTED: &str = "flash-emergency-lifted";
/// The passkey that is pinned on the device has not signed it.
pub const NOT_SIGNED: &str = "flash-refused-not-signed";
/// The passkey pinned on the device keeps its own page shut from here.
pub const OWN_PAGE_PINNED: &str = "flash-refused-own-page-pinned";
/// A passkey is shown on the device.
pub const KEY_OFFERED: &str = "flash-key-offered";
/// The device is told to forget the passkey.
pub const KEY_RELEASED: &str = "flash-key-released";
/// A session was refused.
pub const SESSION_REFUSED: &str = "flash-session-refused";
/// A session was stopped.
pub const SESSION_STOPPED: &str = "flash-session-stopped";
/// A session lasts longer.
pub const SESSION_EXTENDED: &str = "flash-session-extended";
/// A session does not last longer.
pub const EXTENSION_REFUSED: &str = "flash-extension-refused";
/// A session cannot last any longer.
pub const SESSION_TOO_LONG: &str = "flash-refused-session-too-long";
/// The device lets a session last no longer.
pub const SESSION_LONGEST: &str = "flash-refused-session-longest";
/// Somebody else has answered a wish for more time, or given some.
pub const EXTENSION_ANSWERED: &str = "flash-refused-extension-answered";
/// A session was no longer waiting or open.
pub const SESSION_OVER: &str = "flash-refused-session-over";
/// The e-mail address is confirmed; sign in now.
pub const EMAIL_CONFIRMED: &str = "flash-email-confirmed";
/// The installer's organisation is added to the account.
pub const ORGANISATION_ADDED: &str = "flash-organisation-added";
/// The password is set; sign in now.
pub const PASSWORD_SET: &str = "flash-password-set";
/// A passkey or an app was removed.
pub const FACTOR_REMOVED: &str = "flash-factor-removed";
/// A factor was added, and recovery codes are there already.
pub const FACTOR_ADDED: &str = "flash-factor-added";
/// A passkey has another name.
pub const PASSKEY_RENAMED: &str = "flash-passkey-renamed";
/// Confirmed by a second factor or the password.
pub const CONFIRMED: &str = "flash-confirmed";
/// The second step took too long.
pub const SECOND_STEP_STALE: &str = "flash-refused-second-step-stale";
/// Signed out.
pub const SIGNED_OUT: &str = "flash-signed-out";
/// Sign in first; the page asked for comes afterwards.
pub const SIGN_IN_FIRST: &str = "flash-refused-sign-in-first";
/// Own data was saved.
pub const DATA_SAVED: &str = "flash-data-saved";
/// A device was retired.
pub const DEVICE_RETIRED: &str = "flash-device-retired";
/// A key in quarantine was refused.
pub const DISMISSED: &str = "flash-dismissed";
/// A second key was accepted.
pub const KEY_APPROVED: &str = "flash-key-approved";
/// A device's certificates were taken back.
pub const DEVICE_REVOKED: &str = "flash-device-revoked";
/// A browser or program was signed out.
pub const SIGN_IN_ENDED: &str = "flash-sign-in-ended";
/// A ticket number is no line of 60 characters.
pub const TICKET_NUMBER: &str = "flash-refused-ticket-number";
/// No more web pages can be open at once.
pub const WEB_PAGES_FULL: &str = "flash-refused-web-pages-full";
/// The device or the organisation has as many sessions as it may.
pub const WEB_PAGE_BUSY: &str = "flash-refused-web-page-busy";
/// The reason is more than a line.
pub const WEB_PAGE_REASON: &str = "flash-refused-web-page-reason";
/// The customer has not confirmed the device.
pub const WEB_PAGE_NOT_ACTIVE: &str = "flash-refused-web-page-not-active";
/// The device does not offer it.
pub const WEB_PAGE_NOT_OFFERED: &str = "flash-refused-web-page-not-offered";
/// What was typed is no address.
pub const WEB_PAGE_ADDRESS: &str = "flash-refused-web-page-address";
/// The address is in none of the device's networks.
pub const WEB_PAGE_OUTSIDE: &str = "flash-refused-web-page-outside";
/// The customer's rule lets nobody in.
pub const OWN_PAGE_NEVER: &str = "flash-refused-own-page-never";
/// The vendor has stopped sessions in an emergency.
pub const WEB_PAGE_STOPPED: &str = "flash-refused-web-page-stopped";
/// The customer has agreed to emergencies.
pub const BREAK_GLASS_AGREED: &str = "flash-break-glass-agreed";
/// The customer has withdrawn it.
pub const BREAK_GLASS_WITHDRAWN: &str = "flash-break-glass-withdrawn";
/// Nobody may enter in an emergency without an answer, or not this person.
pub const BREAK_GLASS_NOT: &str = "flash-refused-break-glass";
/// Another browser has the page.
pub const WEB_PAGE_ELSEWHERE: &str = "flash-refused-web-page-elsewhere";
/// The device did not come.
pub const WEB_PAGE_SILENT: &str = "flash-refused-web-page-silent";
/// The device does not tell what there is on its networks.
pub const FINDS_NOT_OFFERED: &str = "flash-refused-finds-not-offered";
/// As many pages of one look around are open as it carries.
pub const FINDS_MANY: &str = "flash-refused-finds-many";
/// No more terminals can be open at once.
pub const TERMINALS_FULL: &str = "flash-refused-terminals-full";
/// The reason for a terminal is more than a line.
pub const TERMINAL_REASON: &str = "flash-refused-terminal-reason";
/// The device does not offer one, or not to browsers.
pub const TERMINAL_NOT_OFFERED: &str = "flash-refused-terminal-not-offered";
/// The technician's organisation could not read the recording.
pub const TERMINAL_OWN_KEY: &str = "flash-refused-terminal-own-key";
/// The customer could not read the recording.
pub const TERMINAL_THEIR_KEY: &str = "flash-refused-terminal-their-key";
