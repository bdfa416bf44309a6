//! What the parts below could do at best, measured in the same run: the endpoint's own acknowledgement, the database
//! without anything around it, TLS without anything inside.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use gatelodge_agent::{
    clock::Clock,
    cloud::{SwappableCertificate, endpoint_tls},
    state::{Holding, read_holding},
};
use gatelodge_proto::{
    DeviceId, Random, Timestamp,
    link::{Event, Link, Outgoing, Settings},
    payload::{self, Status},
    topics::{Topic, Up},
};
use gatelodge_tests::{cloud::TestCloud, fleet::Fleet};
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use sqlx::{
    ConnectOptions as _, Connection as _, QueryBuilder, Sqlite, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use uuid::Uuid;

use crate::measure::rate;

const SOON: Duration = Duration::from_secs(30);
const ACKNOWLEDGEMENTS: usize = 1_000;
const GROUP: usize = 256;
const GROUPS: usize = 100;
const HANDSHAKES: usize = 2_000;
const ABREAST: usize = 500;

/// A publish and its PUBACK on the same endpoint, one after the other: half and 99 of 100 within so many milliseconds.
pub(crate) async fn acknowledgements(fleet: &Fleet) -> anyhow::Result<(f64, f64)> {
    let (device, tls, endpoint) = credentials(fleet, 0)?;
    let (link, mut events) = Link::open(Settings::device(endpoint, device, tls, None), Random::system());
    let connected = tokio::time::timeout(SOON, events.next()).await.context("the endpoint does not answer")?;
    ensure!(matches!(connected, Some(Event::Connected)), "the endpoint does not take the device: {connected:?}");
    let status = payload::encode(&Status { online: true, boot_id: Uuid::from_bytes(Random::system().bytes()) });
    let mut waits = Vec::with_capacity(ACKNOWLEDGEMENTS);
    for _ in 0..ACKNOWLEDGEMENTS {
        let began = Instant::now();
        link.publish(Outgoing::json(Topic::Up(device, Up::Status), status.clone())).await?;
        waits.push(began.elapsed().as_secs_f64() * 1e3);
    }
    link.close().await;
    waits.sort_by(f64::total_cmp);
    let at = |place: usize| waits.get(place).copied().unwrap_or_default();
    Ok((at(ACKNOWLEDGEMENTS / 2), at(ACKNOWLEDGEMENTS * 99 / 100)))
}

/// A position and a row's newest report, in groups of one commit each, with as few statements as there can be.
pub(crate) async fn raw_commits(devices: usize) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let mut db = SqliteConnectOptions::new()
        .filename(folder.path().join("raw.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .connect()
        .await?;
    for table in [
        "CREATE TABLE device (id BLOB PRIMARY KEY, report TEXT)",
        "CREATE TABLE message (device BLOB, boot BLOB, seq BIGINT, kind TEXT, at BIGINT, PRIMARY KEY (device, boot, seq))",
    ] {
        sqlx::query(table).execute(&mut db).await?;
    }
    let random = Random::system();
    let ids: Vec<Uuid> = (0..devices).map(|_| DeviceId::make(Timestamp::EPOCH, &random).uuid()).collect();
    for id in &ids {
        sqlx::query("INSERT INTO device VALUES ($1, '')").bind(*id).execute(&mut db).await?;
    }
    let began = Instant::now();
    for group in 0..GROUPS {
        raw_group(&mut db, &ids, group).await?;
    }
    let speed = rate(GROUP * GROUPS, began.elapsed());
    db.close().await?;
    Ok(speed)
}

async fn raw_group(db: &mut SqliteConnection, ids: &[Uuid], group: usize) -> anyhow::Result<()> {
    let report = "x".repeat(600);
    let rows: Vec<(Uuid, i64)> = ids.iter().cycle().skip(group * GROUP).take(GROUP).copied().zip(0..).collect();
    let mut tx = db.begin_with("BEGIN IMMEDIATE").await?;
    let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO message (device, boot, seq, kind, at) ");
    insert.push_values(&rows, |mut row, (id, seq)| {
        let boot = Uuid::from_u128(group as u128);
        row.push_bind(*id).push_bind(boot).push_bind(*seq).push_bind("report").push_bind(*seq);
    });
    insert.build().execute(&mut *tx).await?;
    let mut update = QueryBuilder::<Sqlite>::new("WITH newest (id, report) AS (");
    update.push_values(&rows, |mut row, (id, _)| {
        row.push_bind(*id).push_bind(&report);
    });
    update.push(") UPDATE device SET report = newest.report FROM newest WHERE device.id = newest.id");
    update.build().execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}

/// Mutual TLS handshakes a second with the fleet's certificates and the cloud's, both ends in this process.
pub(crate) async fn handshakes(fleet: &Fleet, cloud: &TestCloud) -> anyhow::Result<f64> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let acceptor = tokio_rustls::TlsAcceptor::from(server(cloud)?);
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.write_all(b"!").await;
                    let _ = stream.read(&mut [0]).await;
                }
            });
        }
    });
    let count = HANDSHAKES.min(fleet.len());
    let configs: Vec<_> = (0..count).map(|number| Ok(credentials(fleet, number)?.1)).collect::<anyhow::Result<_>>()?;
    let (turns, mut dialling) = (Arc::new(Semaphore::new(ABREAST)), JoinSet::new());
    let began = Instant::now();
    for config in configs {
        let turns = Arc::clone(&turns);
        dialling.spawn(async move {
            let _turn = turns.acquire().await?;
            let stream = TcpStream::connect(address).await?;
            let name = ServerName::try_from("localhost")?;
            let mut stream = tokio_rustls::TlsConnector::from(config).connect(name, stream).await?;
            stream.read_exact(&mut [0]).await?;
            anyhow::Ok(stream)
        });
    }
    let mut open = Vec::with_capacity(count);
    while let Some(dialled) = dialling.join_next().await {
        open.push(dialled??);
    }
    let speed = rate(count, began.elapsed());
    serving.abort();
    Ok(speed)
}

fn server(cloud: &TestCloud) -> anyhow::Result<Arc<ServerConfig>> {
    let keys = cloud.data_dir().join("keys");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(keys.join("device-ca.pem"))? {
        roots.add(certificate?)?;
    }
    let chain = CertificateDer::pem_file_iter(keys.join("server.pem"))?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(keys.join("server.key"))?;
    let mut config = ServerConfig::builder()
        .with_client_cert_verifier(WebPkiClientVerifier::builder(Arc::new(roots)).build()?)
        .with_single_cert(chain, key)?;
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

type Access = (DeviceId, Arc<rustls::ClientConfig>, gatelodge_proto::link::Endpoint);

fn credentials(fleet: &Fleet, number: usize) -> anyhow::Result<Access> {
    let held = read_holding(&fleet.state_dir(number))?;
    let Some(Holding::Enrolled { key, credentials }) = held else { anyhow::bail!("device {number} is not enrolled") };
    let certificate = SwappableCertificate::new(&credentials.chain, &key)?;
    Ok((
        credentials.device,
        endpoint_tls(Some(fleet.server_ca()), certificate, &Clock::system())?,
        credentials.mqtt.parse()?,
    ))
}
