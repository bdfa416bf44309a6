//! The relay's web socket: handshakes, frames of the web socket, and the first frame of a leg.

use anyhow::Context as _;
use futures_util::future::join_all;
use gatelodge_proto::{
    api::RELAY_PATH,
    session::{
        Role, VERSION,
        relay_frame::{Hello, RelayError, RelayFrame},
    },
};
use gatelodge_tests::cloud::TestCloud;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::{PATIENCE, Right, answer, serves_on, started, tls};

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn handshake(method: &str, headers: &str) -> Vec<u8> {
    let head = format!("{method} {RELAY_PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n");
    format!("{head}Upgrade: websocket\r\n{headers}\r\n").into_bytes()
}

/// A frame as a client sends it, masked with zeros (RFC 6455 section 5.2).
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match u16::try_from(payload.len()) {
        Ok(short @ ..126) => bytes.push(0x80 | u8::try_from(short).unwrap()),
        Ok(long) => {
            bytes.push(0x80 | 0x7e);
            bytes.extend(long.to_be_bytes());
        }
        Err(_) => {
            bytes.push(0x80 | 0x7f);
            bytes.extend(u64::try_from(payload.len()).unwrap().to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const PING: u8 = 0x89;
const CLOSE: u8 = 0x88;

fn hello(version: u16, ticket: &str) -> Vec<u8> {
    let hello =
        Hello { version, role: Role::Technician, carrier: 0, ticket: ticket.into(), resume: None, pledge: None };
    RelayFrame::Hello(hello).encode().to_vec()
}

/// What the relay says before it closes: nothing of its own, or one error.
async fn said(cloud: &TestCloud, bytes: &[u8]) -> anyhow::Result<Option<RelayError>> {
    let mut stream = tls(cloud).await?;
    stream.write_all(&handshake("GET", &format!("{KEY}Sec-WebSocket-Version: 13\r\n"))).await?;
    let mut heard = Vec::new();
    while !heard.windows(4).any(|four| four == b"\r\n\r\n") {
        anyhow::ensure!(stream.read_buf(&mut heard).await? > 0, "no web socket");
    }
    anyhow::ensure!(heard.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&heard));
    heard.clear();
    let _ = stream.write_all(bytes).await;
    // A reset ends it as well as a farewell.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut heard)).await.context("the connection stays open")?;
    let mut said = None;
    let mut rest = heard.as_slice();
    while let [first, length, after @ ..] = rest {
        let (payload, next) = after.split_at_checked(usize::from(*length)).context("half a frame")?;
        if *first == BINARY {
            match RelayFrame::decode(bytes::Bytes::copy_from_slice(payload))? {
                Some(RelayFrame::Error { code, .. }) => said = Some(code),
                other => anyhow::bail!("the relay says {other:?}"),
            }
        }
        rest = next;
    }
    Ok(said)
}

#[tokio::test]
async fn handshakes_that_are_none_are_refused() -> anyhow::Result<()> {
    let (cloud, _) = started().await?;
    let version = "Sec-WebSocket-Version: 13\r\n";
    let rows = vec![
        ("without a key", handshake("GET", version), Right::Status(400)),
        ("without a version", handshake("GET", KEY), Right::Status(400)),
        ("of version 8", handshake("GET", &format!("{KEY}Sec-WebSocket-Version: 8\r\n")), Right::Status(400)),
        ("by POST", handshake("POST", &format!("{KEY}{version}Content-Length: 0\r\n")), Right::Status(405)),
        (
            "from a page",
            handshake("GET", &format!("{KEY}{version}Origin: https://elsewhere.example\r\n")),
            Right::Status(403),
        ),
    ];
    for (what, bytes, right) in rows {
        let mut stream = tls(&cloud).await?;
        stream.write_all(&bytes).await?;
        let answer = timeout(PATIENCE, answer(&mut stream)).await.context(what)?;
        assert!(right.is(&answer), "{what}: {answer:?}, but {right:?} is right");
    }
    serves_on(&cloud).await
}

#[tokio::test]
async fn frames_that_break_the_rules_end_the_connection() -> anyhow::Result<()> {
    let (cloud, _) = started().await?;
    let protocol = Some(RelayError::Protocol);
    let ticket = "t".repeat(43);
    let whole = hello(VERSION, &ticket);
    let binary = |payload: &[u8]| frame(BINARY, payload);
    let unmasked = [&[BINARY, u8::try_from(whole.len())?][..], &whole].concat();
    let fragments = (0..40).flat_map(|part| frame(u8::from(part == 0) * 2, &[0; 4096])).collect();
    let rows: Vec<(&str, Vec<u8>, Option<RelayError>)> = vec![
        ("a frame without a mask", unmasked, None),
        ("a frame that claims a gigabyte", vec![BINARY, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0], None),
        ("a frame that claims all there is", [&[BINARY, 0xff][..], &[0xff; 12]].concat(), None),
        ("a frame of 100 KiB", binary(&vec![0; 100 << 10]), None),
        ("a message of many fragments", fragments, None),
        ("a ping in fragments", frame(0x09, b"a"), None),
        ("a ping of 126 bytes", frame(PING, &[0; 126]), None),
        ("a continuation of nothing", frame(0x80, b"a"), None),
        ("a message within a message", [frame(0x02, b"a"), binary(b"b")].concat(), None),
        ("an operation that is none", frame(0x83, b"a"), None),
        ("the reserved bits", frame(0xf2, b"a"), None),
        ("a farewell of one byte", frame(CLOSE, b"a"), None),
        ("a farewell with a reason that is no text", frame(CLOSE, &[0x03, 0xe8, 0xff]), None),
        ("text that is none", frame(TEXT, b"\xff\xfe"), None),
        ("text", frame(TEXT, b"hello"), protocol),
        ("an empty message", binary(b""), protocol),
        // Frames of later versions are passed over, and so is what later versions add to a frame.
        ("noise", binary(&[0xa5; 500]), None),
        ("half a HELLO", binary(&whole[..whole.len() / 2]), protocol),
        ("a HELLO and more", binary(&[&whole[..], b"more"].concat()), Some(RelayError::Ticket)),
        ("a ticket of 300 letters", binary(&hello(VERSION, &"t".repeat(300))), protocol),
        ("DATA before HELLO", binary(&RelayFrame::Data { seq: 0, payload: "x".into() }.encode()), protocol),
        ("another version", binary(&hello(VERSION + 1, &ticket)), Some(RelayError::Version)),
        ("a ticket of nobody", binary(&whole), Some(RelayError::Ticket)),
        ("no ticket", binary(&hello(VERSION, "")), Some(RelayError::Ticket)),
        ("nothing", Vec::new(), None),
        ("a ping and nothing more", frame(PING, b"a"), None),
    ];
    let tried = rows.into_iter().map(async |(what, bytes, right)| match said(&cloud, &bytes).await {
        Ok(said) if said == right => None,
        Ok(said) => Some(format!("{what}: {said:?}, but {right:?} is right")),
        Err(error) => Some(format!("{what}: {error:#}")),
    });
    let wrong: Vec<String> = join_all(tried).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    serves_on(&cloud).await
}
