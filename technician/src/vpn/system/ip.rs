//! What this computer's network has, and changes to it, by iproute2's `ip`, which every Linux has.

use std::{
    io,
    net::IpAddr,
    path::Path,
    process::{Command, Output},
};

use gatelodge_proto::payload::Subnet;
use serde::Deserialize;

use super::SystemError;

#[derive(Deserialize)]
struct Route {
    dst: String,
}

#[derive(Deserialize)]
struct Interface {
    ifname: Option<String>,
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    local: Option<IpAddr>,
}

/// Every route of every table but default ones, and every own address.
pub(super) fn taken() -> Result<Vec<Subnet>, SystemError> {
    let mut taken = Vec::new();
    for family in ["-4", "-6"] {
        let routes: Vec<Route> = asked(&[family, "route", "show", "table", "all"])?;
        taken.extend(routes.iter().filter_map(|route| destination(&route.dst)));
    }
    let addresses = interfaces()?.into_iter().flat_map(|interface| interface.addr_info);
    taken.extend(addresses.filter_map(|address| single(address.local?)));
    taken.sort_unstable();
    taken.dedup();
    Ok(taken)
}

/// The names of all interfaces.
pub(super) fn names() -> Result<Vec<String>, SystemError> {
    Ok(interfaces()?.into_iter().filter_map(|interface| interface.ifname).collect())
}

/// Changes something.
pub(super) fn change(arguments: &[&str]) -> Result<(), SystemError> {
    run(arguments).map(drop)
}

fn interfaces() -> Result<Vec<Interface>, SystemError> {
    asked(&["address", "show"])
}

fn destination(text: &str) -> Option<Subnet> {
    match text.parse() {
        Ok(subnet) => Some(subnet).filter(|subnet| !is_default(subnet)),
        // A host has no prefix length; `default` is no address.
        Err(_) => single(text.parse().ok()?),
    }
}

/// Default routes, also as other VPNs write them to come before one: in halves (`redirect-gateway def1`), or as all of
/// the addresses that are given out in IPv6.
fn is_default(subnet: &Subnet) -> bool {
    let widest = if subnet.first().is_ipv4() { 1 } else { 3 };
    subnet.prefix() <= widest
}

pub(super) fn single(address: IpAddr) -> Option<Subnet> {
    Subnet::holding(address, if address.is_ipv4() { 32 } else { 128 })
}

fn asked<T: serde::de::DeserializeOwned>(arguments: &[&str]) -> Result<Vec<T>, SystemError> {
    let output = run(&[&["-json"], arguments].concat())?;
    // Without a single answer it prints nothing at all, not even an empty list.
    if output.stdout.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| SystemError::Ip { what: arguments.join(" "), why: error.to_string() })
}

fn run(arguments: &[&str]) -> Result<Output, SystemError> {
    let failed = |why: String| SystemError::Ip { what: arguments.join(" "), why };
    let output = Command::new(program()).args(arguments).output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => failed("the program ip (package iproute2) is not installed".to_owned()),
        _ => failed(error.to_string()),
    })?;
    if output.status.success() {
        return Ok(output);
    }
    Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

/// Administrators' programs are not in everybody's `PATH`.
fn program() -> &'static str {
    ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip"].into_iter().find(|path| Path::new(path).is_file()).unwrap_or("ip")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_takes_its_destination_and_a_default_one_nothing() {
        let read = |text: &str| destination(text).map(|subnet| subnet.to_string());
        assert_eq!(read("192.168.1.0/24").as_deref(), Some("192.168.1.0/24"));
        assert_eq!(read("192.168.1.7").as_deref(), Some("192.168.1.7/32"));
        assert_eq!(read("fe80::/64").as_deref(), Some("fe80::/64"));
        assert_eq!(read("fd00::1").as_deref(), Some("fd00::1/128"));
        // The last three are how other VPNs come before a default route.
        for default in ["default", "0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "2000::/3"] {
            assert_eq!(read(default), None, "{default}");
        }
    }

    #[test]
    fn this_computers_own_addresses_are_taken() {
        let taken = taken().unwrap();
        assert!(taken.iter().any(|subnet| subnet.contains("127.0.0.1".parse().unwrap())), "{taken:?}");
        assert!(!taken.iter().any(is_default));
    }
}
