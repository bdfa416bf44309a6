//! A proxy that keeps to the RFCs, with each way to ask who is there, and what programs make of it.

use std::{net::SocketAddr, sync::Arc};

use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    task::JoinSet,
};

use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Nothing,
    Basic,
    Digest(&'static str),
    /// And says of the first answer that its nonce is stale.
    Stale,
    /// And closes the connection with each refusal, as HTTP/1.0 does.
    Closing,
    Ntlm,
    Forbids,
    /// Speaks no HTTP.
    Mumbles,
}

/// A proxy for `Mufasa`, `Circle of Life`; it ends with the tasks.
async fn proxy(asks: Asks, tasks: &mut JoinSet<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tasks.spawn(async move {
        // How often it was asked, over all connections.
        let mut asked = 0;
        while let Ok((tcp, _)) = listener.accept().await {
            let mut tcp = BufReader::new(tcp);
            while let Some((target, authorization)) = question(&mut tcp).await {
                asked += 1;
                let (status, more) = judge(asks, asked, &target, authorization.as_deref());
                let closes = matches!(asks, Asks::Closing | Asks::Mumbles);
                let version = if closes { "1.0" } else { "1.1" };
                if status == 200 {
                    tcp.write_all(b"HTTP/1.1 200 Connection established\r\nVia: proxy\r\n\r\n").await.unwrap();
                    if let Ok(mut far) = TcpStream::connect(&target).await {
                        let _ = tokio::io::copy_bidirectional(&mut tcp, &mut far).await;
                    }
                    break;
                }
                let answer = if asks == Asks::Mumbles {
                    "SSH-2.0-OpenSSH\r\n\r\n".to_owned()
                } else {
                    format!("HTTP/{version} {status} Not now\r\n{more}Content-Length: 5\r\n\r\nsorry")
                };
                tcp.write_all(answer.as_bytes()).await.unwrap();
                if closes {
                    break;
                }
            }
        }
    });
    at
}

/// A CONNECT, strictly: its target twice, and a whole head.
async fn question(tcp: &mut BufReader<TcpStream>) -> Option<(String, Option<String>)> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if tcp.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.strip_suffix("\r\n").expect("lines end as HTTP's do");
        if line.is_empty() {
            break;
        }
        lines.push(line.to_owned());
    }
    let target = lines[0].strip_prefix("CONNECT ")?.strip_suffix(" HTTP/1.1")?.to_owned();
    assert!(lines.contains(&format!("Host: {target}")), "{lines:?}");
    let authorization = lines.iter().find_map(|line| line.strip_prefix("Proxy-Authorization: ").map(str::to_owned));
    Some((target, authorization))
}

fn judge(asks: Asks, asked: u32, target: &str, authorization: Option<&str>) -> (u16, String) {
    let challenge = |value: String| (407, format!("Proxy-Authenticate: {value}\r\n"));
    let algorithm = match asks {
        Asks::Nothing => return (200, String::new()),
        Asks::Forbids => return (403, String::new()),
        Asks::Mumbles => return (0, String::new()),
        Asks::Ntlm => return challenge("Negotiate\r\nProxy-Authenticate: NTLM".into()),
        Asks::Basic => {
            // Mufasa:Circle of Life
            let right = authorization == Some("Basic TXVmYXNhOkNpcmNsZSBvZiBMaWZl");
            return if right { (200, String::new()) } else { challenge("Basic realm=\"lions, \\\"only\\\"\"".into()) };
        }
        Asks::Digest(algorithm) => algorithm,
        Asks::Stale | Asks::Closing => "SHA-256",
    };
    let nonce = if asks == Asks::Stale { format!("nonce-{}", asked / 2) } else { "nonce".to_owned() };
    let stale = asks == Asks::Stale && asked == 2;
    let fresh = |stale: bool| {
        let stale = if stale { ", stale=true" } else { "" };
        let nonce = if asks == Asks::Stale { format!("nonce-{}", asked.div_ceil(2)) } else { nonce.clone() };
        challenge(format!(
            "Digest realm=\"lions\", qop=\"auth\", algorithm={algorithm}, nonce=\"{nonce}\", opaque=\"o\"{stale}"
        ))
    };
    let Some(digest) = authorization.and_then(|value| value.strip_prefix("Digest ")) else { return fresh(false) };
    let field = |name: &str| {
        let (_, rest) = digest.split_once(&format!("{name}=")).unwrap_or_else(|| panic!("no {name}: {digest}"));
        rest.trim_start_matches('"').split(['"', ',']).next().unwrap().to_owned()
    };
    let hash = |text: String| match algorithm {
        "MD5" => hex(&md5::Md5::digest(text)),
        _ => hex(&Sha256::digest(text)),
    };
    assert_eq!(
        (field("uri"), field("nc"), field("opaque")),
        (target.to_owned(), "00000001".to_owned(), "o".to_owned())
    );
    let who = hash("Mufasa:lions:Circle of Life".into());
    let what = hash(format!("CONNECT:{target}"));
    let right = hash(format!("{who}:{}:00000001:{}:auth:{what}", field("nonce"), field("cnonce")));
    match field("response") == right {
        true if stale => fresh(true),
        true => (200, String::new()),
        false => fresh(false),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

async fn echo(tasks: &mut JoinSet<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tasks.spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let (mut reader, mut writer) = tcp.split();
            let _ = tokio::io::copy(&mut reader, &mut writer).await;
        }
    });
    at
}

/// Through a proxy that asks so, as that user: the connection works, or why there is none.
async fn through(asks: Asks, user: &str) -> Result<(), String> {
    let mut tasks = JoinSet::new();
    let (at, target) = (proxy(asks, &mut tasks).await, echo(&mut tasks).await);
    let proxy: Proxy = format!("http://{user}{at}").parse().unwrap();
    let host = target.ip().to_string();
    let connected = proxy.connect(&host, target.port(), &Random::seeded(1)).await;
    let mut tcp = connected
        .map_err(|error| error.to_string().replace(&at.to_string(), "PROXY").replace(&target.to_string(), "TARGET"))?;
    tcp.write_all(b"there and back").await.unwrap();
    let mut back = [0; 14];
    tcp.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"there and back");
    Ok(())
}

const LION: &str = "Mufasa:Circle%20of%20Life@";

#[tokio::test]
async fn each_way_to_say_who_asks_gets_through() {
    let ways = [Asks::Nothing, Asks::Basic, Asks::Digest("MD5"), Asks::Digest("SHA-256"), Asks::Stale, Asks::Closing];
    for asks in ways {
        assert_eq!(through(asks, LION).await, Ok(()), "{asks:?}");
    }
    assert_eq!(through(Asks::Nothing, "").await, Ok(()));
}

#[tokio::test]
async fn a_proxy_that_says_no_is_named_with_what_it_said() {
    for (asks, user, words) in [
        (Asks::Forbids, LION, "the proxy PROXY answered 403 Not now when it was asked for TARGET"),
        (Asks::Basic, "", "the proxy PROXY wants a name and a password (407)"),
        (Asks::Basic, "Scar:nobody@", "the proxy PROXY does not take the name and the password"),
        (Asks::Digest("SHA-256"), "Scar:nobody@", "the proxy PROXY does not take the name and the password"),
        (Asks::Closing, "Scar:nobody@", "the proxy PROXY does not take the name and the password"),
        (Asks::Ntlm, LION, "the proxy PROXY wants Negotiate, NTLM (407)"),
        (Asks::Mumbles, LION, "the proxy PROXY broke off while it was asked for TARGET"),
    ] {
        let refused = through(asks, user).await.unwrap_err();
        assert!(refused.starts_with(words), "{asks:?}: {refused}");
        assert!(!refused.contains("Life") && !refused.contains("nobody"), "{refused}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy: Proxy = nobody.to_string().parse().unwrap();
    let refused = proxy.connect("panel", 443, &Random::seeded(1)).await.unwrap_err().to_string();
    assert_eq!(refused, format!("no connection to the proxy {nobody}"));
}

#[test]
fn a_proxys_address_has_its_parts_and_hides_its_password() {
    let proxy: Proxy = "http://Mufasa:Circle%20of%3A%C3%A9@[fd00::1]:3128/".parse().unwrap();
    assert_eq!(proxy.to_string(), "[fd00::1]:3128");
    assert_eq!(format!("{proxy:?}"), "Proxy([fd00::1]:3128, with a password)");
    assert!(proxy.user == Some(User { name: "Mufasa".into(), password: "Circle of:é".into() }));
    assert_eq!("proxy.example.com:8080".parse::<Proxy>().unwrap().to_string(), "proxy.example.com:8080");
    assert_eq!("http://proxy".parse::<Proxy>().unwrap().port, 80);
    for bad in [
        "",
        "https://proxy:1",
        "socks5://proxy:1",
        "http://",
        "http://proxy:99999",
        "http://a%3Ab:c@proxy",
        "http://a:b%0D%0Ac@proxy",
        "http://proxy/path",
        "http://a:%zz@proxy",
    ] {
        assert_eq!(bad.parse::<Proxy>(), Err(InvalidProxy), "{bad}");
    }
}

#[test]
fn the_environment_names_a_proxy_and_who_needs_none() {
    let of = |server: &str, variables: &[(&str, &str)]| {
        let variables: Arc<[(&str, &str)]> = variables.into();
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Proxy::of_environment(&Url::parse(server).unwrap(), variable).map(|proxy| proxy.map(|proxy| proxy.to_string()))
    };
    let (cloud, p) = ("wss://cloud.example.com/relay/v1", ("https_proxy", "http://p:1"));
    let yes = Ok(Some("p:1".to_owned()));
    assert_eq!(of(cloud, &[p]), yes);
    assert_eq!(of(cloud, &[("HTTPS_PROXY", "p:1"), ("all_proxy", "http://q:1")]), yes);
    assert_eq!(of(cloud, &[("ALL_PROXY", "http://p:1"), ("https_proxy", " ")]), yes);
    assert_eq!(of(cloud, &[("http_proxy", "http://q:1")]), Ok(None));
    assert_eq!(of(cloud, &[("https_proxy", "ftp://p")]), Err(InvalidProxy));
    for here in ["wss://localhost:8443", "wss://127.0.0.1", "wss://[::1]:1"] {
        assert_eq!(of(here, &[p]), Ok(None), "{here}");
    }
    for (server, list, through) in [
        (cloud, "*", false),
        (cloud, "example.com", false),
        (cloud, ".example.com, other", false),
        (cloud, "CLOUD.example.com:443", false),
        (cloud, "cloud.example.com:8443", true),
        (cloud, "ample.com", true),
        (cloud, "cloud", true),
        ("wss://10.1.2.3", "10.0.0.0/8", false),
        ("wss://10.1.2.3", "10.1.2.3", false),
        ("wss://10.1.2.3", "10.1.2.4,192.168.0.0/16", true),
        ("wss://[fd00::5]:8443", "fd00::/64", false),
    ] {
        assert_eq!(of(server, &[p, ("NO_PROXY", list)]).unwrap().is_some(), through, "{server} {list}");
    }
}
