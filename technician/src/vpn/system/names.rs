//! How this computer learns a session's names: systemd-resolved asks the session about its one domain, or the hosts file
//! has them for as long as the session lives.

use std::{net::IpAddr, path::Path, process::Command};

use super::{Places, hosts};
use crate::vpn::plan::Plan;

/// Who knows the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// systemd-resolved, which forgets them with the interface.
    Resolved,
    /// The hosts file.
    Hosts,
    /// Nobody, and why; addresses work all the same.
    Nobody(String),
}

/// Makes the names known, in the way that works here.
pub(super) fn make_known(plan: &Plan, interface: &str, places: &Places) -> Names {
    let names: Vec<_> = plan.names().collect();
    if names.is_empty() {
        return Names::Nobody("there are no services to name".to_owned());
    }
    if resolved_answers(places) {
        match ask_resolved(&resolved_commands(plan, interface)) {
            Ok(()) => return Names::Resolved,
            Err(why) => tracing::info!(why, "systemd-resolved does not take the names"),
        }
    }
    match hosts::put(&places.hosts, interface, &names) {
        Ok(()) => Names::Hosts,
        Err(error) => Names::Nobody(format!("{} cannot be written: {error}", places.hosts.display())),
    }
}

/// What `resolvectl` is told: whom to ask about this one domain, and about nothing else.
fn resolved_commands(plan: &Plan, interface: &str) -> Vec<Vec<String>> {
    let resolver = plan.links.first().map_or(IpAddr::from([0; 4]), |link| link.resolver);
    let domain = format!("~{}", plan.domain());
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    vec![
        words(&["dns", interface, &resolver.to_string()]),
        words(&["domain", interface, &domain]),
        words(&["default-route", interface, "no"]),
    ]
}

/// Whether programs here ask systemd-resolved at all: it may run beside a resolver that knows nothing of it.
fn resolved_answers(places: &Places) -> bool {
    let runs = places.resolved.is_dir();
    let reads = |file: &Path| std::fs::read_to_string(file).unwrap_or_default();
    let by_stub = reads(&places.resolv).lines().any(|line| line.trim() == "nameserver 127.0.0.53");
    let hosts = reads(&places.nsswitch);
    let by_name = hosts
        .lines()
        .any(|line| line.trim_start().starts_with("hosts:") && line.split_whitespace().any(|word| word == "resolve"));
    runs && (by_stub || by_name)
}

fn ask_resolved(commands: &[Vec<String>]) -> Result<(), String> {
    for arguments in commands {
        let output = Command::new("resolvectl").args(arguments).output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::payload::{Protocol, Service};

    use super::*;
    use crate::vpn::plan::{Ranges, Site};

    fn plan() -> Plan {
        let panel =
            Service { name: "panel".parse().unwrap(), protocol: Protocol::Tcp, host: "192.168.1.50".into(), port: 80 };
        let site = Site { label: "villa-rosa", networks: &[], services: &[panel], real: &[] };
        Plan::make(site, Ranges::usual().unwrap(), &[]).unwrap()
    }

    #[test]
    fn resolved_is_told_of_one_domain_and_is_no_default() {
        let said: Vec<_> = resolved_commands(&plan(), "gatelodge0").iter().map(|words| words.join(" ")).collect();
        let resolver = plan().links[0].resolver;
        let dns = format!("dns gatelodge0 {resolver}");
        assert_eq!(said, [dns.as_str(), "domain gatelodge0 ~villa-rosa.gatelodge", "default-route gatelodge0 no"]);
    }

    #[test]
    fn without_a_resolver_that_can_be_told_the_hosts_file_has_the_names() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::under(folder.path());
        std::fs::create_dir_all(folder.path().join("etc")).unwrap();
        assert!(matches!(make_known(&plan(), "gatelodge0", &places), Names::Nobody(_)));
        std::fs::write(&places.hosts, "127.0.0.1 localhost\n").unwrap();
        std::fs::write(&places.resolv, "nameserver 192.168.1.1\n").unwrap();
        assert_eq!(make_known(&plan(), "gatelodge0", &places), Names::Hosts);
        assert!(std::fs::read_to_string(&places.hosts).unwrap().contains(" panel.villa-rosa.gatelodge\n"));

        std::fs::create_dir_all(&places.resolved).unwrap();
        assert!(!resolved_answers(&places), "it runs, and nobody asks it");
        std::fs::write(&places.resolv, "nameserver 127.0.0.53\noptions edns0\n").unwrap();
        assert!(resolved_answers(&places));
    }
}
