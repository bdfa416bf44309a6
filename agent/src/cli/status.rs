//! `status`: asks the running agent's local page, else tells what the state folder knows.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    process::ExitCode,
    time::Duration,
};

use super::term::{Failure, field, say};
use crate::{
    config::Config,
    state::{self, Holding},
    status::{LinkState, Status, sentence},
};

const NOT_RUNNING: u8 = 3;
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn status(config: &Config, json: bool) -> Result<ExitCode, Failure> {
    match ask(config.local_page.listen) {
        Ok(body) if json => {
            say(body.trim());
            Ok(ExitCode::SUCCESS)
        }
        Ok(body) => {
            let status: Status = serde_json::from_str(&body).map_err(|error| {
                Failure::new(
                    format!("what answers on {} is not this agent: {error}", config.local_page.listen),
                    "stop it, or set local_page.listen to another port",
                )
            })?;
            show(&status);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => not_running(config, json, &error),
    }
}

fn show(status: &Status) {
    say(sentence(status));
    let identity = &status.identity;
    if let Some(code) = &status.on_site_code {
        field("on-site code", format!("{} (until {})", code.code, code.valid_until));
    }
    if let Some(code) = &identity.id_code {
        field("ID code", code);
    }
    field("MAC", format!("{} {}", identity.mac, identity.mac_source));
    field("serial", format!("{} ({})", identity.serial, identity.serial_source));
    field("model", &identity.model);
    field("firmware", &identity.firmware);
    if let Some(registration) = &status.registration {
        field("state", registration.life.word());
        field("consent", registration.consent.word());
        for (name, value) in [
            ("customer", &registration.customer),
            ("installer", &registration.installer),
            ("web address", &registration.web_address),
        ] {
            if let Some(value) = value {
                field(name, value);
            }
        }
    }
    match &status.link {
        LinkState::Idle => {}
        LinkState::Online { since } => field("online since", since),
        LinkState::Offline { since, reason } => field("offline since", format!("{since}: {reason}")),
    }
    if let Some(until) = status.certificate_until {
        field("certificate", format!("until {until}"));
    }
    if status.waiting_messages > 0 {
        field("waiting", format!("{} messages without a receipt", status.waiting_messages));
    }
    if !status.remote_access {
        field("remote access", "off by this device's own switch");
    }
    for session in &status.sessions {
        field("session", format!("{} ({}) until {}", session.technician, session.organisation, session.until));
    }
    if let Some(problem) = &status.problem {
        field("problem", &problem.what);
        field("next", &problem.next);
    } else if matches!(status.link, LinkState::Offline { .. }) {
        field("next", "it connects again by itself; if it does not, gatelodge-agent doctor says where the way ends");
    }
}

fn not_running(config: &Config, json: bool, error: &io::Error) -> Result<ExitCode, Failure> {
    let damaged = |error: state::StateError| Failure::new(error.to_string(), error.next_step());
    let holding = state::read_holding(&config.state_dir).map_err(damaged)?;
    let registration = state::read_registration(&config.state_dir).map_err(damaged)?;
    let stage = match &holding {
        None => "not enrolled",
        Some(Holding::Key { .. }) => "enrolling",
        Some(Holding::Enrolled { .. }) => "enrolled",
        Some(Holding::Retired) => "retired",
    };
    if json {
        say(serde_json::json!({ "running": false, "stage": stage, "registration": registration }));
    } else {
        say(format!("The agent is not running. Last known: {stage}."));
        if let Some(registration) = registration {
            field("state", registration.life.word());
        }
        field("asked", format!("{}: {error}", config.local_page.listen));
        field("next", "gatelodge-agent run, or systemctl start gatelodge-agent");
    }
    Ok(ExitCode::from(NOT_RUNNING))
}

/// A plain HTTP/1.0 request to ourselves needs no client library.
fn ask(listen: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&reachable(listen), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /status.json HTTP/1.0\r\nHost: {}\r\nConnection: close\r\n\r\n", reachable(listen))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.lines().next().is_some_and(|line| line.contains(" 200 ")) => Ok(body.to_owned()),
        _ => Err(io::Error::other("what listens there does not answer like an agent")),
    }
}

/// The address to ask when the page listens on all of them.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
