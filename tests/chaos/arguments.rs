//! The command line of the proxy, and the setup it stands for.

use std::{fs, net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use gatelodge_proto::Random;
use gatelodge_tests::chaos::{Direction, Faults, Pem, Setup, Termination};

/// A TCP proxy that makes a network as bad as you say.
///
/// Bytes are delayed, trickled, stalled and reset on any connection, TLS included. Messages are duplicated and
/// reordered only where MQTT is in the clear: on a plain listener with --mqtt, or with the --tls options, which end
/// TLS here and therefore need the device's own key.
#[derive(Debug, Parser)]
#[command(
    name = "gatelodge-chaos",
    after_help = "Examples:\n  \
        Devices on a line with half a second of delay:\n    gatelodge-chaos --listen 0.0.0.0:8884 --to cloud.example.com:8883 --delay-ms 500\n  \
        A line that is cut without a word:\n    gatelodge-chaos --to localhost:8883 --stall both\n  \
        A plain broker that delivers twice and out of order:\n    gatelodge-chaos --to localhost:1883 --mqtt --duplicate 20 --reorder 8 --seed 7\n\n\
        Exit codes: 0 ended by Ctrl-C, 1 it cannot listen or a file cannot be used, 2 wrong usage."
)]
pub(crate) struct Arguments {
    /// Where clients come to; port 0 takes a free one and says which
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where they wanted to go
    #[arg(long, value_name = "HOST:PORT")]
    to: String,
    /// Each byte arrives this much later
    #[arg(long, value_name = "N", default_value_t = 0)]
    delay_ms: u64,
    /// Bytes arrive no faster than this a second
    #[arg(long, value_name = "BYTES")]
    trickle: Option<NonZeroU32>,
    /// Nothing passes this way, and nobody is told
    #[arg(long, value_name = "WAY")]
    stall: Option<Way>,
    /// Reset each connection after so many bytes from the client to the server
    #[arg(long, value_name = "BYTE", conflicts_with = "reset_down_at")]
    reset_up_at: Option<u64>,
    /// Reset each connection after so many bytes from the server to the client
    #[arg(long, value_name = "BYTE")]
    reset_down_at: Option<u64>,
    /// What passes is MQTT, and its messages may be hit
    #[arg(long)]
    mqtt: bool,
    /// Of a hundred messages so many arrive twice
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100), requires = "mqtt")]
    duplicate: u8,
    /// So many messages change places with each other
    #[arg(long, value_name = "COUNT", default_value_t = 0, requires = "mqtt")]
    reorder: usize,
    /// Decides which messages are hit; drawn and printed when not given
    #[arg(long)]
    seed: Option<u64>,
    /// PEM certificate chain shown to clients; ends TLS here
    #[arg(long, value_name = "FILE", requires_all = ["tls_key", "server_ca", "device_cert", "device_key"])]
    tls_cert: Option<PathBuf>,
    /// PEM key of that certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// PEM CA of the server's certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    server_ca: Option<PathBuf>,
    /// PEM certificate chain of the device
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    device_cert: Option<PathBuf>,
    /// PEM key of the device
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    device_key: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    Up,
    Down,
    Both,
}

impl Arguments {
    /// What the proxy is started with.
    pub(crate) fn setup(self) -> anyhow::Result<Setup> {
        let up = self.reset_up_at.map(|byte| (Direction::Up, byte));
        let down = self.reset_down_at.map(|byte| (Direction::Down, byte));
        let faults = Faults {
            delay: Duration::from_millis(self.delay_ms),
            bytes_per_second: self.trickle,
            stall_up: matches!(self.stall, Some(Way::Up | Way::Both)),
            stall_down: matches!(self.stall, Some(Way::Down | Way::Both)),
            reset_at: up.or(down),
            duplicate_percent: self.duplicate,
            reorder: self.reorder,
        };
        let tls = self.termination()?;
        let seed = self.seed.unwrap_or_else(|| Random::system().below(1_000_000));
        Ok(Setup { listen: self.listen, to: self.to, mqtt: self.mqtt, tls, seed, faults })
    }

    fn termination(&self) -> anyhow::Result<Option<Termination>> {
        let files = [&self.tls_cert, &self.tls_key, &self.device_cert, &self.device_key, &self.server_ca];
        let [Some(cert), Some(key), Some(device_cert), Some(device_key), Some(ca)] = files else { return Ok(None) };
        let read =
            |file: &PathBuf| fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()));
        let (cert, key, device_cert, device_key) = (read(cert)?, read(key)?, read(device_cert)?, read(device_key)?);
        let name = self.to.rsplit_once(':').map_or(self.to.as_str(), |(host, _)| host).trim_matches(['[', ']']);
        let (shown, own) = (Pem { chain: &cert, key: &key }, Pem { chain: &device_cert, key: &device_key });
        Termination::new(shown, own, &read(ca)?, name).map(Some)
    }
}
