//! Many sessions through one relay at once: what a connection costs it that carries nothing, and how evenly it serves
//! those that carry all they can. The relay is what the cloud runs, behind the same TLS and in a process of its own;
//! who may join is what differs: whoever knows a number.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use futures_util::{FutureExt as _, future::BoxFuture};
use gatelodge_cloud::{
    sessions::relay::{Admission, Admitted, Carried, Entry, Refusal, Relay, Report, Settings, Unrecorded},
    web::{Limits, Serving, serve},
};
use gatelodge_proto::{
    Random, SessionId,
    api::RELAY_PATH,
    clock::Clock,
    session::{
        Role,
        carrier::{Dialler, RelaySocket},
        line::{Joining, KEEPS, Line},
        relay_frame::RelayError,
    },
};
use gatelodge_tests::{
    process::Process,
    wait::{measure_for, wait_until},
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::measure::resident_kib;

const SESSIONS: u32 = 200;
/// Have joined before memory is looked at: what the first ones cost is the process's.
const FIRST: u32 = 20;
const WITHIN: Duration = Duration::from_secs(20);
const LIFETIME: Duration = Duration::from_secs(3600);
const BLOCK: usize = 64 << 10;

/// Lets everybody in who names a session by its number.
#[derive(Default)]
struct Numbered(Mutex<HashMap<String, SessionId>>);

impl Admission for Numbered {
    fn admit(&self, entry: Entry, _: Role) -> BoxFuture<'_, Result<Admitted, Refusal>> {
        let now = Clock::system().now();
        let admitted = match entry {
            Entry::First { ticket } => {
                let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                let session = *sessions.entry(ticket).or_insert_with(|| SessionId::make(now, &Random::system()));
                let (carried, limits) = (Carried::default(), Vec::new());
                Ok(Admitted { session, lifetime: LIFETIME, until: now + LIFETIME, begun: false, carried, limits })
            }
            Entry::Again { .. } => Err(RelayError::Ticket.into()),
        };
        async move { admitted }.boxed()
    }

    fn report(&self, _: Report) -> BoxFuture<'_, Result<(), Unrecorded>> {
        async { Ok(()) }.boxed()
    }
}

/// The relay's own process: serves with the certificate in that folder, and writes down where.
pub(crate) async fn serve_relay(folder: &Path) -> anyhow::Result<()> {
    let chain = vec![CertificateDer::from_pem_file(folder.join("relay.pem"))?];
    let key = PrivateKeyDer::from_pem_file(folder.join("relay.key"))?;
    let tls = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    std::fs::write(folder.join("port.part"), listener.local_addr()?.port().to_string())?;
    std::fs::rename(folder.join("port.part"), folder.join("port"))?;
    let relay = Relay::new(Settings::default(), Random::system(), Numbered::default());
    let serving = Serving { tls: Some(Arc::new(tls)), limits: Limits::default(), by_name: None };
    Ok(serve(listener, relay.routes(), serving, CancellationToken::new()).await?)
}

/// What one relay showed.
pub(super) struct Shown {
    /// Resident memory of the relay for one connection, half a session, that carries nothing.
    pub(super) idle_kib: f64,
    /// Jain's index of what each session carried: 1 when all carried the same, 1/n when one carried everything.
    pub(super) fairness: f64,
}

/// One end's line to the relay.
struct Ends {
    relay: String,
    tls: Arc<rustls::ClientConfig>,
}

impl Ends {
    async fn join(&self, role: Role, number: u32) -> anyhow::Result<Line<RelaySocket>> {
        let random = Random::system();
        let dialler = Dialler::new(self.relay.clone(), self.tls.clone(), None, random.clone());
        let socket = dialler.dial().await?;
        let joining = Joining { role, ticket: number.to_string(), keeps: KEEPS, redial: Box::new(dialler), random };
        Ok(Line::join(socket, joining).await?)
    }

    /// Both ends of one session: technician, device.
    async fn session(&self, number: u32) -> anyhow::Result<(Line<RelaySocket>, Line<RelaySocket>)> {
        tokio::try_join!(self.join(Role::Technician, number), self.join(Role::Device, number))
    }
}

pub(super) async fn beside_each_other(span: Duration) -> anyhow::Result<Shown> {
    let folder = tempfile::tempdir()?;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    std::fs::write(folder.path().join("relay.pem"), made.cert.pem())?;
    std::fs::write(folder.path().join("relay.key"), made.signing_key.serialize_pem())?;
    let bench = std::env::current_exe().context("where is this program")?;
    let relay = Process::start("relay", Command::new(bench).arg("relay").arg(folder.path()))?;
    let port =
        wait_until("the relay listens", WITHIN, async || Ok(std::fs::read_to_string(folder.path().join("port")).ok()));
    let relay_at = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port.await?.parse()?);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone())?;
    let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let ends = Ends { relay: format!("wss://localhost:{}{RELAY_PATH}", relay_at.port()), tls: Arc::new(tls) };

    let mut sessions = Vec::new();
    let mut before = 0.0;
    for number in 0..SESSIONS {
        if number == FIRST {
            before = resident_kib(relay.id())?;
        }
        sessions.push(ends.session(number).await?);
    }
    let connections = f64::from(SESSIONS - FIRST) * 2.0;
    let idle_kib = (resident_kib(relay.id())? - before) / connections;

    let (mut busy, mut carried) = (JoinSet::new(), Vec::new());
    for (mut technician, mut device) in sessions {
        let bytes = Arc::new(AtomicU64::new(0));
        carried.push(bytes.clone());
        busy.spawn(async move {
            let block = vec![0x5a; BLOCK];
            while device.write_all(&block).await.is_ok() {}
        });
        busy.spawn(async move {
            let mut block = vec![0; BLOCK];
            while let Ok(got @ 1..) = technician.read(&mut block).await {
                bytes.fetch_add(got as u64, Ordering::Relaxed);
            }
        });
    }
    measure_for(span).await;
    let before: Vec<u64> = carried.iter().map(|bytes| bytes.load(Ordering::Relaxed)).collect();
    measure_for(span * 4).await;
    let each = carried.iter().zip(before).map(|(bytes, before)| bytes.load(Ordering::Relaxed) - before);
    let fairness = jain(&each.collect::<Vec<u64>>());
    anyhow::ensure!(fairness > 0.0, "no byte came through the relay");
    anyhow::ensure!(busy.try_join_next().is_none(), "a session ended while it was measured");
    Ok(Shown { idle_kib, fairness })
}

/// Jain's index (R. Jain and others, "A quantitative measure of fairness", 1984): 1 when all are the same.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn jain(each: &[u64]) -> f64 {
    let (sum, squares) = each.iter().fold((0.0, 0.0), |(sum, squares), one| {
        let one = *one as f64;
        (sum + one, squares + one * one)
    });
    if squares > 0.0 { sum * sum / (each.len() as f64 * squares) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::jain;

    #[test]
    fn jains_index_is_1_when_all_carry_the_same_and_1_of_n_when_one_carries_all() {
        assert!((jain(&[7; 5]) - 1.0).abs() < 1e-9);
        assert!((jain(&[0, 9, 0, 0]) - 0.25).abs() < 1e-9);
        assert!(jain(&[0, 0]).abs() < 1e-9);
    }
}
