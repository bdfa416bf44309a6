//! HTTP: lines, headers, bodies and their lengths.

use gatelodge_proto::{api, enrol};

use super::{Right, serves_on, started, try_all};

fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").into_bytes()
}

fn post(path: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn json(path: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    post(path, "application/json", body.as_ref())
}

fn form(path: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    post(path, "application/x-www-form-urlencoded", body.as_ref())
}

fn chunked(path: &str, chunks: &str) -> Vec<u8> {
    let head = "HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    format!("POST {path} {head}{chunks}").into_bytes()
}

const FORGOTTEN: &str = "/api/v1/password/forgotten";
const SIGN_UP: &str = "/api/v1/sign-up";

#[tokio::test]
async fn malformed_requests_are_refused_and_nothing_breaks() -> anyhow::Result<()> {
    use Right::{Refused, Status};
    let (cloud, plain) = started().await?;
    let bad = |bytes: &[u8]| get("/sign-in", &format!("Cookie: {}\r\n", String::from_utf8_lossy(bytes)));
    let rows = vec![
        ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello".to_vec(), Refused),
        ("zeros", vec![0; 4096], Refused),
        ("an unknown version", b"GET / HTTP/7.3\r\nHost: localhost\r\n\r\n".to_vec(), Refused),
        ("a line without a version", b"GET /\r\n\r\n".to_vec(), Refused),
        ("a method that is none", b"G\x01T / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), Refused),
        ("an unknown method", b"BREW /sign-in HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), Status(405)),
        ("a path of 70,000 characters", get(&format!("/{}", "a".repeat(70_000)), ""), Status(414)),
        ("a header of a megabyte", get("/", &format!("X-Long: {}\r\n", "a".repeat(1 << 20))), Status(431)),
        ("200 headers", get("/", &"X-Many: 1\r\n".repeat(200)), Status(431)),
        ("a header without a colon", get("/", "no colon here\r\n"), Refused),
        ("a header with a zero in it", get("/", "X-Zero: a\0b\r\n"), Refused),
        ("a folded header", get("/", "X-Fold: a\r\n b\r\n"), Refused),
        ("a space before the colon", get("/", "Host : localhost\r\n"), Refused),
        ("two lengths", get("/", "Content-Length: 3\r\nContent-Length: 4\r\n"), Refused),
        ("a length that is none", get("/", "Content-Length: three\r\n"), Refused),
        ("a negative length", get("/", "Content-Length: -1\r\n"), Refused),
        ("a length beyond all numbers", get("/", "Content-Length: 99999999999999999999999\r\n"), Refused),
        ("an encoding that is none", get("/", "Transfer-Encoding: smoke\r\n"), Refused),
        ("headers that never end", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: a".to_vec(), Refused),
        ("half of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\xff\x63\x63\x63\x63\x63\x63".to_vec(), Refused),
        ("a frame of HTTP/2 that is too long", http2_frame_too_long(), Refused),
        ("a path with an encoded zero", get("/devices/%00", ""), Status(404)),
        ("a path with half a letter", get("/devices/%ff%fe", ""), Status(303)),
        ("a path that climbs", get("/assets/../../../etc/passwd", ""), Status(404)),
        ("a path that climbs, encoded", get("/assets/..%2f..%2fetc%2fpasswd", ""), Status(404)),
        ("a search with half a letter", get("/devices?search=%ff%e2%28", ""), Status(303)),
        ("cookies of 8,000 characters", bad(&[b'a'; 8000]), Status(200)),
        ("cookies that are none", bad(b";;=;__Host-gl-flash=%00;__Host-gl-language=~xx;=="), Status(200)),
        ("a cookie with a control character", bad(b"__Host-gl-language=\x7f"), Refused),
        ("a host that is none", b"GET /sign-in HTTP/1.1\r\nHost: \xf0\x9f\x98\x80\r\n\r\n".to_vec(), Status(200)),
        ("a form with half a letter", form("/sign-in", "email=%ff%fe&password=%zz"), Status(200)),
        ("a form that is none", post("/sign-in", "text/plain", b"email=a"), Status(400)),
        ("a form of a megabyte", form("/sign-in", vec![b'a'; 1 << 20]), Status(413)),
        ("a file without a boundary", post("/sign-in", "multipart/form-data", b"--x\r\n"), Status(400)),
    ];
    let wrong = try_all(plain, rows).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    serves_on(&cloud).await
}

#[tokio::test]
async fn malformed_calls_get_a_problem_that_says_what() -> anyhow::Result<()> {
    use Right::{Problem, Refused, Status};
    let (cloud, plain) = started().await?;
    let body = Problem(400, "invalid_body");
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let bearer = |token: &[u8]| {
        let mut bytes = b"GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ".to_vec();
        bytes.extend_from_slice(token);
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes
    };
    let more = r#"{"email":"a@example.com","role":"administrator","organisation":"vendor"}"#;
    let rows = vec![
        ("no JSON", json(FORGOTTEN, "{"), body),
        ("nothing", json(FORGOTTEN, ""), body),
        ("JSON of another shape", json(FORGOTTEN, "[1, 2]"), body),
        ("JSON 30,000 deep", json(FORGOTTEN, deep(30_000)), body),
        ("JSON 127 deep", json(FORGOTTEN, deep(127)), body),
        ("half a letter", json(FORGOTTEN, b"{\"email\":\"\xff\xfe\"}"), body),
        ("half a surrogate", json(FORGOTTEN, r#"{"email":"\ud800"}"#), body),
        ("a number beyond all numbers", json(FORGOTTEN, r#"{"email":1e999999}"#), body),
        ("the same key twice", json(FORGOTTEN, r#"{"email":"a@example.com","email":"b@example.com"}"#), body),
        ("keys that nobody asked for", json(FORGOTTEN, more), body),
        ("not said to be JSON", post(FORGOTTEN, "text/plain", b"{}"), Problem(415, "invalid_body")),
        ("a body of 2 MiB", json(SIGN_UP, vec![b' '; 2 << 20]), Status(413)),
        ("a chunk that is none", chunked(FORGOTTEN, "zz\r\n{}\r\n0\r\n\r\n"), Refused),
        ("a chunk beyond all numbers", chunked(FORGOTTEN, "fffffffffffffffff1\r\n{}\r\n0\r\n\r\n"), Refused),
        ("a chunk longer than it says", chunked(FORGOTTEN, "1\r\n{}{}{}\r\n0\r\n\r\n"), Refused),
        (
            "a chunk with a megabyte of extension",
            chunked(FORGOTTEN, &format!("1;{}\r\n", "x".repeat(1 << 20))),
            Refused,
        ),
        ("chunks without an end", chunked(FORGOTTEN, "2\r\n{}\r\n"), Right::Status(400)),
        ("a body shorter than it says", half_a_body(), Right::Status(400)),
        ("a token that is no text", bearer(b"\xff\xfe"), Status(401)),
        ("a token of 60,000 characters", bearer(&[b'a'; 60_000]), Status(401)),
        ("an enrolment that is none", json(enrol::PATH, r#"{"csr":"","proof":{"kind":"none"}}"#), body),
        ("an enrolment 5,000 deep", json(enrol::PATH, deep(5_000)), body),
        ("an enrolment of 2 MiB", json(enrol::PATH, vec![b' '; 2 << 20]), Status(413)),
        ("a session that is none", json(api::SESSIONS_PATH, "{"), Status(401)),
    ];
    let wrong = try_all(plain, rows).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    serves_on(&cloud).await
}

fn half_a_body() -> Vec<u8> {
    let mut bytes = json(FORGOTTEN, vec![b' '; 1000]);
    bytes.truncate(bytes.len() - 900);
    bytes
}

/// The preface, SETTINGS, and HEADERS that claim 16 MiB (RFC 9113 section 4.2).
fn http2_frame_too_long() -> Vec<u8> {
    [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &[0, 0, 0, 4, 0, 0, 0, 0, 0], &[0xff, 0xff, 0xff, 1, 4, 0, 0, 0, 1]]
        .concat()
}
