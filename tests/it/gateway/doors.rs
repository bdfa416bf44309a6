//! Who comes in to a panel's pages, and who does not.

use axum::body::Body;
use gatelodge_tests::{portal::Hands, story};
use http::{Method, Request, StatusCode};

use super::{Answer, Site, ticket};

#[tokio::test]
async fn one_browser_comes_in_by_its_ticket_once_and_nobody_else_does() -> anyhow::Result<()> {
    let mut site = Site::open(64).await?;
    let portal = site.stage.cloud.portal();
    let session = site.allowed("awkward-web").await?;
    let (address, first) = site.ticket(&session).await?;
    let (again, second) = site.ticket(&session).await?;
    assert!(address == again && address.starts_with("http://s-"), "{address}");
    let mut tab = site.outside(&address)?;

    // Nobody has come in yet, and nothing reaches the panel.
    let closed = tab.get("/").await?;
    assert_eq!(closed.status, StatusCode::FORBIDDEN);
    assert!(closed.text.contains("This page is closed"), "{}", closed.text);

    // Replaced by a newer one, foreign, and from elsewhere: all refused.
    for (ticket, origin) in [(first.as_str(), portal.as_str()), ("x", &portal), (&second, "https://evil.example")] {
        let refused = Answer::of(tab.enter(ticket, origin).await?).await?;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{ticket} {origin}");
    }
    // Of another session.
    let elsewhere = format!("http://s-{}.localhost:{}/", "a".repeat(26), tab.port);
    let mut other = site.outside(&elsewhere)?;
    assert_eq!(other.enter(&second, &portal).await?.status(), StatusCode::FORBIDDEN);
    assert_eq!(tab.enter(&second, &portal).await?.status(), StatusCode::SEE_OTHER);
    assert_eq!(tab.get("/").await?.status, StatusCode::OK);
    // Used.
    let mut thief = site.outside(&address)?;
    assert_eq!(thief.enter(&second, &portal).await?.status(), StatusCode::FORBIDDEN);

    // A second browser: without the cookie, and with another sign-in of the same person.
    let taken = thief.get("/").await?;
    assert!(taken.status == StatusCode::FORBIDDEN && taken.text.contains("another browser"), "{}", taken.text);
    let mut elsewhere = Hands::plain(&portal, "en")?;
    elsewhere.open("/sign-in").await?;
    let person = story::INSTALLER.person;
    elsewhere.submit("/sign-in", &[("email", person.email), ("password", person.password)]).await?;
    let kept_out = ticket(&mut elsewhere, &session).await.unwrap_err().to_string();
    assert!(kept_out.contains("open in another browser"), "{kept_out}");
    // And other people of the portal see nothing of it.
    site.stage.customer.open(&format!("/web-pages/{session}")).await?;
    let Hands::Plain(customer) = &mut site.stage.customer else { unreachable!() };
    assert!(!customer.page()?.forms().iter().any(|form| form.action.ends_with("/enter")));

    // Foreign origins: a form, a web socket, a frame, a script that stays.
    let own = tab.origin();
    let post = |origin: &str| {
        Request::post("/form").header("origin", origin).body(Body::from("zone=3")).map(|request| tab.send(request))
    };
    assert_eq!(post(&own)?.await?.status(), StatusCode::OK);
    for origin in ["https://evil.example", portal.as_str(), "null", "http://s-x.localhost"] {
        assert_eq!(post(origin)?.await?.status(), StatusCode::FORBIDDEN, "{origin}");
        let socket = [
            ("origin", origin),
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        assert_eq!(tab.ask(Method::GET, "/socket", &socket).await?.status, StatusCode::FORBIDDEN, "{origin}");
    }
    let framed = [("sec-fetch-site", "same-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
    assert_eq!(tab.ask(Method::GET, "/", &framed).await?.status, StatusCode::FORBIDDEN);
    assert_eq!(tab.ask(Method::GET, "/sw.js", &[("service-worker", "script")]).await?.status, StatusCode::FORBIDDEN);

    // Signed out at the portal, the page is closed too.
    site.stage.installer.open("/").await?;
    site.stage.installer.submit("/sign-out", &[]).await?;
    let closes = gatelodge_tests::wait::wait_until("the page closes", std::time::Duration::from_secs(90), async || {
        Ok((tab.get("/").await?.status == StatusCode::FORBIDDEN).then_some(()))
    });
    closes.await
}
