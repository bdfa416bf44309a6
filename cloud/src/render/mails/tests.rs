//! Every mail in every language: equal in both parts, complete, one button.

use std::time::Duration;

use gatelodge_proto::payload::{Consent, Feature};

use super::*;
use crate::render::pages::Call;

const URL: &str = "https://portal.example/activate#t0ken";
const DIGITS: &str = "84611 04060 22910 71985 29609 07544";

pub(in crate::render) fn samples() -> Vec<(&'static str, Mail)> {
    let device = DeviceNamed {
        name: "villa-rosa".into(),
        product: "Sentinel & Co 500".into(),
        id_code: "RR52-AFY2-T1GJ".parse().unwrap(),
        installer: "Petit Alarmes <SARL>".into(),
    };
    let session = SessionAsked {
        technician: "Marc Petit".into(),
        organisation: "Petit Alarmes <SARL>".into(),
        reason: Some("yearly check".into()),
        services: vec!["panel-web".into(), "panel-bus".into()],
        networks: Vec::new(),
        calls: Vec::new(),
        features: Vec::new(),
        ticket_number: None,
        length: Duration::from_secs(3_600),
    };
    let longer = SessionAsked { length: Duration::from_secs(1_800), ..session.clone() };
    let extension = Mail::session_extension("Rosa Blanc", &device, &longer, URL);
    let day = Duration::from_secs(86_400);
    vec![
        ("confirm_email", Mail::confirm_email("Marc Petit", "Petit Alarmes", URL, day)),
        ("add_organisation", Mail::add_organisation("Marc Petit", "Petit Alarmes <SARL>", URL, day)),
        ("account_exists", Mail::account_exists("Marc Petit", URL)),
        ("set_password", Mail::set_password("Rosa Blanc", "rosa@example.com", URL, day / 48)),
        ("second_factor_added", Mail::second_factor_added("Marc Petit", URL)),
        ("second_factor_removed", Mail::second_factor_removed("Marc Petit", URL)),
        ("recovery_codes", Mail::recovery_codes_made("Marc Petit", URL)),
        ("welcome", Mail::welcome(None, "rosa@example.com", "Petit Alarmes <SARL>", URL, day / 48)),
        ("activation_link", Mail::activation_link(Some("Rosa Blanc"), &device, URL, day * 3)),
        ("activated_customer", Mail::activated_customer("Rosa Blanc", &device, Consent::Ask, URL)),
        ("activated_installer", Mail::activated_installer("Marc Petit", &device, "Rosa Blanc", URL)),
        ("break_glass", Mail::break_glass("Rosa Blanc", &device, &session, true, URL)),
        ("break_glass_installer", Mail::break_glass("Marc Petit", &device, &session, false, URL)),
        ("session_request", Mail::session_request("Rosa Blanc", &device, &session, URL)),
        (
            "session_request_bare",
            Mail::session_request("Rosa Blanc", &device, &SessionAsked { reason: None, ..session.clone() }, URL),
        ),
        (
            "session_request_call",
            Mail::session_request(
                "Rosa Blanc",
                &device,
                &SessionAsked {
                    calls: vec![Call { from: "192.168.1.0/24".into(), port: "tcp 9000 (event-receiver)".into() }],
                    features: Feature::ALL.to_vec(),
                    ticket_number: Some("2026-0417".parse().unwrap()),
                    ..session.clone()
                },
                URL,
            ),
        ),
        (
            "session_request_network",
            Mail::session_request(
                "Rosa Blanc",
                &device,
                &SessionAsked { services: Vec::new(), networks: vec!["192.168.1.0/24".into()], ..session },
                URL,
            ),
        ),
        ("session_extension", extension),
        ("emergency_stop", Mail::emergency_stop("Marc Petit", "a hole in the relay", URL)),
        ("doubled", Mail::doubled("Marc Petit", &device, URL)),
        ("key_pinned", Mail::key("Rosa Blanc", &device, KeyNews::Pinned, DIGITS, URL)),
        ("key_released", Mail::key("Rosa Blanc", &device, KeyNews::Released, DIGITS, URL)),
        ("key_removed", Mail::key("Rosa Blanc", &device, KeyNews::Removed, DIGITS, URL)),
        ("take_over_link", Mail::take_over_link(&device, "Rosa Blanc", URL, day * 3)),
        ("handed_over_customer", Mail::handed_over_customer("Rosa Blanc", &device, URL)),
        ("handed_over_installer", Mail::handed_over_installer("Marc Petit", &device, URL)),
        ("released_customer", Mail::released_customer("Rosa Blanc", &device, URL)),
        ("released_installer", Mail::released_installer("Marc Petit", &device, URL)),
    ]
}

/// The words of the HTML part: tags gone, entities read, spaces folded.
fn words(html: &str) -> String {
    let body = html.split_once("<body").map_or(html, |(_, body)| body);
    let mut text = String::new();
    for piece in body.split('<').skip(1) {
        text.push(' ');
        text.push_str(piece.split_once('>').map_or("", |(_, text)| text));
    }
    let text = text.replace("&#60;", "<").replace("&#62;", ">").replace("&#38;", "&").replace("&#39;", "'");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn both_parts_say_the_same_in_every_language() {
    for (name, mail) in samples() {
        for language in Language::ALL {
            let letter = mail.render(language, "Sentinel SA");
            let html = words(&letter.html);
            assert!(!letter.plain.contains('⟦') && !html.contains('⟦'), "{name} {language}: {}", letter.plain);
            assert!(!letter.subject.contains('\n') && !letter.subject.is_empty());
            for line in letter.plain.lines().filter(|line| !line.is_empty() && *line != "--") {
                for part in line.split(": ") {
                    let part = part.trim_end_matches(':').trim();
                    assert!(html.contains(part), "{name} {language}: HTML lacks `{part}` in\n{html}");
                }
            }
            assert_eq!(letter.html.matches("display:inline-block").count(), 1, "one button");
            assert!(letter.plain.lines().any(|line| line == URL), "the address stands alone:\n{}", letter.plain);
            assert!(!letter.plain.contains("&#"), "plain text is not escaped:\n{}", letter.plain);
            assert!(!letter.html.contains("<SARL>"), "names are escaped");
        }
    }
}

#[test]
fn the_activation_mail_reads_like_this() {
    let (_, mail) = samples().remove(8);
    assert_eq!(
        mail.render(Language::En, "Sentinel SA").plain,
        "Hello Rosa Blanc,\n\n\
         Petit Alarmes <SARL> has registered villa-rosa for you. Confirm that it is yours, check your data and choose \
         who may enter it from afar.\n\n\
         Nothing is active until you have signed in and confirmed.\n\n\
         Device: villa-rosa (Sentinel & Co 500)\nID code: RR52-AFY2-T1GJ\nInstaller: Petit Alarmes <SARL>\n\n\
         See and confirm:\nhttps://portal.example/activate#t0ken\n\n\
         The link is good for 3 days and for one use.\n\n\
         If you do nothing, the device is not activated. If you do not know of it, ignore this mail.\n\n\
         --\nYou get this mail because an installer entered this address for a device. Sent by Sentinel SA. \
         Questions? Ask your installer, or answer this mail."
    );
}
