//! A real responder for mDNS, Avahi, in a place of its own.

use std::{path::PathBuf, process::Command, sync::Arc, time::Duration};

use anyhow::Context as _;

use crate::{place::Place, process::Process, skip};

/// A responder. Dropping it ends it.
#[derive(Debug)]
pub struct Avahi {
    _process: Process,
    _place: Arc<Place>,
}

/// What it tells of.
#[derive(Debug, Clone, Copy)]
pub struct Published<'a> {
    /// What people call it.
    pub name: &'a str,
    /// Like `_http._tcp`.
    pub kind: &'a str,
    /// Where it is on the responder's own host.
    pub port: u16,
}

impl Avahi {
    /// Whether it is installed; noted when not.
    pub fn is_there(without: &str) -> anyhow::Result<bool> {
        Ok(skip::find_or_skip("avahi-daemon", without)?.is_some())
    }

    /// Starts it in the place, as the host of that name, and waits until it tells of these.
    pub async fn start(place: Arc<Place>, host: &str, published: &[Published<'_>]) -> anyhow::Result<Self> {
        // Programs in the place have these for /etc/avahi.
        let etc = place.hosts().with_file_name("avahi");
        let services = etc.join("services");
        std::fs::create_dir_all(&services).context("cannot make the responder's folder")?;
        let settings = format!(
            "[server]\nhost-name={host}\nuse-ipv4=yes\nuse-ipv6=no\nenable-dbus=no\n\
             [publish]\npublish-hinfo=no\npublish-workstation=no\n"
        );
        std::fs::write(etc.join("avahi-daemon.conf"), settings).context("cannot write the responder's settings")?;
        for (number, Published { name, kind, port }) in published.iter().enumerate() {
            let text = format!(
                "<?xml version=\"1.0\" standalone=\"no\"?>\n\
                 <!DOCTYPE service-group SYSTEM \"avahi-service.dtd\">\n\
                 <service-group><name>{name}</name>\
                 <service><type>{kind}</type><port>{port}</port></service></service-group>\n"
            );
            std::fs::write(services.join(format!("{number}.service")), text).context("cannot write a service")?;
        }
        let mut command = Command::new("sh");
        // Its process file and its socket have one place on a whole machine.
        command
            .args(["-c", "mkdir -p \"$1\" && mount -t tmpfs tmpfs \"$1\" && exec \"$0\" --no-drop-root --no-chroot"]);
        let program: PathBuf = skip::find("avahi-daemon").context("avahi-daemon is not installed")?;
        command.arg(program).arg("/run/avahi-daemon");
        let mut process = Process::start("avahi-daemon", &mut place.command(&command))?;
        for Published { name, .. } in published {
            process.wait_for_line(&format!("Service \"{name}\""), Duration::from_secs(90)).await?;
        }
        Ok(Self { _process: process, _place: place })
    }
}
