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
/// The web address was changed.
pub const WEB_ADDRESS_SAVED: &str = "flash-web-address-saved";
/// The device was released.
pub const DEVICE_RELEASED: &str = "flash-device-released";
/// A session was allowed.
pub const SESSION_ALLOWED: &str = "flash-session-allowed";
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
