//! The names the cloud's own certificates carry.

use crate::config::Config;

/// Host names of portal and device endpoint, and this node's own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// DNS names and IP addresses under which portal and device endpoint are reached, sorted.
    pub server: Vec<String>,
    /// This machine among equals: letters, digits and dashes.
    pub node: String,
}

impl Names {
    /// From the settings, this machine's loopback names, and its host name.
    pub fn from_config(config: &Config) -> Self {
        let mut server: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
        let hosts = [&config.public_url, &config.device_url].into_iter().filter_map(url::Url::host_str);
        let mqtt = config.mqtt.public.as_deref().and_then(|address| address.rsplit_once(':'));
        server.extend(hosts.map(|host| host.trim_matches(['[', ']']).to_owned()));
        server.extend(mqtt.map(|(host, _)| host.trim_matches(['[', ']']).to_owned()));
        for listen in [config.http.listen.ip(), config.mqtt.listen.ip()] {
            if !listen.is_unspecified() {
                server.push(listen.to_string());
            }
        }
        server.extend(config.gateway.names().map(|domain| format!("*.{domain}")));
        server.extend(config.gateway.base_domain.clone().filter(|_| config.gateway.ports.is_some()));
        server.sort_unstable();
        server.dedup();
        Self { server, node: node(&rustix::system::uname().nodename().to_string_lossy()) }
    }
}

fn node(host: &str) -> String {
    let name: String =
        host.to_ascii_lowercase().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
    if name.is_empty() { "a".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_host_and_loopback_are_always_among_them() {
        let environment = [
            ("GATELODGE__PUBLIC_URL".to_owned(), "https://portal.example.com".to_owned()),
            ("GATELODGE__MQTT__PUBLIC".to_owned(), "mqtt.example.com:8883".to_owned()),
            ("GATELODGE__HTTP__LISTEN".to_owned(), "0.0.0.0:443".to_owned()),
            ("GATELODGE__GATEWAY__BASE_DOMAIN".to_owned(), "web.example.com".to_owned()),
        ];
        let names = Names::from_config(&Config::load(None, environment).unwrap());
        assert_eq!(
            names.server,
            ["*.web.example.com", "127.0.0.1", "::1", "localhost", "mqtt.example.com", "portal.example.com"]
        );
    }

    #[test]
    fn a_node_name_is_a_plain_word() {
        assert_eq!(node("Web_1.example.com"), "web1examplecom");
        assert_eq!(node("_"), "a");
    }
}
