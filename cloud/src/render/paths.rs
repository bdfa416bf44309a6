//! The portal's addresses: route patterns as constants, links as functions. Pages link and post to nothing else.

use std::fmt::Display;

/// Home by role; signed out, the sign-in page.
pub const HOME: &str = "/";
/// `GET` form, `POST` [`SignInForm`](super::pages::SignInForm).
pub const SIGN_IN: &str = "/sign-in";
/// `GET` form, `POST` `code`, `next`: the second factor, after the password.
pub const SECOND_STEP: &str = "/sign-in/second-step";
/// `POST`: what `passkey.js` needs to begin, as JSON.
pub const SECOND_STEP_PASSKEY_BEGIN: &str = "/sign-in/second-step/passkey/begin";
/// `POST` `ceremony`, `credential`, `next`.
pub const SECOND_STEP_PASSKEY: &str = "/sign-in/second-step/passkey";
/// `POST`: what `passkey.js` needs to begin, as JSON.
pub const SIGN_IN_PASSKEY_BEGIN: &str = "/sign-in/passkey/begin";
/// `POST` `ceremony`, `credential`, `next`: signs in by a passkey alone.
pub const SIGN_IN_PASSKEY: &str = "/sign-in/passkey";
/// `GET ?next=` form, `POST` `code` or `password`, and `next`: shows once more who it is.
pub const CONFIRM_SELF: &str = "/confirm";
/// `POST`: what `passkey.js` needs to begin, as JSON.
pub const CONFIRM_SELF_PASSKEY_BEGIN: &str = "/confirm/passkey/begin";
/// `POST` `ceremony`, `credential`, `next`.
pub const CONFIRM_SELF_PASSKEY: &str = "/confirm/passkey";
/// `POST`.
pub const SIGN_OUT: &str = "/sign-out";
/// `GET` form, `POST` [`SignUpForm`](super::pages::SignUpForm).
pub const SIGN_UP: &str = "/sign-up";
/// `GET`: a mail is on its way. Reached after signing up and after asking for a password.
pub const LOOK_IN_MAIL: &str = "/look-in-mail";
/// `GET` page (token in the fragment), `POST` `token`, `password`, `repeated`.
pub const CONFIRM_EMAIL: &str = "/confirm-email";
/// `GET` page (token in the fragment), `POST` `token`, `password`: the same for an address that has an account.
pub const ADD_ORGANISATION: &str = "/add-organisation";
/// `GET` form, `POST` `email`.
pub const FORGOTTEN_PASSWORD: &str = "/forgotten-password";
/// `GET` page (token in the fragment), `POST` `token`, `password`, `repeated`.
pub const SET_PASSWORD: &str = "/set-password";
/// `POST` `language` or `theme`, and `back`. Served by the web kit.
pub const PREFERENCES: &str = "/preferences";
/// `GET ?code=` compares, `POST` `user_code`, `decision` = `approve` or `refuse`: the technician's sign-in.
pub const APPROVE: &str = "/approve";
/// `GET`, `POST`: own data.
pub const MY_DATA: &str = "/my-data";
/// `GET`, `POST` [`MyOrganisationForm`](super::pages::MyOrganisationForm): own organisation, for its administrators.
pub const MY_ORGANISATION: &str = "/my-data/organisation";
/// `POST` `organisation`: acts for another of one's organisations.
pub const SWITCH_ORGANISATION: &str = "/my-data/switch";
/// `GET`: browsers and programs that are signed in.
pub const MY_SIGN_INS: &str = "/my-data/sign-ins";
/// `POST`: signs out every other browser.
pub const END_OTHER_SIGN_INS: &str = "/my-data/sign-ins/end-others";
/// `POST`: signs out one browser.
pub const END_SIGN_IN: &str = "/my-data/sign-ins/{browser}/end";
/// `POST`: revokes a program's token.
pub const REVOKE_PROGRAM: &str = "/my-data/programs/{program}/revoke";
/// `GET`: authenticator app, passkeys and recovery codes.
pub const SECOND_FACTOR: &str = "/my-data/second-factor";
/// `POST`: shows a new secret for an app.
pub const ADD_APP: &str = "/my-data/second-factor/app";
/// `POST` `ceremony`, `code`: the app has it.
pub const CONFIRM_APP: &str = "/my-data/second-factor/app/confirm";
/// `POST`.
pub const REMOVE_APP: &str = "/my-data/second-factor/app/remove";
/// `POST`: ten new ones.
pub const RECOVERY_CODES: &str = "/my-data/second-factor/recovery-codes";
/// `POST`: what `passkey.js` needs to begin, as JSON.
pub const ADD_PASSKEY_BEGIN: &str = "/my-data/second-factor/passkeys/begin";
/// `POST` `ceremony`, `credential`, `name`.
pub const ADD_PASSKEY: &str = "/my-data/second-factor/passkeys";
/// `POST` `name`.
pub const RENAME_PASSKEY: &str = "/my-data/second-factor/passkeys/{passkey}/rename";
/// `POST`.
pub const REMOVE_PASSKEY: &str = "/my-data/second-factor/passkeys/{passkey}/remove";
/// `GET`: what happened, for the customer.
pub const HISTORY: &str = "/history";
/// `GET`: the whole of it, for spreadsheets.
pub const HISTORY_CSV: &str = "/history.csv";
/// `GET`: the whole of it, for programs.
pub const HISTORY_JSON: &str = "/history.json";

/// `GET`: the list, by role.
pub const DEVICES: &str = "/devices";
/// `GET`: the label form.
pub const ADD_DEVICE: &str = "/devices/add";
/// `POST` [`LabelForm`](super::pages::LabelForm): the customer form, or the label form with the reason.
pub const CHECK_DEVICE: &str = "/devices/add/check";
/// `POST` [`CustomerForm`](super::pages::CustomerForm) with the label's fields once more.
pub const SAVE_DEVICE: &str = "/devices/add/save";
/// `GET`: one device, by role.
pub const DEVICE: &str = "/devices/{device}";
/// `GET`: the registration is saved and the mails are on their way.
pub const DEVICE_SENT: &str = "/devices/{device}/sent";
/// `POST`: sends the activation link again.
pub const RESEND_LINK: &str = "/devices/{device}/resend-link";
/// `GET` form, `POST` `email`.
pub const CORRECT_EMAIL: &str = "/devices/{device}/correct-email";
/// `GET` asks, `POST`: cancels the registration.
pub const CANCEL_REGISTRATION: &str = "/devices/{device}/cancel-registration";
/// `POST` `consent`.
pub const CONSENT: &str = "/devices/{device}/consent";
/// `POST` `hours`: 2 or 24 from now on, 0 closes it.
pub const OPEN_DEVICE: &str = "/devices/{device}/open";
/// `POST` `who`: who may enter in an emergency without an answer; nobody when it is empty.
pub const BREAK_GLASS: &str = "/devices/{device}/break-glass";
/// `POST` [`RuleForm`](crate::activation::rule_form::RuleForm): the rule where the customer's key is pinned on the device.
pub const RULE: &str = "/devices/{device}/rule";
/// `POST`: what the key is to sign for that, as JSON.
pub const RULE_BEGIN: &str = "/devices/{device}/rule/begin";
/// `GET` page of the customer's key, `POST` `ceremony`, `credential`: offers a passkey to the device.
pub const DEVICE_KEY: &str = "/devices/{device}/key";
/// `POST`: how the browser makes it, as JSON.
pub const DEVICE_KEY_BEGIN: &str = "/devices/{device}/key/begin";
/// `POST` `credential`: the key's own word that the device is to forget it.
pub const RELEASE_KEY: &str = "/devices/{device}/key/release";
/// `POST`: what it is to sign for that, as JSON.
pub const RELEASE_KEY_BEGIN: &str = "/devices/{device}/key/release/begin";
/// `POST` `web_address`.
pub const WEB_ADDRESS: &str = "/devices/{device}/web-address";
/// `GET` form, `POST` `email`: asks another installer to take the device over.
pub const CHANGE_INSTALLER: &str = "/devices/{device}/installer";
/// `POST`: takes the link back.
pub const KEEP_INSTALLER: &str = "/devices/{device}/installer/keep";
/// `GET` asks, `POST` `typed`: gives the device back.
pub const RELEASE: &str = "/devices/{device}/release";

/// `GET` page (token in the fragment), `POST` `token`: looks the token up and goes on to [`ACTIVATE_CONFIRM`].
pub const ACTIVATE: &str = "/activate";
/// `GET` form (signed in), `POST` [`ActivationForm`](super::pages::ActivationForm).
pub const ACTIVATE_CONFIRM: &str = "/activate/confirm";
/// `GET` page (token in the fragment), `POST` `token`: looks the token up and goes on to [`TAKE_OVER_CONFIRM`].
pub const TAKE_OVER: &str = "/take-over";
/// `GET` asks (signed in), `POST`: makes one's organisation the device's installer.
pub const TAKE_OVER_CONFIRM: &str = "/take-over/confirm";
/// `GET`: it is done.
pub const ACTIVATED: &str = "/devices/{device}/activated";

/// `GET`: sessions waiting for the customer's word.
pub const REQUESTS: &str = "/requests";
/// `GET`: one session, who is inside and what was opened; behind the link of a request's mail.
pub const SESSION: &str = "/sessions/{session}";
/// `POST` `hours`: allows it, and opens the device for so long.
pub const ALLOW_AND_OPEN: &str = "/sessions/{session}/allow-and-open";
/// `GET`: live and past sessions.
pub const SESSIONS: &str = "/sessions";
/// `POST`.
pub const ALLOW_SESSION: &str = "/sessions/{session}/allow";
/// `POST`: what the customer's passkey is to sign for it, as JSON.
pub const ALLOW_SESSION_BEGIN: &str = "/sessions/{session}/allow/begin";
/// `POST` `minutes`: the same for more time.
pub const EXTEND_SESSION_BEGIN: &str = "/sessions/{session}/extend/begin";
/// `POST`.
pub const REFUSE_SESSION: &str = "/sessions/{session}/refuse";
/// `POST`.
pub const STOP_SESSION: &str = "/sessions/{session}/stop";
/// `POST` `minutes`: the customer lets a session last longer.
pub const EXTEND_SESSION: &str = "/sessions/{session}/extend";
/// `POST`: the customer does not.
pub const REFUSE_EXTENSION: &str = "/sessions/{session}/refuse-extension";

/// `POST` `service`, `reason`, `ticket_number`, `minutes`: a technician asks for a web page behind a device.
pub const ASK_WEB_PAGE: &str = "/devices/{device}/web-page";
/// `GET`: a web page that was asked for, and whether it is open.
pub const WEB_PAGE: &str = "/web-pages/{session}";
/// `POST`: on to the page itself.
pub const ENTER_WEB_PAGE: &str = "/web-pages/{session}/enter";
/// `POST` `ceremony`, `credential`: the customer opens the device's own page.
pub const OPEN_OWN_PAGE: &str = "/devices/{device}/own-page";
/// `POST`: what their passkey is to sign before, where it is pinned on the device.
pub const BEGIN_OWN_PAGE: &str = "/devices/{device}/own-page/begin";
/// `GET`: the same for whoever comes by the device's web address.
pub const OWN_PAGE: &str = "/at/{address}";
/// `POST` `reason`, `ticket_number`, `minutes`: a technician asks for a terminal in the portal.
pub const ASK_TERMINAL: &str = "/devices/{device}/terminal";
/// `GET`: the terminal, or where the request stands.
pub const TERMINAL: &str = "/terminals/{session}";
/// `POST` `columns`, `rows`: a ticket for the socket, as JSON.
pub const ENTER_TERMINAL: &str = "/terminals/{session}/enter";
/// `GET`: the web socket that carries it.
pub const TERMINAL_SOCKET: &str = "/terminals/{session}/socket";
/// `POST` `reason`, `ticket_number`, `minutes`: a technician asks what there is on a device's networks.
pub const ASK_FINDS: &str = "/devices/{device}/finds";
/// `GET`: what there is, or where the request stands.
pub const FINDS: &str = "/finds/{session}";
/// `POST`: the device looks around.
pub const BEGIN_FINDS: &str = "/finds/{session}/begin";
/// `POST` `address`, `port`: on to a web page of what was found, in the same session.
pub const OPEN_FIND: &str = "/finds/{session}/open";
/// `GET`: recordings of terminals, and the passphrase for them.
pub const RECORDINGS: &str = "/sessions/recordings";
/// `POST`: the organisation's key pair for recordings, as the browser made it.
pub const RECORDING_KEY: &str = "/sessions/recordings/key";
/// `GET`: replays one.
pub const RECORDING: &str = "/sessions/recordings/{recording}";
/// `POST`: its encrypted bytes; who looks is written down.
pub const OPEN_RECORDING: &str = "/sessions/recordings/{recording}/open";

/// `GET`: every device made.
pub const INVENTORY: &str = "/vendor/inventory";
/// `GET`: one device as the vendor sees it.
pub const VENDOR_DEVICE: &str = "/vendor/inventory/{device}";
/// `GET` asks, `POST` `typed`: revokes a device for good.
pub const RETIRE: &str = "/vendor/inventory/{device}/retire";
/// `POST`: takes a device's certificates back; it has to enrol with another key.
pub const REVOKE: &str = "/vendor/inventory/{device}/revoke";
/// `GET`: hardware that asked for a certificate and is unknown or in conflict.
pub const QUARANTINE: &str = "/vendor/quarantine";
/// `POST`: a second key takes the place of the first.
pub const APPROVE_KEY: &str = "/vendor/quarantine/{enrolment}/approve";
/// `POST`: says no to a key.
pub const DISMISS: &str = "/vendor/quarantine/{enrolment}/dismiss";
/// `GET`: mails of a cloud without a mail server.
pub const MAILBOX: &str = "/vendor/mailbox";
/// `GET`: one mail.
pub const MAIL: &str = "/vendor/mailbox/{mail}";
/// `GET`: its HTML, for the frame on its page.
pub const MAIL_HTML: &str = "/vendor/mailbox/{mail}/html";
/// `GET` list and form, `POST` `scope`, `device`, `installer`, `reason`: stops at once.
pub const EMERGENCY_STOPS: &str = "/vendor/emergency-stops";
/// `POST`.
pub const LIFT_STOP: &str = "/vendor/emergency-stops/{stop}/lift";
/// `GET`: everything that happened.
pub const AUDIT: &str = "/vendor/audit";

/// A pattern with its one placeholder filled: `link(paths::DEVICE, id)`.
pub fn link(pattern: &str, id: impl Display) -> String {
    let (Some(open), Some(close)) = (pattern.find('{'), pattern.find('}')) else { return pattern.to_owned() };
    format!("{}{id}{}", &pattern[..open], &pattern[close + 1..])
}

/// Where a link in a mail leads: the token sits in the fragment, which browsers keep to themselves.
pub fn with_token(public_url: &str, path: &str, token: &str) -> String {
    format!("{}{path}#{token}", public_url.trim_end_matches('/'))
}

/// Where somebody shows once more who they are before they come to `next`.
pub fn confirm_self(next: &str) -> String {
    let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    format!("{CONFIRM_SELF}?next={next}")
}

/// `path`, when it is one of this portal's own pages, else [`HOME`]: where a sign-in may lead back to.
pub fn own_or_home(path: &str) -> &str {
    let own = path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && path.len() <= 500;
    if own { path } else { HOME }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_fill_the_placeholder() {
        assert_eq!(link(RESEND_LINK, 7), "/devices/7/resend-link");
        assert_eq!(with_token("https://p.example/", ACTIVATE, "t0k"), "https://p.example/activate#t0k");
    }

    #[test]
    fn only_own_pages_are_led_back_to() {
        for foreign in ["//evil.example", "https://evil.example", "/\\evil.example", "/a b", "", "evil"] {
            assert_eq!(own_or_home(foreign), HOME, "{foreign}");
        }
        assert_eq!(own_or_home("/devices?state=active"), "/devices?state=active");
    }
}
