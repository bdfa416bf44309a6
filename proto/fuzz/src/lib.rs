//! Every decoder of `gatelodge-proto` as a function over bytes: it says whether the bytes were good, and panics when a
//! promise of the decoder does not hold. `fuzz_targets` feeds them to libFuzzer, `tests/it/fuzz.rs` feeds them the
//! committed corpora and mutants of them.

mod consent;

use std::{
    fmt::{Debug, Display},
    io::Write as _,
    str::FromStr,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use gatelodge_proto::{
    CertificateSerial, DeviceId, Timestamp,
    api::{self, Page, SessionView},
    enrol,
    grant::{GrantKey, SignedGrant},
    identity::{ClaimSecret, EmailAddress, IdCode, Label, MacAddress, OnSiteCode, SerialNumber, WebAddress},
    link::Endpoint,
    payload::{self, Correlation, DeviceState, Placed, ServiceName},
    recording::Scan,
    session::{
        Role,
        files::FileFrame,
        finds::{FindFrame, Said},
        handshake::Identity,
        inner_frame::{self, InnerFrame},
        mux::{Event, Mux, Settings},
        relay_frame::{self, Passing, RelayFrame},
        terminal::{self, TerminalFrame},
    },
    settings::{self, Key},
    topics::{self, Topic},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use consent::{proof, standing_rule};

/// Feeds bytes to a decoder; whether they were good.
pub type Target = fn(&[u8]) -> bool;

/// Every target by its name, which is that of its folder in `corpus`.
pub const TARGETS: [(&str, Target); 41] = [
    ("id_code", id_code),
    ("mac", mac),
    ("serial", serial),
    ("email", email),
    ("web_address", web_address),
    ("claim_secret", claim_secret),
    ("on_site_code", on_site_code),
    ("label", label),
    ("device_id", device_id),
    ("certificate_serial", certificate_serial),
    ("timestamp", timestamp),
    ("service_name", service_name),
    ("endpoint", endpoint),
    ("topic", topic),
    ("correlation", correlation),
    ("report", report),
    ("status", status),
    ("event", event),
    ("renew", renew),
    ("result", result),
    ("command", command),
    ("receipt", receipt),
    ("device_state", device_state),
    ("enrol_request", enrol_request),
    ("enrol_answer", enrol_answer),
    ("standing", standing),
    ("session_request", session_request),
    ("session_page", session_page),
    ("problem", problem),
    ("grant", grant),
    ("proof", proof),
    ("standing_rule", standing_rule),
    ("relay_frame", relay_frame),
    ("inner_frame", inner_frame),
    ("file_frame", file_frame),
    ("terminal_frame", terminal_frame),
    ("recording", recording),
    ("find_frame", find_frame),
    ("mux", mux),
    ("identity_pem", identity_pem),
    ("settings", settings_file),
];

/// Text that is good is written in one way, and that way is good and means the same.
fn written<T: FromStr + PartialEq>(data: &[u8], longest: usize, write: impl Fn(&T) -> String) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(value) = text.parse::<T>() else { return false };
    let canonical = write(&value);
    assert!(canonical.len() <= longest, "`{canonical}` is longer than {longest}");
    assert!(!canonical.contains(|c: char| c.is_control()), "`{canonical:?}` holds a control character");
    let again = canonical.parse::<T>();
    assert!(again.as_ref().is_ok_and(|again| *again == value), "`{canonical}` does not mean itself");
    assert!(again.is_ok_and(|again| write(&again) == canonical), "`{canonical}` is written in two ways");
    true
}

fn shown<T: FromStr + PartialEq + Display>(data: &[u8], longest: usize) -> bool {
    written::<T>(data, longest, ToString::to_string)
}

/// ID codes of labels.
pub fn id_code(data: &[u8]) -> bool {
    shown::<IdCode>(data, 32)
}

/// MAC addresses.
pub fn mac(data: &[u8]) -> bool {
    shown::<MacAddress>(data, 17)
}

/// Serial numbers, which devices choose themselves.
pub fn serial(data: &[u8]) -> bool {
    shown::<SerialNumber>(data, 64)
}

/// E-mail addresses.
pub fn email(data: &[u8]) -> bool {
    shown::<EmailAddress>(data, 254)
}

/// Web addresses of installations.
pub fn web_address(data: &[u8]) -> bool {
    shown::<WebAddress>(data, 40)
}

/// Label secrets.
pub fn claim_secret(data: &[u8]) -> bool {
    written::<ClaimSecret>(data, 64, ClaimSecret::reveal)
}

/// On-site codes.
pub fn on_site_code(data: &[u8]) -> bool {
    written::<OnSiteCode>(data, 16, OnSiteCode::reveal)
}

/// What a label's QR says.
pub fn label(data: &[u8]) -> bool {
    shown::<Label>(data, 128)
}

/// Ids, all of one shape.
pub fn device_id(data: &[u8]) -> bool {
    shown::<DeviceId>(data, 36)
}

/// Serial numbers of certificates.
pub fn certificate_serial(data: &[u8]) -> bool {
    shown::<CertificateSerial>(data, 64)
        && std::str::from_utf8(data).ok().and_then(|text| text.parse::<CertificateSerial>().ok()).is_some_and(
            |serial| {
                assert_eq!(CertificateSerial::from_bytes(&serial.to_bytes()), serial);
                true
            },
        )
}

/// Dates and times.
pub fn timestamp(data: &[u8]) -> bool {
    shown::<Timestamp>(data, 40)
}

/// Names of services.
pub fn service_name(data: &[u8]) -> bool {
    written::<ServiceName>(data, 64, |name| name.as_str().to_owned())
}

/// Addresses of device endpoints.
pub fn endpoint(data: &[u8]) -> bool {
    // A host of any length; whoever resolves it has the limit.
    shown::<Endpoint>(data, usize::MAX)
}

/// MQTT topics. What a device may publish is one of its own, and never a filter.
pub fn topic(data: &[u8]) -> bool {
    let good = shown::<Topic>(data, 120);
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(Topic::Up(device, _) | Topic::Down(device, _)) = text.parse()
    {
        let up = text.contains("/up/");
        assert_eq!(topics::may_publish(device, text), up, "{text}");
        assert_eq!(topics::may_subscribe(device, text), !up, "{text}");
        assert!(!text.contains(['#', '+', '$']), "{text}");
    }
    good
}

/// Correlations of receipts.
pub fn correlation(data: &[u8]) -> bool {
    shown::<Correlation>(data, 64)
}

/// A message that is good says the same after it was written again.
fn json<T: DeserializeOwned + Serialize + PartialEq + Debug>(data: &[u8]) -> bool {
    let Ok(value) = payload::decode::<T>(data) else { return false };
    let written = payload::encode(&value);
    // Escapes and numbers may take more room than they came in; what is over the limit is refused, not cut.
    if written.len() <= payload::MAX_BYTES {
        assert_eq!(payload::decode::<T>(&written).as_ref(), Ok(&value));
    }
    true
}

/// Reports.
pub fn report(data: &[u8]) -> bool {
    json::<Placed<payload::Report>>(data)
}

/// Presence, also the last will.
pub fn status(data: &[u8]) -> bool {
    json::<payload::Status>(data)
}

/// Events.
pub fn event(data: &[u8]) -> bool {
    json::<Placed<payload::Event>>(data)
}

/// Requests for the next certificate.
pub fn renew(data: &[u8]) -> bool {
    json::<Placed<payload::Renew>>(data)
}

/// Outcomes of commands.
pub fn result(data: &[u8]) -> bool {
    json::<Placed<payload::CommandResult>>(data)
}

/// Commands.
pub fn command(data: &[u8]) -> bool {
    json::<payload::Command>(data)
}

/// Receipts.
pub fn receipt(data: &[u8]) -> bool {
    json::<payload::Receipt>(data)
}

/// What a device keeps of its registration.
pub fn device_state(data: &[u8]) -> bool {
    json::<DeviceState>(data)
}

/// Requests for enrolment.
pub fn enrol_request(data: &[u8]) -> bool {
    json::<enrol::Request>(data)
}

/// Answers to them.
pub fn enrol_answer(data: &[u8]) -> bool {
    json::<enrol::Answer>(data)
}

/// Where a key stands.
pub fn standing(data: &[u8]) -> bool {
    json::<enrol::Standing>(data)
}

/// Requests for sessions.
pub fn session_request(data: &[u8]) -> bool {
    json::<api::SessionRequest>(data)
}

/// Lists of sessions.
pub fn session_page(data: &[u8]) -> bool {
    json::<Page<SessionView>>(data)
}

/// Problems (RFC 9457).
pub fn problem(data: &[u8]) -> bool {
    json::<api::Problem>(data)
}

/// Signed grants: good ones say the same again, and the key decides, nothing else.
pub fn grant(data: &[u8]) -> bool {
    let Some((key, text)) = std::str::from_utf8(data).ok().and_then(|text| text.split_once('\n')) else { return false };
    let (Ok(key), Ok(signed)) = (key.parse::<GrantKey>(), text.parse::<SignedGrant>()) else { return false };
    assert_eq!(signed.as_str(), text);
    let Ok(grant) = signed.verify(&key) else { return false };
    assert_eq!(signed.verify(&key), Ok(grant), "a grant that was good is not good any more");
    true
}

/// Frames of the relay. What it passes on unread is what it would read as DATA, or as ACK or SYNC and nothing more.
pub fn relay_frame(data: &[u8]) -> bool {
    let passing = Passing::of(data);
    let Ok(frame) = RelayFrame::decode(Bytes::copy_from_slice(data)) else { return false };
    match (&frame, passing) {
        (Some(RelayFrame::Data { payload, .. }), Passing::Data(length)) => assert_eq!(payload.len(), length),
        (Some(RelayFrame::Data { .. }), _) => panic!("DATA is not passed on: {passing:?}"),
        (Some(word @ (RelayFrame::Ack { .. } | RelayFrame::Sync { .. })), passing) => {
            let expected = if word.encode().len() == data.len() { Passing::Word } else { Passing::No };
            assert_eq!(passing, expected);
        }
        (_, Passing::No) => {}
        (other, passing) => panic!("{other:?} is passed on as {passing:?}"),
    }
    let Some(frame) = frame else { return true };
    let written = frame.encode();
    assert!(written.len() <= relay_frame::MAX_BYTES, "{} bytes", written.len());
    assert_eq!(RelayFrame::decode(written), Ok(Some(frame)));
    true
}

/// Frames inside the session's TLS: any cut of the bytes gives the same frames.
pub fn inner_frame(data: &[u8]) -> bool {
    let Some(whole) = frames(&mut BytesMut::from(data)) else { return false };
    let (mut parts, mut again) = (BytesMut::new(), Vec::new());
    for part in data.chunks(3) {
        parts.extend_from_slice(part);
        again.extend(frames(&mut parts).expect("the same bytes were good in one piece"));
    }
    assert_eq!(whole, again);
    for frame in whole {
        let written = frame.encode();
        assert!(written.len() <= inner_frame::MAX_BYTES, "{} bytes", written.len());
        assert_eq!(InnerFrame::take(&mut BytesMut::from(&written[..])), Ok(Some(frame)));
    }
    true
}

/// What travels on a terminal's stream.
pub fn terminal_frame(data: &[u8]) -> bool {
    let mut buffer = BytesMut::from(data);
    let mut good = false;
    loop {
        match TerminalFrame::take(&mut buffer) {
            Ok(Some(frame)) => {
                let written = frame.encode();
                assert!(written.len() <= terminal::HEADER + terminal::MAX_BODY, "{} bytes", written.len());
                assert_eq!(TerminalFrame::take(&mut BytesMut::from(&written[..])), Ok(Some(frame)));
                good = true;
            }
            Ok(None) => return good,
            Err(_) => return false,
        }
    }
}

/// The file of a recording, followed in one piece and byte by byte.
pub fn recording(data: &[u8]) -> bool {
    let (mut whole, mut parts) = (Scan::default(), Scan::default());
    let fed = whole.feed(data);
    let again = data.iter().try_for_each(|byte| parts.feed(std::slice::from_ref(byte)));
    assert_eq!(fed, again);
    assert!(whole.whole() <= data.len() as u64);
    if fed.is_ok() {
        assert_eq!((whole.head(), whole.whole(), whole.ended()), (parts.head(), parts.whole(), parts.ended()));
        if let Some(head) = whole.head() {
            assert!(data.starts_with(&head.encode()));
        }
    }
    fed.is_ok() && whole.ended()
}

fn frames(buffer: &mut BytesMut) -> Option<Vec<InnerFrame>> {
    let mut frames = Vec::new();
    loop {
        match InnerFrame::take(buffer) {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return Some(frames),
            Err(_) => return None,
        }
    }
}

/// A find that was read is written as it was read, and what it says of itself is said alike when it is read again.
pub fn find_frame(data: &[u8]) -> bool {
    let mut buffer = BytesMut::from(data);
    let mut good = false;
    while let Ok(frame) = FindFrame::take(&mut buffer) {
        let Some(frame) = frame else { return good };
        if let FindFrame::Found(find) = &frame {
            for said in [&find.name, &find.what] {
                assert_eq!(Said::of(said.as_str().as_bytes()), *said);
            }
        }
        let mut again = BytesMut::from(&frame.encode()[..]);
        assert_eq!(FindFrame::take(&mut again), Ok(Some(frame)));
        good = true;
    }
    false
}

/// Frames of a file on its way: any cut of the bytes gives the same frames.
pub fn file_frame(data: &[u8]) -> bool {
    let all = |buffer: &mut BytesMut| {
        let mut frames = Vec::new();
        while let Some(frame) = FileFrame::take(buffer).ok()? {
            frames.push(frame);
        }
        Some(frames)
    };
    let Some(whole) = all(&mut BytesMut::from(data)) else { return false };
    let (mut parts, mut again) = (BytesMut::new(), Vec::new());
    for part in data.chunks(3) {
        parts.extend_from_slice(part);
        again.extend(all(&mut parts).expect("the same bytes were good in one piece"));
    }
    assert_eq!(whole, again);
    for frame in whole {
        assert_eq!(FileFrame::take(&mut BytesMut::from(&frame.encode()[..])), Ok(Some(frame)));
    }
    true
}

/// The streams of a session's device, whatever the technician's side sends: bounded, and what it answers is good.
pub fn mux(data: &[u8]) -> bool {
    let mut now = Instant::now();
    let mut mux = Mux::new(Role::Device, Settings::DEVICE, now);
    let Some(frames) = frames(&mut BytesMut::from(data)) else { return false };
    for frame in frames {
        now += Duration::from_millis(100);
        if mux.handle(frame, now).is_err() {
            return false;
        }
        while let Some(event) = mux.poll_event() {
            match event {
                Event::Opening { stream, .. } if stream % 3 == 0 => {
                    mux.refuse(stream, inner_frame::OpenError::NotAllowed);
                }
                Event::Opening { stream, .. } => {
                    mux.accept(stream, Duration::ZERO, String::new()).expect("it was just asked for");
                }
                Event::Data { stream, payload } => mux.consumed(stream, payload.len(), now),
                Event::Finished { stream } => mux.finish(stream),
                _ => {}
            }
        }
        assert!(mux.open_streams() <= Settings::DEVICE.max_streams, "{} streams", mux.open_streams());
        mux.handle_timeout(now);
        let mut out = BytesMut::new();
        while mux.poll_transmit(&mut out, 64 * 1024) {}
        assert!(self::frames(&mut out).is_some() && out.is_empty(), "it answers with what is no frame");
    }
    true
}

/// Key and chain in PEM.
pub fn identity_pem(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(identity) = Identity::from_pem(text) else { return false };
    assert!(!identity.chain.is_empty());
    true
}

const KEYS: [Key; 3] = [
    Key::new("name", Some("\"lodge\""), "A text."),
    Key::new("limits.minutes", Some("15"), "A number."),
    Key::new("limits.note", None, "A text that may be missing."),
];

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Set {
    name: String,
    limits: Limits,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Limits {
    minutes: u32,
    note: Option<String>,
}

/// Settings files: what no key names is refused, and what is refused says where.
pub fn settings_file(data: &[u8]) -> bool {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(data).expect("it is written");
    match settings::load::<Set>("FUZZ", &KEYS, Some(file.path()), []) {
        Ok(set) => {
            let text = String::from_utf8_lossy(data);
            assert!(!text.is_empty() || set.name == "lodge", "an empty file changes something");
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}
