//! The pages of who is not signed in, and of approving a program.

use super::{super::*, Add, samples::*};
use crate::{
    i18n::{Language, Phrase},
    render::{Notice, Refusals, Side},
};

pub(super) fn add(language: Language, add: &mut Add<'_>) {
    let out = |path: &str| page(language, None, path);
    let installer = |path: &str| page(language, Some(Side::Installer), path);
    let none = Refusals::none;
    add(
        "fault",
        &FaultPage {
            page: out("/nowhere"),
            status: 500,
            title: "Something is broken".into(),
            what: "It is <broken>.".into(),
            next: "Try again.".into(),
            request: Some("0197-…".into()),
        },
    );
    add("sign_in", &SignIn { page: out("/sign-in"), form: SignInForm::default(), refusals: none() });
    let form = SignInForm { email: "a\"b@example.com".into(), ..SignInForm::default() };
    let notice = Notice::done(Phrase::new("flash-password-set"));
    add(
        "sign_in_refused",
        &SignIn { page: out("/sign-in").with_notice(notice), form, refusals: Refusals::one("", SignIn::wrong_pair()) },
    );
    add("sign_up", &SignUp { page: out("/sign-up"), form: SignUpForm::default(), refusals: none() });
    add("look_in_mail", &LookInMail { page: out("/look-in-mail") });
    add("confirm_email", &ConfirmEmail { page: out("/confirm-email"), token: String::new(), refusals: none() });
    let mut refusals = Refusals::one("password", SetPassword::guessable());
    refusals.add("repeated", SetPassword::differs());
    add("confirm_email_refused", &ConfirmEmail { page: out("/confirm-email"), token: "token".into(), refusals });
    let refusals = Refusals::one("password", AddOrganisation::not_theirs());
    add("add_organisation", &AddOrganisation { page: out("/add-organisation"), token: String::new(), refusals });
    add(
        "forgotten_password",
        &ForgottenPassword { page: out("/forgotten-password"), email: String::new(), refusals: none() },
    );
    add("set_password", &SetPassword { page: out("/set-password"), token: String::new(), refusals: none() });

    add(
        "second_step",
        &SecondStep {
            page: out("/sign-in/second-step"),
            app: true,
            passkeys: true,
            next: "/".into(),
            refusals: none(),
        },
    );
    let refusals = Refusals::one("code", Phrase::new("refused-second-factor-code"));
    add(
        "second_step_lost",
        &SecondStep { page: out("/sign-in/second-step"), app: false, passkeys: true, next: "/".into(), refusals },
    );
    for (name, app, passkeys) in [("confirm_self", true, true), ("confirm_self_password", false, false)] {
        let (page, next) = (installer("/confirm"), "/".to_owned());
        add(name, &ConfirmSelf { page, app, passkeys, next, refusals: none() });
    }
    let here = || installer("/my-data/second-factor");
    let passkey =
        PasskeyRow { id: "1".into(), name: "My <phone>".into(), created_at: ago(9_000), used_at: Some(ago(5)) };
    let (app, passkeys) = (Some((ago(9_000), None)), vec![passkey]);
    add(
        "second_factor",
        &MySecondFactor { page: here(), app, passkeys, recovery_codes: 9, needed: false, refusals: none() },
    );
    let refusals = Refusals::one("", Phrase::new("refused-passkey-known"));
    add(
        "second_factor_needed",
        &MySecondFactor { page: here(), app: None, passkeys: Vec::new(), recovery_codes: 0, needed: true, refusals },
    );
    let square =
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 9 9\"><path d=\"M1 1h7v7h-7z\"/></svg>".to_owned();
    let (ceremony, secret) = ("c".to_owned(), "GEZD GNBV GY3T QOJQ".to_owned());
    add("add_app", &AddApp { page: here(), ceremony, secret, square, refusals: none() });
    add("recovery_codes", &RecoveryCodes { page: here(), codes: vec!["7K3M-9QXF-V2TD-H0RW".into(); 10] });

    let asked = AskedSignIn { user_code: "WDJB-MJHT".into(), network: "192.0.2.0/24".into(), asked_at: ago(1) };
    add(
        "approve",
        &ApproveSignIn { page: installer("/approve"), asked: Some(asked), typed: String::new(), refusals: none() },
    );
    add(
        "approve_type",
        &ApproveSignIn {
            page: installer("/approve"),
            asked: None,
            typed: "WDJB".into(),
            refusals: Refusals::one("code", ApproveSignIn::unknown_code()),
        },
    );
    add("approve_done", &ApproveDone { page: installer("/approve"), approved: true });
}
