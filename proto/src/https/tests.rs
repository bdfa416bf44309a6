//! Requests to servers and proxies that say a few fixed words; TLS and real proxies are the stories' to play.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};

use super::*;

const WITHIN: Duration = Duration::from_secs(5);

/// Answers everybody so, after their head; gives where, and what each head was.
async fn server(
    answer: &'static str,
    tasks: &mut JoinSet<()>,
) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let (heard, heads) = tokio::sync::mpsc::unbounded_channel();
    tasks.spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(tcp.read_u8().await.unwrap());
            }
            heard.send(String::from_utf8(head).unwrap()).unwrap();
            tcp.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (at, heads)
}

fn client(proxy: Option<&str>) -> Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Client::new(Setup {
        tls: tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth(),
        proxy: proxy.map(|proxy| proxy.parse().unwrap()),
        random: Random::seeded(1),
        own: None,
        user_agent: "test/1",
        within: WITHIN,
        connect_within: WITHIN,
        most: 20,
    })
}

async fn get(client: &Client, url: &str) -> Result<Answer, NoAnswer> {
    client.ask(Method::GET, &url.parse().unwrap(), Some("t0ken"), None).await
}

#[tokio::test]
async fn an_answer_comes_whole_or_not_at_all() {
    let mut tasks = JoinSet::new();
    let (at, mut heads) =
        server("HTTP/1.1 404 Not Found\r\ndate: now\r\ncontent-length: 4\r\nconnection: close\r\n\r\ngone", &mut tasks)
            .await;
    let answer = get(&client(None), &format!("http://{at}/api?x=1")).await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (404, &b"gone"[..]));
    assert_eq!(answer.headers["date"], "now");
    let head = heads.recv().await.unwrap().to_ascii_lowercase();
    for line in ["get /api?x=1 http/1.1", &format!("host: {at}"), "authorization: bearer t0ken", "user-agent: test/1"] {
        assert!(head.contains(&format!("{line}\r\n")), "{line}: {head}");
    }
    let (at, _heads) = server("HTTP/1.1 200 OK\r\ncontent-length: 21\r\n\r\n123456789012345678901", &mut tasks).await;
    assert!(matches!(get(&client(None), &format!("http://{at}/")).await, Err(NoAnswer::TooLong(20))));
    let (at, _heads) = server("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut", &mut tasks).await;
    let cut = get(&client(None), &format!("http://{at}/")).await;
    assert!(matches!(cut, Err(NoAnswer::Unreachable(_))), "{cut:?}");
}

#[tokio::test]
async fn a_proxy_in_the_way_is_named_with_what_it_said() {
    let mut tasks = JoinSet::new();
    let url = "https://cloud.example:8443/";
    let (at, mut heads) = server("HTTP/1.1 403 Not here\r\ncontent-length: 0\r\n\r\n", &mut tasks).await;
    let refused = get(&client(Some(&at)), url).await.unwrap_err().to_string();
    assert!(
        refused.starts_with(&format!("the proxy {at} answered 403 Not here when it was asked for cloud.example:8443")),
        "{refused}"
    );
    assert!(heads.recv().await.unwrap().starts_with("CONNECT cloud.example:8443 HTTP/1.1\r\n"));
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let refused = get(&client(Some(&closed)), url).await.unwrap_err().to_string();
    assert!(refused.starts_with(&format!("no connection to the proxy {closed}: Connection refused")), "{refused}");
    // Plain HTTP is this machine's own, where no proxy leads.
    let (at, _heads) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", &mut tasks).await;
    get(&client(Some(&closed)), &format!("http://{at}/")).await.unwrap();
}
