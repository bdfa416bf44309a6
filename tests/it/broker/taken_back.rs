//! Taking a certificate back, and what becomes of its connections.

use std::sync::Arc;

use gatelodge_proto::link::{Event, Refusal};
use gatelodge_tests::{mqtt::RawClient, wait::wait_until};
use rustls::{ClientConfig, HandshakeKind, client::Resumption};

use super::{
    Device, Running, SOON,
    access::{connected, heard},
};

/// The owner gives the device back; on Mosquitto the operator's unit hands over the new revocation list.
async fn take_back(cloud: &Running, device: &Device) -> anyhow::Result<()> {
    let list = cloud.kits().pki.revocations_file();
    let before = std::fs::read(&list).ok();
    cloud.release(device.id()).await;
    if let Some(mosquitto) = &cloud.mosquitto {
        wait_until("the revocation list is written", SOON, async || {
            Ok((std::fs::read(&list).ok() != before).then_some(()))
        })
        .await?;
        mosquitto.read_revocations(&cloud.keys())?;
    }
    Ok(())
}

/// Whether a device gets in again after its certificate is taken back from under its live connection.
pub(super) async fn lets_in(cloud: &Running, device: &Device) -> anyhow::Result<bool> {
    let (link, mut events) = cloud.connect(device);
    connected(&mut events).await?;
    take_back(cloud, device).await?;
    loop {
        match heard(&mut events).await? {
            Event::Refused { refusal: Refusal::NotAuthorized | Refusal::Certificate(_), .. } => break,
            // Until a broker has read its list.
            Event::Connected | Event::Message(_) | Event::Disconnected { .. } => {}
            other @ Event::Refused { .. } => anyhow::bail!("{other:?}"),
        }
    }
    link.close().await;
    Ok(false)
}

/// Whether a device gets in after its certificate is taken back, in a TLS session that resumes one from before.
pub(super) async fn lets_in_resumed(cloud: &Running, device: &Device) -> anyhow::Result<bool> {
    let mut tls: ClientConfig = Arc::unwrap_or_clone(cloud.tls(device));
    tls.resumption = Resumption::in_memory_sessions(8);
    let tls = Arc::new(tls);
    let (endpoint, name) = (cloud.endpoint(), device.id().to_string());
    let open = async || RawClient::open(&endpoint.host, endpoint.port, Arc::clone(&tls)).await;
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let mut client = open().await?;
        let (answer, kind) = (client.connect(&name).await, client.handshake_kind());
        anyhow::ensure!(answer == Some(0), "a good certificate is answered {answer:?} after {kind:?}");
        anyhow::ensure!(kind == Some(expected), "the handshake was {kind:?}, not {expected:?}");
    }
    take_back(cloud, device).await?;
    // A broker has done with its list when it lets a whole handshake in no more.
    wait_until("the endpoint knows", SOON, async || {
        let whole = RawClient::open(&endpoint.host, endpoint.port, cloud.tls(device)).await;
        let answer = match whole {
            Ok(mut whole) => whole.connect(&name).await,
            Err(_) => None,
        };
        Ok((answer != Some(0)).then_some(()))
    })
    .await?;
    let Ok(mut client) = open().await else { return Ok(false) };
    let (answer, kind) = (client.connect(&name).await, client.handshake_kind());
    // With its list Mosquitto takes new keys for its sessions, too: nothing from before is resumed.
    let expected = if cloud.mosquitto.is_some() { HandshakeKind::Full } else { HandshakeKind::Resumed };
    anyhow::ensure!(kind == Some(expected), "the handshake was {kind:?} and answered {answer:?}");
    Ok(answer == Some(0))
}
