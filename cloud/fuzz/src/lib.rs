//! What the cloud reads from files, pages and programs, as functions over bytes: each says whether the bytes were good,
//! and panics when a promise of the decoder does not hold. `fuzz_targets` feeds them to libFuzzer, `tests/it/fuzz.rs`
//! feeds them the committed corpora and mutants of them.

use std::sync::OnceLock;

use axum::{body::Body, extract::FromRequest as _};
use gatelodge_cloud::{
    audit::Actor,
    clock::Clock,
    config::Config,
    devices::service::{self, ProductInput},
    kits::Kits,
    pki::Csr,
    web::{self, Call, Form},
    wiring,
};
use gatelodge_proto::{Random, Timestamp, enrol};
use http::{HeaderMap, HeaderValue, Request, header};
use serde::Deserialize;
use tokio::runtime::Runtime;

/// Feeds bytes to a decoder; whether they were good.
pub type Target = fn(&[u8]) -> bool;

/// Every target by its name, which is that of its folder in `corpus`.
pub const TARGETS: [(&str, Target); 7] = [
    ("csr", csr),
    ("import", import),
    ("cookie", cookie),
    ("form", form),
    ("enrol_call", enrol_call),
    ("config_file", config_file),
    ("certificate_chain", certificate_chain),
];

struct Lodge {
    runtime: Runtime,
    kits: Kits,
    _folder: tempfile::TempDir,
}

/// A cloud's kits on a SQLite file of their own, for decoders that look into the catalogue.
fn lodge() -> &'static Lodge {
    static LODGE: OnceLock<Lodge> = OnceLock::new();
    LODGE.get_or_init(|| {
        // Whichever caller comes first decides; they all choose alike.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        let settings = [("GATELODGE__DATA_DIR".to_owned(), folder.path().display().to_string())];
        let config = Config::load(None, settings).expect("settings");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
        let clock = Clock::set_to(Timestamp::from_seconds(1_800_000_000));
        let kits = runtime.block_on(async {
            let kits = wiring::open_kits(config, clock, Random::seeded(1)).await.expect("kits");
            let product = ProductInput {
                reference: "AX-200".into(),
                name: "Alarm panel AX".into(),
                kind: "panel".into(),
                warranty_months: 24,
                label_help: "On the back.".into(),
            };
            service::add_product(&kits, product).await.expect("a product");
            kits.pki.make_batch("b1").expect("a batch");
            kits
        });
        Lodge { runtime, kits, _folder: folder }
    })
}

/// Waits for a future on a thread that may wait, whoever calls.
fn wait<T: Send>(future: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        scope.spawn(|| lodge().runtime.block_on(future)).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Certificate requests of devices and technicians: what is good holds a P-256 key and signs for it.
pub fn csr(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(csr) = Csr::parse(text) else { return false };
    assert_eq!(csr.pem(), text);
    assert_eq!(csr.spki().len(), 91, "no P-256 key has that length");
    assert_eq!(csr.thumbprint(), enrol::key_thumbprint(csr.spki()));
    true
}

/// Inventory files: each line is counted or named with its fault, and looking changes nothing.
pub fn import(data: &[u8]) -> bool {
    let kits = &lodge().kits;
    let look = async || service::import(kits, Actor::Operator("fuzz".into()), data, true).await;
    let Ok(done) = wait(async { look().await.map_err(|error| error.to_string()) }) else { return false };
    let lines = u64::try_from(data.split(|byte| *byte == b'\n').count()).expect("a count") + 1;
    assert!(done.faults.iter().all(|line| line.number <= lines), "{:?} of {lines} lines", done.faults);
    assert_eq!(done.unchanged, 0, "an earlier look has left something");
    let again = wait(async { look().await.expect("it was good a moment ago") });
    assert_eq!((again.added, again.faults.len()), (done.added, done.faults.len()));
    done.added > 0
}

/// Cookies: what is found is a part of what was sent.
pub fn cookie(data: &[u8]) -> bool {
    let Ok(line) = HeaderValue::from_bytes(data) else { return false };
    let mut headers = HeaderMap::new();
    headers.insert(header::COOKIE, line);
    let found = web::cookie(&headers, "__Host-gl-session").map(str::as_bytes);
    found.is_some_and(|found| {
        assert!(!found.contains(&b';'), "a cookie holds the next one");
        found.is_empty() || data.windows(found.len()).any(|part| part == found)
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    email: String,
    service: Vec<String>,
}

fn posted(kind: &'static str, data: &[u8]) -> Request<Body> {
    let request = Request::post("/").header(header::CONTENT_TYPE, kind).body(Body::from(data.to_vec()));
    request.expect("a request")
}

/// Posted forms: whatever a person typed arrives as text.
pub fn form(data: &[u8]) -> bool {
    let request = posted("application/x-www-form-urlencoded", data);
    let Ok(Form(fields)) = wait(Form::<Fields>::from_request(request, &())) else { return false };
    let longest = fields.service.iter().chain([&fields.email]).map(String::len).max().unwrap_or(0);
    // A byte that is no text becomes a sign of three bytes.
    assert!(longest <= 3 * data.len(), "{longest} bytes out of {}", data.len());
    true
}

/// JSON bodies of calls: what cannot be read is a problem of the caller's.
pub fn enrol_call(data: &[u8]) -> bool {
    let request = posted("application/json", data);
    match wait(Call::<enrol::Request>::from_request(request, &())) {
        Ok(Call(_)) => true,
        Err(problem) => {
            let status = axum::response::IntoResponse::into_response(problem).status();
            assert!(status.is_client_error(), "{status}");
            false
        }
    }
}

/// The cloud's settings file.
pub fn config_file(data: &[u8]) -> bool {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), data).expect("it is written");
    match Config::load(Some(file.path()), []) {
        Ok(config) => {
            assert_eq!(config.device_url.scheme(), "https");
            assert!(config.http.loopback.is_none_or(|loopback| loopback.ip().is_loopback()));
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

/// Chains of certificates as text.
pub fn certificate_chain(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    gatelodge_proto::session::handshake::certificates(text).is_ok_and(|chain| {
        assert!(!chain.is_empty());
        true
    })
}
