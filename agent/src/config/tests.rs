//! What people write into the settings, and what they are told.

use std::path::PathBuf;

use super::*;

fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn read_text(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let (_folder, path) = written(text);
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    read(Some(&path), environment).map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"))
}

const CLOUD: &str = "[cloud]\nurl = \"https://cloud.example.com\"\n";

#[test]
fn the_printed_default_needs_only_the_cloud() {
    let refused = read_text(&print_default(), &[]).unwrap_err();
    assert!(refused.contains("cloud.url is not set"), "{refused}");
    let config = read_text(&print_default(), &[("GATELODGE_AGENT__CLOUD__URL", "https://cloud.example.com")]).unwrap();
    assert_eq!(config.local_page.listen.to_string(), "127.0.0.1:7480");
    assert_eq!(config.enrolment.method, Method::OnSiteCode);
    assert!(config.remote_access.enabled);
}

#[test]
fn a_misspelt_key_is_named_with_its_line_and_the_nearest_key() {
    let refused = read_text("[cloud]\nurl = \"https://a.example\"\n[local_page]\nlisen = \"x\"\n", &[]).unwrap_err();
    assert_eq!(refused, "FILE line 4 sets `local_page.lisen`, which does not exist; did you mean `local_page.listen`?");
    let refused = read_text(&format!("{CLOUD}[[services]]\nname = \"a\"\nprotcol = 1\n"), &[]).unwrap_err();
    assert!(refused.starts_with("FILE line 5") && refused.contains("`services[].protocol`"), "{refused}");
    let refused = read_text(&format!("{CLOUD}[klaud]\nurl = 1\n"), &[]).unwrap_err();
    assert!(refused.starts_with("FILE line 4 sets `klaud.url`"), "{refused}");
}

#[test]
fn the_environment_wins_over_the_file_and_is_checked_too() {
    let config = read_text(
        CLOUD,
        &[
            ("GATELODGE_AGENT__CLOUD__URL", "https://other.example.com"),
            ("GATELODGE_AGENT__LINK__FIRST_RETRY_MS", "20"),
            ("GATELODGE_AGENT__REMOTE_ACCESS__ENABLED", "false"),
            ("GATELODGE_AGENT_CONFIG", "not a key"),
        ],
    )
    .unwrap();
    assert_eq!(config.cloud.url.as_str(), "https://other.example.com/");
    assert_eq!(config.link.first_retry_ms, 20);
    assert!(!config.remote_access.enabled);

    let refused = read_text(CLOUD, &[("GATELODGE_AGENT__CLOUD__ULR", "x")]).unwrap_err();
    assert!(
        refused.contains("GATELODGE_AGENT__CLOUD__ULR") && refused.contains("did you mean `cloud.url`?"),
        "{refused}"
    );
    let refused = read_text(CLOUD, &[("GATELODGE_AGENT__LOCAL_PAGE__LAN", "maybe")]).unwrap_err();
    assert!(refused.contains("maybe"), "{refused}");
}

#[test]
fn services_and_dotted_keys_are_read() {
    let dotted =
        read_text("cloud.url = \"https://a.example\"\nidentity.factory_command = [\"cat\", \"x\"]\n", &[]).unwrap();
    assert_eq!(dotted.identity.factory_command, ["cat", "x"]);
    assert!(dotted.services.is_empty());
    let config = read_text(
        &format!("{CLOUD}[[services]]\nname = \"panel-web\"\nprotocol = \"tcp\"\nhost = \"192.168.1.50\"\nport = 80\n"),
        &[],
    )
    .unwrap();
    assert_eq!(config.services[0].name.as_str(), "panel-web");
}

#[test]
fn a_service_that_takes_few_connections_and_a_network_are_read() {
    let config = read_text(
        &format!(
            "{CLOUD}[[services]]\nname = \"panel\"\nprotocol = \"udp\"\nhost = \"fd00::50\"\nport = 80\nconnections = 1\n\
             [[networks]]\nname = \"lan\"\nsubnet = \"192.168.1.0/24\"\n[[networks]]\nname = \"lan-6\"\nsubnet = \"fd00::/64\"\n"
        ),
        &[],
    )
    .unwrap();
    assert_eq!(config.services[0].connections.map(u16::from), Some(1));
    assert_eq!(config.offered()[0].protocol, Protocol::Udp);
    let subnets: Vec<_> = config.networks.iter().map(|network| network.subnet.to_string()).collect();
    assert_eq!(subnets, ["192.168.1.0/24", "fd00::/64"]);
}

#[test]
fn networks_that_are_no_sites_own_are_refused_in_words() {
    for (subnet, words) in [
        ("0.0.0.0/0", "is more than a site has"),
        ("::/0", "is more than a site has"),
        ("10.0.0.0/7", "is more than a site has"),
        ("fd00::/16", "is more than a site has"),
        ("127.0.0.0/8", "no session may reach"),
        ("127.0.0.1/32", "no session may reach"),
        ("::1/128", "no session may reach"),
        ("169.254.0.0/16", "no session may reach"),
        ("224.0.0.0/8", "no session may reach"),
        ("255.255.255.255/32", "no session may reach"),
        ("0.0.0.0/8", "no session may reach"),
        ("fe80::/64", "no session may reach"),
        ("ff02::/32", "no session may reach"),
        ("64:ff9b::/96", "no session may reach"),
        ("2002:c0a8::/32", "no session may reach"),
        ("::ffff:192.168.1.0/120", "is not a network"),
        ("192.168.1.50/24", "write 192.168.1.0/24"),
        ("192.168.1.0", "is not a network"),
        ("lan", "is not a network"),
    ] {
        let text = format!("{CLOUD}[[networks]]\nname = \"lan\"\nsubnet = \"{subnet}\"\n");
        let refused = read_text(&text, &[]).unwrap_err();
        assert!(refused.contains(words), "{subnet}: {refused}");
    }
    for (port, from, words) in [
        (9000, "0.0.0.0/0", "is more than a site has"),
        (9000, "127.0.0.1/32", "no session may reach"),
        (0, "192.168.1.0/24", "nobody can call"),
    ] {
        let text = format!("{CLOUD}[[listens]]\nname = \"a\"\nprotocol = \"tcp\"\nport = {port}\nfrom = \"{from}\"\n");
        let refused = read_text(&text, &[]).unwrap_err();
        assert!(refused.contains(words) && refused.contains("listens \"a\""), "{from}: {refused}");
    }
    let listens = |name, protocol| {
        format!("[[listens]]\nname = \"{name}\"\nprotocol = \"{protocol}\"\nport = 9000\nfrom = \"10.0.0.0/24\"\n")
    };
    assert!(read_text(&format!("{CLOUD}{}{}", listens("a", "tcp"), listens("b", "udp")), &[]).is_ok());
    let refused = read_text(&format!("{CLOUD}{}{}", listens("b", "tcp"), listens("a", "tcp")), &[]).unwrap_err();
    assert!(refused.contains("listens \"a\" and \"b\" both have tcp port 9000"), "{refused}");
    let twice = "[[networks]]\nname = \"lan\"\nsubnet = \"10.0.0.0/24\"\n";
    let refused = read_text(&format!("{CLOUD}{twice}{twice}"), &[]).unwrap_err();
    assert!(refused.contains("are named \"lan\""), "{refused}");
}

#[test]
fn values_that_do_not_fit_are_refused_in_words() {
    for (text, words) in [
        ("[cloud]\nurl = \"http://cloud.example.com\"\n", "must start with https://"),
        (&format!("{CLOUD}[local_page]\nlisten = \"0.0.0.0:7480\"\n"), "set local_page.lan = true"),
        (&format!("{CLOUD}[enrolment]\nmethod = \"magic\"\n"), "variant constructor magic for key `enrolment.method`"),
        (&format!("{CLOUD}[identity]\nmac_address = \"xyz\"\n"), "a MAC address has 12 digits"),
        ("cloud = 3\n", "FILE line 1 sets `cloud`, which does not exist"),
        ("[cloud\n", "is not TOML"),
    ] {
        let refused = read_text(text, &[]).unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }
    let missing = read(Some(&PathBuf::from("/nowhere/agent.toml")), std::iter::empty()).unwrap_err();
    assert!(missing.to_string().contains("/nowhere/agent.toml cannot be read"));
}

#[test]
fn a_relay_is_where_the_cloud_is_or_where_the_settings_say_and_nowhere_else() {
    let config = |more: &str| read_text(&format!("cloud.url = \"https://cloud.example.com\"\n{more}"), &[]);
    let own = config("").unwrap().cloud;
    for relay in ["wss://cloud.example.com/relay/v1", "wss://CLOUD.example.com:443/relay/v1"] {
        assert!(own.is_relay(relay), "{relay}");
    }
    for elsewhere in [
        "wss://192.168.1.50/relay/v1",
        "wss://relay.example.com/relay/v1",
        "wss://cloud.example.com:8443/relay/v1",
        "wss://cloud.example.com.evil.example/relay/v1",
        "wss://cloud.example.com@evil.example/relay/v1",
        "ws://cloud.example.com:443/relay/v1",
        "ws://127.0.0.1:8080/relay/v1",
        "https://cloud.example.com/relay/v1",
        "cloud.example.com",
        "",
    ] {
        assert!(!own.is_relay(elsewhere), "{elsewhere}");
    }
    let other = config("cloud.relay_url = \"wss://relay.example.com:8443\"\n").unwrap().cloud;
    assert!(other.is_relay("wss://relay.example.com:8443/relay/v1") && other.is_relay("wss://cloud.example.com/x"));
    assert!(!other.is_relay("wss://relay.example.com/relay/v1"));
    let refused = config("cloud.relay_url = \"ws://relay.example.com\"\n").unwrap_err();
    assert!(refused.contains("cloud.relay_url must start with wss://"), "{refused}");
}

#[test]
fn a_folder_for_files_never_holds_the_agents_own() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name).display().to_string();
    for folder in ["state", "state/recordings", "logs"] {
        std::fs::create_dir_all(at(folder)).unwrap();
    }
    std::os::unix::fs::symlink(place.path(), at("logs/up")).unwrap();
    let config = |state: &str, folder: &str| {
        let folders = format!("[[folders]]\nname = \"logs\"\npath = \"{folder}\"\n");
        read_text(&format!("state_dir = \"{state}\"\n{CLOUD}{folders}"), &[])
    };
    assert!(config(&at("state"), &at("logs")).is_ok());
    for (state, folder) in [
        (at("state"), at("state")),
        (at("state"), at("state/recordings")),
        (at("state"), at("")),
        (at("state"), "/".into()),
        (at("state"), at("logs/up")),
        (at("not/yet"), at("not")),
    ] {
        let refused = config(&state, &folder).unwrap_err();
        assert!(refused.contains("own state folder"), "{folder}: {refused}");
    }
}
