//! Everything that makes panels difficult, once through the gateway and back.

use axum::body::Body;
use futures_util::{SinkExt as _, StreamExt as _};
use gatelodge_tests::awkward::{self, OLD_WORDS, WORDS};
use http::{Method, Request, StatusCode, header};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::{Answer, Site, next_bytes};

#[tokio::test]
async fn an_awkward_panel_works_as_if_the_browser_stood_beside_it() -> anyhow::Result<()> {
    let mut site = Site::open(61).await?;
    let (tab, _) = site.tab("awkward-web").await?;
    let (own, panel) = (tab.origin(), site.panel.web);

    // Absolute links lead to our origin, in whatever spelling; other places stay.
    let first = tab.get("/").await?;
    assert_eq!(first.status, StatusCode::OK);
    assert!(first.text.contains(WORDS) && !first.text.contains(&panel.to_string()), "{}", first.text);
    let escaped = own.replace('/', "\\/");
    for link in [
        format!("href=\"{own}/second\""),
        format!("'{}/live'", own.trim_start_matches("http:")),
        format!("href=\"{own}/style.css\""),
        format!("\"{escaped}\\/api\""),
        "href=\"http://127.0.0.77:1/\"".to_owned(),
    ] {
        assert!(first.text.contains(&link), "{link} is not in {}", first.text);
    }
    assert!(tab.get("/style.css").await?.text.contains(&format!("url({own}/bg.png)")));

    // Several cookies, for this host alone; the panel gets its own back and not ours.
    let set: Vec<_> = first.headers.get_all(header::SET_COOKIE).iter().map(|line| line.to_str().unwrap()).collect();
    assert_eq!(set, ["sid=abc; Path=/; HttpOnly", "lang=it; Path=/"]);
    let told = [("cookie", "sid=abc; lang=it"), ("cookie", "__Host-gl-session=portal")];
    assert_eq!(tab.ask(Method::GET, "/cookies", &told).await?.text, "sid=abc; lang=it");

    // Redirects by `Host`: the panel is asked under its own address, and what it answers leads to ours.
    let moved = tab.get("/host").await?;
    assert_eq!((moved.status, moved.header("location")), (StatusCode::FOUND, format!("{own}/second").as_str()));

    // Digest: the address in it is the one in the request, to the letter.
    let path = "/digest?a=%7E1&b=c%20d";
    let asked = tab.get(path).await?;
    assert_eq!(asked.status, StatusCode::UNAUTHORIZED);
    assert!(asked.header("www-authenticate").starts_with("Digest realm=\"panel\""));
    let answer = awkward::digest_answer(path);
    let let_in = tab.ask(Method::GET, path, &[("authorization", &answer)]).await?;
    assert_eq!((let_in.status, let_in.text.as_str()), (StatusCode::OK, "let in by digest"));

    // A form of the panel's own page, whose Origin the panel knows.
    let request = Request::post("/form").header("origin", &own).header("sec-fetch-site", "same-origin");
    let posted = Answer::of(tab.send(request.body(Body::from("zone=3"))?).await?).await?;
    assert_eq!(posted.text, "zone=3");
    let asked = site.panel.asked().pop().unwrap_or_default();
    assert!(asked.contains(&format!("origin: http://{panel}")) && asked.contains("content-length: 6"), "{asked}");
    assert!(!site.panel.asked().concat().contains("__Host-gl"), "the panel was sent a cookie of ours");

    // HEAD has no body, and a file keeps its length.
    let head = tab.ask(Method::HEAD, "/download/5000", &[]).await?;
    assert_eq!((head.status, head.header("content-length"), head.text.len()), (StatusCode::OK, "5000", 0));

    // What is added.
    assert!(first.header("content-security-policy").contains("frame-ancestors 'self'"));
    assert_eq!(first.header("referrer-policy"), "same-origin");
    Ok(())
}

#[tokio::test]
async fn web_sockets_and_events_pass_at_once() -> anyhow::Result<()> {
    let mut site = Site::open(62).await?;
    let (tab, _) = site.tab("awkward-web").await?;
    let own = tab.origin();

    let request = Request::get(format!("ws://{}/socket", tab.host))
        .header("host", &tab.host)
        .header("origin", &own)
        .header("cookie", &tab.cookie)
        .header("connection", "keep-alive, Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .body(())?;
    let tcp = TcpStream::connect(("127.0.0.1", tab.port)).await?;
    let (mut socket, _) = tokio_tungstenite::client_async(request, tcp).await?;
    socket.send(Message::text("zone 3")).await?;
    assert_eq!(socket.next().await.expect("an answer")?, Message::text("heard zone 3"));

    // Each event comes before the next one is made.
    let request = Request::get("/events").header("accept", "text/event-stream").body(Body::empty())?;
    let mut events = Body::new(tab.send(request).await?.into_body()).into_data_stream();
    let first = next_bytes(&mut events).await?.expect("the first event");
    assert_eq!(&*first, b"data: listening\n\n");
    for word in ["armed", "alarm in zone 3"] {
        site.panel.events.send(word.to_owned())?;
        assert_eq!(next_bytes(&mut events).await?.expect("an event"), format!("data: {word}\n\n"));
    }
    Ok(())
}

#[tokio::test]
async fn a_panel_of_1999_and_one_with_trailers_pass_too() -> anyhow::Result<()> {
    let mut site = Site::open(63).await?;
    let (tab, _) = site.tab("old-web").await?;
    let old = tab.get("/").await?;
    assert!(old.text.contains(OLD_WORDS) && old.text.contains(&format!("HREF={}/next", tab.origin())), "{}", old.text);
    assert_eq!(old.headers.get_all(header::SET_COOKIE).iter().count(), 2);
    let chunked = tab.ask(Method::GET, "/chunked", &[("te", "trailers")]).await?;
    assert_eq!(chunked.text, "zone 3 open");
    assert_eq!(chunked.trailers.get("x-sum").map(http::HeaderValue::as_bytes), Some(&b"11"[..]));
    Ok(())
}

#[tokio::test]
async fn a_panel_is_asked_as_its_device_says() -> anyhow::Result<()> {
    let mut site = Site::open(71).await?;
    let (tab, _) = site.tab("named-web").await?;
    let moved = tab.get("/host").await?;
    assert_eq!(
        (moved.status, moved.header("location")),
        (StatusCode::FOUND, format!("{}/second", tab.origin()).as_str())
    );
    let first = tab.get("/").await?;
    assert!(first.text.contains(WORDS) && !first.text.contains(awkward::NAME), "{}", first.text);

    // The next page's certificate is the panel's own: whoever opens it reads whose page that is.
    let session = site.allowed("locked-web").await?;
    site.stage.installer.open(&format!("/web-pages/{session}")).await?;
    site.stage.installer.reads(&format!("This is the page of {}", site.panel.locked)).await?;
    site.stage.installer.reads("Nobody has checked the panel").await?;
    let (address, ticket) = site.ticket(&session).await?;
    let mut tab = site.outside(&address)?;
    tab.enter(&ticket, &site.stage.cloud.portal()).await?;
    let first = tab.get("/").await?;
    assert!(first.text.contains(&format!("href=\"{}/second\"", tab.origin())), "{}", first.text);
    let posted =
        tab.ask(Method::POST, "/form", &[("origin", &tab.origin()), ("sec-fetch-site", "same-origin")]).await?;
    assert_eq!(posted.status, StatusCode::OK);
    let asked = site.panel.asked().pop().unwrap_or_default();
    assert!(asked.contains(&format!("origin: https://{}", site.panel.locked)), "{asked}");
    Ok(())
}
