//! Every key, its default and what it is: the one list behind reading, printing and refusing.

use gatelodge_proto::settings::Key;

pub(super) const KEYS: &[Key] = &[
    Key::new(
        "state_dir",
        Some("\"/var/lib/gatelodge-agent\""),
        "The folder for key, certificate, outbox and registration. Only the agent's user may read it.",
    ),
    Key::new("cloud.url", None, "The vendor's cloud, like https://cloud.example.com. Must be set."),
    Key::new(
        "cloud.ca_file",
        None,
        "PEM file of the CA that signs the cloud's certificates; without it the public roots hold.",
    ),
    Key::new(
        "cloud.relay_url",
        None,
        "Where remote sessions are carried when that is not at cloud.url, like wss://relay.example.com. No other place is dialled.",
    ),
    Key::new(
        "cloud.proxy",
        None,
        "The site's HTTP proxy for everything this agent sends, like http://name:password@proxy.example.com:3128; without it the environment's HTTPS_PROXY and NO_PROXY hold. Where it refuses the device endpoint's port (MQTT), the agent tries that without it.",
    ),
    Key::new(
        "identity.factory_file",
        None,
        "TOML or JSON with id_code, serial, mac and factory_secret, as written at the factory.",
    ),
    Key::new(
        "identity.factory_command",
        Some("[]"),
        "Program and arguments that print the factory data, for firmware that keeps them elsewhere.",
    ),
    Key::new(
        "identity.mac_address",
        None,
        "The MAC address on the label, when it is not that of the interface with the default route.",
    ),
    Key::new("identity.root", Some("\"/\""), "Root of the system whose /sys, /proc and /etc are read."),
    Key::new(
        "enrolment.method",
        Some("\"on_site_code\""),
        "How a new device proves itself: `on_site_code` (an installer types the code this device shows) or `factory_secret` (the factory data prove it).",
    ),
    Key::new(
        "local_page.listen",
        Some("\"127.0.0.1:7480\""),
        "Where the device's own page listens; `gatelodge-agent status` asks it too.",
    ),
    Key::new(
        "local_page.lan",
        Some("false"),
        "Must be true before the page may listen on an address that others on the network reach.",
    ),
    Key::new(
        "link.first_retry_ms",
        Some("30000"),
        "After a lost connection the first retry comes at a random moment within this time; later ones double it.",
    ),
    Key::new("report.interval_s", Some("86400"), "Seconds between two reports when nothing changes."),
    Key::new(
        "remote_access.enabled",
        Some("true"),
        "The device's own switch: false means no remote session, whatever the cloud says.",
    ),
    Key::new("remote_access.streams", Some("64"), "Connections that one session may have open at once (1 to 1024)."),
    Key::new(
        "remote_access.opens_per_second",
        Some("50"),
        "Connections that one session may open a second; a technician's program that scans is held to it.",
    ),
    Key::new(
        "remote_access.max_minutes",
        Some("1440"),
        "One session lasts at most this many minutes, whatever the customer allows and however often it is extended.",
    ),
    Key::new(
        "remote_access.rate",
        None,
        "Bytes a second that one session carries each way at most, like 2000000, so that it leaves room on a thin line. It is delayed, never cut; without it there is no limit.",
    ),
    Key::new(
        "terminal.enabled",
        Some("false"),
        "Whether a session may have a shell on this device, when the customer allows it. Every terminal is recorded, for the customer and the installer alone to read.",
    ),
    Key::new(
        "terminal.user",
        None,
        "The user whose shell it is: one with few rights, never root and never the agent's own. Must be set before there is a terminal; the agent needs the right to change to it (run as root, or CAP_SETUID, CAP_SETGID and CAP_KILL).",
    ),
    Key::new("terminal.shell", None, "Instead of that user's own shell, like /bin/sh."),
    Key::new(
        "terminal.command",
        Some("[]"),
        "Program and arguments that run in every terminal instead of a shell, like a menu; what a technician asks to run is refused then.",
    ),
    Key::new(
        "terminal.record_input",
        Some("false"),
        "Whether what is typed is recorded too, passwords included; what programs show always is.",
    ),
    Key::new(
        "terminal.max_recording",
        Some("64"),
        "The largest size of one recording in MiB; the terminal ends there.",
    ),
    Key::new(
        "terminal.max_waiting",
        Some("256"),
        "The largest size in MiB of all recordings that wait for the cloud to take them; no terminal is opened beyond it.",
    ),
    Key::new(
        "discovery.enabled",
        Some("false"),
        "Whether a session may be told what there is on this device's network, when the customer allows it.",
    ),
    Key::new(
        "discovery.ports",
        Some("[]"),
        "TCP ports that are tried then on the networks below, like [80, 443, 10001]: on each address of a network of at most 256, else on those that were found. No others ever are; 16 at most.",
    ),
    Key::new(
        "web.enabled",
        Some("true"),
        "Whether a session may reach the services below by a browser through the cloud, when the customer allows it. The cloud can read what passes then.",
    ),
    Key::new(
        "services[].name",
        Some("\"panel-web\""),
        "What remote sessions may reach through this device; nothing else is ever opened. The name people use.",
    ),
    Key::new("services[].protocol", Some("\"tcp\""), "`tcp` or `udp`."),
    Key::new("services[].host", Some("\"192.168.1.50\""), "Host or address as this device sees it."),
    Key::new("services[].port", Some("80"), "Its port."),
    Key::new(
        "services[].connections",
        None,
        "How many connections it takes at a time, like 1 for a panel that takes one only; further ones wait 10 s for their turn and are then refused. Without it any number.",
    ),
    Key::new(
        "services[].title",
        None,
        "What people call it, like \"Programming\": technicians pick it by this name. Services with one title are picked together.",
    ),
    Key::new(
        "services[].kind",
        None,
        "What it is for: `programming`, `web` or `video`. Without a title people read \"Programming\", \"Web page\" or \"Video\", and the vendor may name presets by it.",
    ),
    Key::new(
        "services[].scheme",
        None,
        "How its web pages are spoken to, for browsers that come through the cloud: `http`, or `https` where the panel has a certificate of its own, which nobody checks. Without it the port and the name decide.",
    ),
    Key::new(
        "services[].web_host",
        None,
        "Under which name or address the panel expects its web pages to be asked for (`Host`), where it answers to one alone; without it services[].host.",
    ),
    Key::new(
        "networks[].name",
        Some("\"lan\""),
        "A network that remote sessions may reach as a whole, when the customer allows it: every address in it but this device's own. The name people use.",
    ),
    Key::new(
        "networks[].subnet",
        Some("\"192.168.1.0/24\""),
        "Its first address and prefix length, IPv4 or IPv6; at least /8 or /32, and neither loopback, link-local nor multicast.",
    ),
    Key::new(
        "listens[].name",
        Some("\"event-receiver\""),
        "A port of this device at which the installation calls the technician's computer, like a panel that reports events, while a session lives that the customer allowed with it. The name people use.",
    ),
    Key::new("listens[].protocol", Some("\"tcp\""), "`tcp` or `udp`."),
    Key::new("listens[].port", Some("9000"), "The port that the panel calls; open only while such a session lives."),
    Key::new(
        "listens[].from",
        Some("\"192.168.1.0/24\""),
        "Who may call: first address and prefix length, as for a network. The port is open on this device's own address there.",
    ),
    Key::new(
        "folders[].name",
        Some("\"logs\""),
        "A folder that remote sessions may fetch files from, when the customer allows it. The name people use.",
    ),
    Key::new(
        "folders[].path",
        Some("\"/var/log/panel\""),
        "Where it is. Links in it are not followed, and nothing above it is reached.",
    ),
    Key::new("folders[].write", Some("false"), "Whether files may be put there, too."),
];
