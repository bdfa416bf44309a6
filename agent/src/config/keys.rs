//! The table of keys: what exists, of which kind, with which default and which words beside it.

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Flag,
    List,
}

pub(super) struct Key {
    /// Dotted path.
    pub(super) path: &'static str,
    pub(super) kind: Kind,
    /// TOML text of the default; `None` when the key has none.
    pub(super) default: Option<&'static str>,
    /// Shown as an example in place of a default.
    pub(super) example: &'static str,
    pub(super) words: &'static str,
}

const fn key(
    path: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    example: &'static str,
    words: &'static str,
) -> Key {
    Key { path, kind, default, example, words }
}

/// All single keys, grouped by section in printing order.
pub(super) const KEYS: &[Key] = &[
    key(
        "state_dir",
        Kind::Text,
        Some("\"/var/lib/gatelodge-agent\""),
        "",
        "Key, certificate, outbox and registration state. Only the agent's user may read it.",
    ),
    key("cloud.url", Kind::Text, None, "\"https://cloud.example.com\"", "The vendor's cloud. Must be set."),
    key(
        "cloud.ca_file",
        Kind::Text,
        None,
        "\"/etc/gatelodge/cloud-ca.pem\"",
        "PEM file of the CA that signs the cloud's certificates; without it the public roots hold.",
    ),
    key(
        "identity.factory_file",
        Kind::Text,
        None,
        "\"/etc/gatelodge/factory.toml\"",
        "TOML or JSON with id_code, serial, mac and factory_secret, as written at the factory.",
    ),
    key(
        "identity.factory_command",
        Kind::List,
        None,
        "[\"/usr/sbin/factory-data\", \"--json\"]",
        "A program that prints the factory data, for firmware that keeps them elsewhere.",
    ),
    key(
        "identity.mac_address",
        Kind::Text,
        None,
        "\"02:42:AC:11:00:02\"",
        "The MAC address on the label, when it is not that of the interface with the default route.",
    ),
    key("identity.root", Kind::Text, Some("\"/\""), "", "Root of the system whose /sys, /proc and /etc are read."),
    key(
        "enrolment.method",
        Kind::Text,
        Some("\"on_site_code\""),
        "",
        "\"on_site_code\": an installer types the code this device shows. \"factory_secret\": the factory data prove it.",
    ),
    key(
        "local_page.listen",
        Kind::Text,
        Some("\"127.0.0.1:7480\""),
        "",
        "The device's own page; `gatelodge-agent status` asks it too.",
    ),
    key(
        "local_page.lan",
        Kind::Flag,
        Some("false"),
        "",
        "Must be true before the page may listen on an address that others on the network reach.",
    ),
    key(
        "link.first_retry_ms",
        Kind::Number,
        Some("30000"),
        "",
        "After a lost connection the first retry comes at a random moment within this time; later ones double it.",
    ),
    key("report.interval_s", Kind::Number, Some("86400"), "", "Seconds between two reports when nothing changes."),
    key(
        "remote_access.enabled",
        Kind::Flag,
        Some("true"),
        "",
        "The device's own switch. False: no remote session, whatever the cloud says.",
    ),
];

/// The keys of one `[[services]]` entry.
pub(super) const SERVICE_KEYS: &[&str] = &["name", "protocol", "host", "port"];

/// Words and example of the services list.
pub(super) const SERVICES_WORDS: &str = "\
# What remote sessions may reach through this device, as seen from it. Nothing else is ever opened.
# [[services]]
# name = \"panel-web\"
# protocol = \"tcp\"
# host = \"192.168.1.50\"
# port = 80
";
