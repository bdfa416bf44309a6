//! Every key, its default and what it is: the one list behind reading, printing and refusing.

use gatelodge_proto::settings::Key;

pub(super) const KEYS: &[Key] = &[
    Key::new(
        "data_dir",
        Some("\"/var/lib/gatelodge\""),
        "The folder for keys, the SQLite file and addresses.json. Made at first start, readable by its user alone.",
    ),
    Key::new(
        "public_url",
        Some("\"https://localhost:8443\""),
        "The portal's address as browsers reach it. Links in mails start with it.",
    ),
    Key::new(
        "device_url",
        None,
        "The address under which agents and the technician's program reach enrolment, API and relay, always with TLS; public_url when unset.",
    ),
    Key::new(
        "http.listen",
        Some("\"127.0.0.1:8443\""),
        "Where portal, API, enrolment and relay listen, always with TLS.",
    ),
    Key::new(
        "http.tls",
        Some("\"own\""),
        "Where the portal's certificate comes from: `own` (the cloud's own CA, whose certificate is keys/server-ca.pem in the data folder) or `files`.",
    ),
    Key::new("http.cert_file", None, "PEM chain of the portal's certificate, with tls = \"files\"."),
    Key::new(
        "http.key_file",
        None,
        "PEM key of the portal's certificate, with tls = \"files\"; readable by its user alone.",
    ),
    Key::new(
        "http.loopback",
        None,
        "A second listener without TLS for browsers on this machine, like 127.0.0.1:8080. Loopback addresses only.",
    ),
    Key::new(
        "mqtt.endpoint",
        Some("\"embedded\""),
        "Who devices connect to: `embedded` (this program) or `external` (a broker, see docs/operate).",
    ),
    Key::new(
        "mqtt.listen",
        Some("\"127.0.0.1:8883\""),
        "Where the embedded device endpoint listens; only devices with a certificate get in.",
    ),
    Key::new(
        "mqtt.public",
        None,
        "host:port of the device endpoint as devices reach it; from public_url and the port in use when unset.",
    ),
    Key::new("mqtt.broker", None, "host:port of an external broker, for the registrar."),
    Key::new(
        "mqtt.broker_ca_file",
        None,
        "PEM CA of the external broker's certificate; the cloud's own CA when unset.",
    ),
    Key::new(
        "database.url",
        None,
        "sqlite:PATH or postgres://user:password@host/name; gatelodge.db in the data folder when unset.",
    ),
    Key::new(
        "database.reserve_mib",
        Some("64"),
        "MiB kept free beside an SQLite file, so that on a full disk people can still sign in, stop, revoke and withdraw consent.",
    ),
    Key::new(
        "mail.smtp_url",
        None,
        "smtp://user:password@host:port (STARTTLS; without TLS to a server on this machine) or smtps://...; when unset, mails stay in the built-in mailbox that the vendor's administrators see.",
    ),
    Key::new("mail.from", Some("\"Gatelodge <no-reply@localhost.localdomain>\""), "The sender of every mail."),
    Key::new("mail.support", Some("\"support@localhost.localdomain\""), "Whom mails name for questions."),
    Key::new("mail.vendor_name", Some("\"Gatelodge\""), "The vendor's name in mails and pages."),
    Key::new(
        "sessions.max_minutes",
        Some("240"),
        "The longest session that a technician may ask for, in minutes, and the longest extension.",
    ),
    Key::new(
        "sessions.longest_minutes",
        Some("720"),
        "The longest a session may last with all the extensions that the customer allows, in minutes; no less than max_minutes.",
    ),
    Key::new("sessions.idle_minutes", Some("15"), "A session without traffic ends after this."),
    Key::new(
        "sessions.raw_carriers",
        Some("true"),
        "Carry sessions on connections upgraded to raw frames, at less cost than on web sockets; programs that do not get through that way use web sockets.",
    ),
    Key::new("sessions.ask_minutes", Some("30"), "How long a customer has to answer a request for a session."),
    Key::new(
        "sessions.second_factor",
        Some("\"required\""),
        "Whether a technician needs a second factor (authenticator app or passkey) before asking for a session: required, or when_set_up, which lets those who have none in with their password alone.",
    ),
    Key::new(
        "sessions.second_factor_hours",
        Some("12"),
        "For how long a second factor that was shown counts, in hours; after that the technician signs in again.",
    ),
    Key::new(
        "sessions.live_per_organisation",
        Some("200"),
        "Sessions of one installer that may wait or be open at once; one device has four at most.",
    ),
    Key::new(
        "sessions.rate_per_session",
        None,
        "Bytes a second that one session carries each way at most, like 2000000. It is delayed, never cut; without it there is no limit.",
    ),
    Key::new("sessions.rate_per_device", None, "The same for all sessions with one device together."),
    Key::new("sessions.rate_per_organisation", None, "The same for all sessions of one installer together."),
    Key::new(
        "gateway.base_domain",
        None,
        "The domain below which panels' web pages get host names of their own, like web.example: `*.web.example` leads to http.listen and the certificate covers it. Best a domain of its own, beside the portal's. When unset: localhost where public_url is there, else no web pages.",
    ),
    Key::new(
        "gateway.ports",
        None,
        "Where there is no wildcard name: ports like \"9000-9099\", one for each web page, with the certificate of http. Weaker than names of their own, see docs/operate.",
    ),
    Key::new(
        "gateway.blind_ca_certificate",
        None,
        "Lets technicians open web pages that the portal cannot read: the certificate, in PEM, of a CA of your own that may sign names below gateway.base_domain and no others; their browsers have to trust it, see docs/operate.",
    ),
    Key::new("gateway.blind_ca_key", None, "Its key, in PEM, readable by the cloud's user alone."),
    Key::new("gateway.pages", Some("100"), "Web pages of panels that may be open on this node at once."),
    Key::new(
        "gateway.terminals",
        Some("50"),
        "Terminals of devices that may be open in the portal on this node at once; 0 leaves them to the command line, which the cloud cannot read.",
    ),
    Key::new(
        "recordings.keep_days",
        Some("365"),
        "How long the recording of a terminal is kept, in days; then it is deleted, and the history says so.",
    ),
    Key::new("recordings.max_mib", Some("64"), "The largest recording that is taken from a device, in MiB."),
];
