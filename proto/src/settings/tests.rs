use std::io::Write as _;

use serde::Deserialize;

use super::*;

const KEYS: &[Key] = &[
    Key::new("data_dir", Some("\"/var/lib/gatelodge\""), "Where everything is kept."),
    Key::new("http.listen", Some("\"127.0.0.1:8443\""), "Where the portal listens."),
    Key::new("http.workers", Some("2"), "How many."),
    Key::new("mail.smtp_url", None, "The mail server."),
    Key::new("services[].name", Some("\"panel-web\""), "What people call it."),
    Key::new("services[].port", Some("80"), "Its port."),
];

#[derive(Debug, PartialEq, Deserialize)]
struct Settings {
    data_dir: String,
    http: Http,
    #[serde(default)]
    mail: Mail,
    #[serde(default)]
    services: Vec<Service>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Http {
    listen: String,
    workers: u32,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
struct Mail {
    smtp_url: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Service {
    name: String,
    port: u16,
}

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    load(
        "GL",
        KEYS,
        Some(file.path()),
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    )
}

#[test]
fn the_printed_default_reads_as_the_default() {
    let printed = print_default("Gatelodge.", "GL", KEYS);
    assert_eq!(read(&printed, &[]).unwrap(), read("", &[]).unwrap());
    assert!(printed.contains("# Where the portal listens.\nlisten = \"127.0.0.1:8443\"\n"), "{printed}");
    assert!(printed.contains("# smtp_url = \"\""), "{printed}");
}

#[test]
fn file_over_default_and_environment_over_file() {
    let settings =
        read("[http]\nlisten = \"a:1\"\nworkers = 3\n", &[("GL__HTTP__LISTEN", "b:2"), ("PATH", "/bin")]).unwrap();
    assert_eq!((settings.http.listen.as_str(), settings.http.workers), ("b:2", 3));
    let settings = read("[[services]]\nname = \"panel\"\nport = 8080\n", &[("GL__HTTP__WORKERS", "5")]).unwrap();
    assert_eq!(settings.services, [Service { name: "panel".into(), port: 8080 }]);
    assert_eq!(settings.http.workers, 5);
}

#[test]
fn an_unknown_key_is_refused_with_place_and_nearest() {
    let message = read("data_dir = \"x\"\n\n[http]\nlissten = \"a:1\"\n", &[]).unwrap_err().to_string();
    assert!(
        message.ends_with("line 4 sets `http.lissten`, which does not exist; did you mean `http.listen`?"),
        "{message}"
    );
    let message = read("", &[("GL__MAIL__SMTP_URI", "x")]).unwrap_err().to_string();
    assert_eq!(
        message,
        "the environment variable GL__MAIL__SMTP_URI sets `mail.smtp_uri`, which does not exist; did you mean `mail.smtp_url`?"
    );
    let message = read("[[services]]\nnmae = \"x\"\n", &[]).unwrap_err().to_string();
    assert!(message.contains("did you mean `services[].name`?"), "{message}");
    let message = read("zzzzzzzzzzzzzz = 1\n", &[]).unwrap_err().to_string();
    assert!(message.ends_with("which does not exist; remove it"), "{message}");
}

#[test]
fn wrong_kinds_and_bad_files_say_so() {
    assert!(read("[http]\nworkers = \"many\"\n", &[]).unwrap_err().to_string().contains("http.workers"));
    assert!(read("= 3", &[]).unwrap_err().to_string().contains("is not TOML"));
    let missing = load::<Settings>("GL", KEYS, Some(std::path::Path::new("/nowhere.toml")), []).unwrap_err();
    assert!(missing.to_string().starts_with("the configuration /nowhere.toml cannot be read"));
}
