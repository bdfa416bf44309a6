//! What holds for every page.

use serde_json::json;

use super::{super::HistoryRow, all, samples::NOW};
use crate::{
    i18n::Language,
    render::{asset_path, paths},
};

#[test]
fn every_page_renders_in_every_language() {
    for language in Language::ALL {
        for (name, text) in all(language) {
            assert!(!text.contains('⟦'), "{name} {language} lacks a sentence: {}", around(&text, '⟦'));
            assert!(!text.contains("{$"), "{name} {language} lacks data: {}", around(&text, '$'));
            assert!(!text.contains("<Tuesday>") && !text.contains("<board>"), "{name}: unescaped");
        }
    }
}

#[test]
fn pages_keep_the_rules_of_html_and_of_the_content_policy() {
    for (name, text) in all(Language::En) {
        assert_eq!(text.matches("<h1").count(), 1, "{name}: one h1");
        assert_eq!(text.matches("<main").count(), 1, "{name}: one main");
        for forbidden in [" style=", "<style", "onclick", "<script>", "javascript:", "http-equiv"] {
            assert!(!text.contains(forbidden), "{name} has {forbidden}, which the policy forbids");
        }
        let mut ids: Vec<_> = attributes(&text, " id=\"").collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name}: ids are unique");
        for label in attributes(&text, " for=\"") {
            assert!(ids.contains(&label), "{name}: label for `{label}` has no field");
        }
        for link in attributes(&text, "href=\"#").filter(|link| *link != "main") {
            assert!(ids.contains(&link), "{name}: nothing to jump to at `{link}`");
        }
    }
}

/// Forms and links lead to addresses of [`paths`] alone.
#[test]
fn pages_lead_only_to_known_addresses() {
    let source = include_str!("../../paths.rs");
    let patterns: Vec<Vec<&str>> = source
        .split("&str = \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(|pattern| pattern.split('/').collect())
        .collect();
    assert!(patterns.contains(&paths::MAIL.split('/').collect()));
    let known = |path: &str| {
        let parts: Vec<&str> = path.split('/').collect();
        patterns.iter().any(|pattern| {
            pattern.len() == parts.len() && pattern.iter().zip(&parts).all(|(p, q)| p == q || p.starts_with('{'))
        })
    };
    for (name, text) in all(Language::En) {
        for link in ["href=\"/", "action=\"/", "src=\"/"].into_iter().flat_map(|opening| attributes(&text, opening)) {
            let path = format!("/{}", link.split(['?', '#']).next().unwrap_or_default());
            assert!(known(&path) || path.starts_with("/assets/"), "{name} leads to {path}");
        }
    }
}

fn attributes<'a>(text: &'a str, opening: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(opening).skip(1).filter_map(|rest| rest.split('"').next())
}

fn around(text: &str, mark: char) -> String {
    text.chars().skip_while(|c| *c != mark).take(80).collect()
}

#[test]
fn the_gallery_is_written_where_it_is_wanted() {
    let Some(folder) = std::env::var_os("GATELODGE_GALLERY") else { return };
    let folder = std::path::PathBuf::from(folder);
    for name in ["gatelodge.css", "gatelodge.js", "icons.svg", "mark.svg"] {
        let path = folder.join(asset_path(name).trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &*crate::render::asset(name).unwrap().bytes).unwrap();
    }
    for language in Language::ALL {
        for (name, text) in all(language) {
            std::fs::write(folder.join(format!("{name}-{language}.html")), text).unwrap();
        }
        for (name, mail) in crate::render::mails::samples() {
            let letter = mail.render(language, "Sentinel SA");
            std::fs::write(folder.join(format!("mail_{name}-{language}.html")), letter.html).unwrap();
        }
    }
}

/// Every `audit-` sentence names only details that [`HistoryRow::of`] hands on.
#[test]
fn the_history_is_told_with_the_details_there_are() {
    let sentences = include_str!("../../../../locales/en/audit.ftl");
    let keys = sentences.lines().filter_map(|line| line.strip_prefix("audit-")?.split_once(" =").map(|(key, _)| key));
    for key in keys {
        let details = json!({
            "added": 3, "asked": 500_000, "before": "Petit Alarmes", "installer": "Weber", "valid_until": "2027-11-22", "browsers": 2, "consent": "ask", "days": 365, "email": "rosa@example.com", "factor": "app", "hours_open": 2, "scope": "device", "zone": "Europe/Paris", "label": "CRM",
            "left": 9, "minutes": 30, "role": "supervisor", "fingerprint": "12345 67890 09876 54321 11223 34455", "by": "key",
            "network": "192.0.2.7",
            "organisation": "Petit Alarmes", "reason": "idle", "refused": 1, "services": "panel-web",
            "target": "tcp panel:80", "web_address": "villa-rosa", "what": "other",
        });
        let row = HistoryRow::of(NOW, "Ada".into(), &key.replace('-', "_"), &details);
        assert_eq!(row.what.key, format!("audit-{key}"), "the sentence names data that no row hands on");
        for language in Language::ALL {
            let said = row.what.say(language);
            assert!(!said.contains('⟦'), "{key} {language}: {said}");
        }
    }
}
