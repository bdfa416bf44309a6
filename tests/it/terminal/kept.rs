//! What the cloud keeps of recordings: taken in pieces and once, readable by two organisations, deleted in time; and what a
//! killed session left on the device.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use gatelodge_cloud::{
    accounts::SignedIn,
    db::DbError,
    kits::Kits,
    recordings::{
        prune,
        receive::{Bringing, NotTaken},
        service::{self, NotGiven},
    },
    sessions::{decide, join, model::Credential, request},
};
use gatelodge_proto::{
    FlowId, SessionId,
    api::SessionRequest,
    payload::{Consent, Feature, Order},
    recording::{Head, KeyId, PUBLIC_KEY, Received, Recipient, TAG, WRAPPED_KEY, Whole, chunk_head},
};
use gatelodge_tests::wait::wait_until;
use sha2::{Digest as _, Sha256};

use super::{SOON, processes_with, scene, with_terminal};
use crate::{
    cast::{self, Cast},
    sessions::wish,
};

fn file(session: SessionId, recording: FlowId, ended: bool) -> Vec<u8> {
    let recipient = Recipient { key: KeyId([1; 16]), ephemeral: [4; PUBLIC_KEY], wrapped: [2; WRAPPED_KEY] };
    let mut bytes = Head { session, recording, recipients: vec![recipient] }.encode();
    for (length, last) in [(900, false), (0, ended)] {
        bytes.extend(chunk_head(TAG + length, last));
        bytes.resize(bytes.len() + TAG + length, 9);
    }
    bytes
}

fn whole(bytes: &[u8]) -> Whole {
    let sha256 = Sha256::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    Whole { bytes: bytes.len() as u64, sha256 }
}

struct Joined {
    session: SessionId,
    credential: Credential,
    readers: [SignedIn; 2],
}

async fn joined(cast: &Cast) -> anyhow::Result<Joined> {
    let kits = cast.kits();
    let marc = cast.installer("marc@example.com").await?;
    let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
    cast.keyed(marc.member().organisation_id, "boss@example.com").await?;
    cast.keyed(rosa.member().organisation_id, "head@example.com").await?;
    let terminal = SessionRequest { services: Vec::new(), features: vec![Feature::Terminal], ..wish(prop) };
    let session = request::request(kits, &marc, terminal).await?.view.id;
    decide::approve(kits, &rosa, session).await?;
    let grant = join::join(kits, &marc, session).await?.grant.verify(&kits.pki.grant_public_key())?;
    let recipients: Vec<_> = grant.recording.iter().map(|recipient| recipient.organisation).collect();
    assert_eq!(recipients, [rosa.member().organisation_id, marc.member().organisation_id]);
    let credential = cast.orders(prop.id).await?.into_iter().find_map(|order| match order {
        Order::OpenSession(order) => order.recording,
        _ => None,
    });
    let credential = credential.context("no credential in the order")?.parse()?;
    Ok(Joined { session, credential, readers: [marc.signed_in().clone(), rosa.signed_in().clone()] })
}

async fn bringing(kits: &Kits, credential: &Credential, recording: FlowId) -> Result<Bringing, NotTaken> {
    Bringing::by(kits, credential, recording).await
}

#[tokio::test]
async fn a_recording_comes_in_pieces_is_taken_once_and_goes_when_its_time_is_over() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let (kits, Joined { session, credential, readers }) = (cast.kits(), joined(&cast).await?);
        let recording = FlowId::make(kits.now(), &kits.random);
        let bytes = file(session, recording, true);
        let stranger = Credential::from_bytes([3; 32]);
        assert!(matches!(bringing(kits, &stranger, recording).await, Err(NotTaken::Unknown)));

        let bring = bringing(kits, &credential, recording).await?;
        assert_eq!(bring.standing().await?, Received { bytes: 0, taken: false });
        assert_eq!(bring.bytes(0, Bytes::copy_from_slice(&bytes[..100])).await?.bytes, 100);
        // A device that was killed asks where to go on; what comes twice, or too early, changes nothing.
        let again = bringing(kits, &credential, recording).await?;
        assert_eq!(again.standing().await?.bytes, 100);
        assert_eq!(again.bytes(0, Bytes::copy_from_slice(&bytes[..50])).await?.bytes, 100);
        assert_eq!(again.bytes(100, Bytes::copy_from_slice(&bytes[100..])).await?.bytes, bytes.len() as u64);
        assert_eq!(service::list(kits, readers[0].member(), None, None, 10).await?, []);
        let spoilt = Whole { sha256: "00".repeat(32), ..whole(&bytes) };
        assert_eq!(again.whole(&spoilt).await?, Received { bytes: 0, taken: false }, "it comes once more");
        again.bytes(0, Bytes::copy_from_slice(&bytes)).await?;
        for _ in 0..2 {
            let bring = bringing(kits, &credential, recording).await?;
            assert_eq!(bring.whole(&whole(&bytes)).await?, Received { bytes: bytes.len() as u64, taken: true });
        }

        let other = cast.installer("other@example.com").await?;
        assert!(matches!(service::open(kits, other.member(), recording).await, Err(NotGiven::Unknown)));
        assert!(service::one(kits, other.member(), recording).await?.is_none());
        for reader in &readers {
            let listed = service::list(kits, reader.member(), Some(session), None, 10).await?;
            assert_eq!(listed.iter().map(|row| (row.id, row.cut_short)).collect::<Vec<_>>(), [(recording, false)]);
            let mut given = Vec::new();
            std::io::Read::read_to_end(&mut service::open(kits, reader.member(), recording).await?, &mut given)?;
            assert_eq!(given, bytes);
        }
        assert_eq!(cast.count("SELECT count(*) FROM audit_row WHERE what = 'recording_taken'").await?, 1);
        assert_eq!(cast.count("SELECT count(*) FROM audit_row WHERE what = 'recording_opened'").await?, 2);

        cast.test.pass(Duration::from_secs(364 * 86_400));
        prune::prune(kits).await?;
        assert!(service::one(kits, readers[0].member(), recording).await?.is_some());
        cast.test.pass(Duration::from_secs(2 * 86_400));
        prune::prune(kits).await?;
        assert!(service::one(kits, readers[0].member(), recording).await?.is_none());
        assert_eq!(std::fs::read_dir(kits.config.data_dir.join("recordings"))?.count(), 0);
        assert_eq!(cast.count("SELECT count(*) FROM audit_row WHERE what = 'recording_deleted'").await?, 1);
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_recording_of_that_session_is_never_taken() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let (kits, Joined { session, credential, .. }) = (cast.kits(), joined(&cast).await?);
        let make = || FlowId::make(kits.now(), &kits.random);
        let other = SessionId::make(kits.now(), &kits.random);
        let (first, second, third) = (make(), make(), make());
        let half = file(session, third, false)[..500].to_vec();
        for (recording, bytes) in [(first, b"#!/bin/sh".to_vec()), (second, file(other, second, true)), (third, half)] {
            let bring = bringing(kits, &credential, recording).await?;
            bring.bytes(0, Bytes::from(bytes.clone())).await?;
            let bring = bringing(kits, &credential, recording).await?;
            assert!(matches!(bring.whole(&whole(&bytes)).await, Err(NotTaken::NoRecording)));
            assert_eq!(bring.standing().await?.bytes, 0);
        }
        let bring = bringing(kits, &credential, make()).await?;
        let beyond = u64::from(kits.config.recordings.max_mib) << 20;
        assert!(matches!(bring.bytes(beyond, Bytes::from_static(b"x")).await, Err(NotTaken::TooLong(_))));
    }
    Ok::<_, DbError>(()).map_err(Into::into)
}

#[tokio::test]
async fn what_a_killed_session_had_recorded_comes_to_the_cloud_and_says_that_its_end_is_missing() -> anyhow::Result<()>
{
    let mut scene = scene(with_terminal("nobody")).await?;
    let mut process = scene.shell("echo before the kill; sleep 82001").await?;
    process.wait_for_line("before the kill", SOON).await.with_context(|| scene.logs(&process))?;
    // The session's own process, and the agent with it.
    let sockets = scene.stage.agent.state_dir().join("sessions");
    let socket = std::fs::read_dir(&sockets)?.next().context("no session")??.path();
    let peer = rustix::net::sockopt::socket_peercred(&std::os::unix::net::UnixStream::connect(socket)?)?.pid;
    scene.stage.agent.kill()?;
    rustix::process::kill_process(peer, rustix::process::Signal::KILL)?;
    wait_until("the terminal dies with its session", SOON, async || {
        Ok((processes_with("sleep 82001") == 0).then_some(()))
    })
    .await?;
    assert!(scene.stage.cloud.data_dir().join("recordings").read_dir().is_err(), "nothing has come yet");
    scene.stage.agent.run()?;
    let files = scene.taken(1).await?;
    let opened = scene.customer.open(&std::fs::read(&files[0])?)?;
    assert!(opened.text("o").contains("before the kill") && !opened.ended, "{opened:?}");
    scene.stage.customer.wait_for("/sessions/recordings", "The end is missing", SOON).await
}
