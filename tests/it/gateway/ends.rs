//! A session's end reaches its pages: what is under way breaks off, and what is asked afterwards is answered calmly.

use std::time::Duration;

use axum::body::Body;
use gatelodge_tests::wait::wait_until;
use http::{Method, Request, StatusCode};

use super::{Site, next_bytes};

const WITHIN: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_customer_stops_and_the_page_says_so_within_five_seconds() -> anyhow::Result<()> {
    let mut site = Site::open(65).await?;
    let (tab, session) = site.tab("awkward-web").await?;
    let request = Request::get("/events").body(Body::empty())?;
    let mut events = Body::new(tab.send(request).await?.into_body()).into_data_stream();
    assert!(next_bytes(&mut events).await?.is_some());

    site.stage.customer.open("/sessions").await?;
    site.stage.customer.submit(&format!("/sessions/{session}/stop"), &[]).await?;
    // A page that polls, by a script and by itself.
    let over = wait_until("the page says that the session is over", WITHIN, async || {
        Ok(Some(tab.get("/").await?).filter(|page| page.status == StatusCode::GONE))
    })
    .await?;
    assert!(
        over.text.contains("The session is over") && over.text.contains("Stopped by the customer"),
        "{}",
        over.text
    );
    assert_eq!(over.header("clear-site-data"), "\"cache\", \"storage\"");
    let polled =
        tab.ask(Method::GET, "/second", &[("sec-fetch-dest", "empty"), ("sec-fetch-site", "same-origin")]).await?;
    assert!(polled.status == StatusCode::GONE && !polled.text.contains('<'), "{}", polled.text);
    // What was under way does not look as if it had come to its end.
    let broke = tokio::time::timeout(WITHIN, async {
        loop {
            match next_bytes(&mut events).await {
                Ok(Some(_)) => {}
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
    });
    assert!(broke.await?, "the stream of events ended as if it were whole");
    Ok(())
}

#[tokio::test]
async fn consent_that_is_withdrawn_shuts_the_page_within_five_seconds() -> anyhow::Result<()> {
    let mut site = Site::open(71).await?;
    let (tab, session) = site.tab("awkward-web").await?;
    assert_eq!(tab.get("/second").await?.status, StatusCode::OK);
    let device = site.device.clone();
    site.stage.customer.open(&format!("/devices/{device}")).await?;
    site.stage.customer.submit(&format!("/devices/{device}/consent"), &[("consent", "never")]).await?;
    wait_until("the page is shut", WITHIN, async || {
        Ok((tab.get("/second").await?.status == StatusCode::GONE).then_some(()))
    })
    .await?;
    // Nobody comes in again from the portal either.
    site.stage.installer.open(&format!("/web-pages/{session}")).await?;
    assert!(site.ticket(&session).await.is_err(), "a shut page gives no ticket");
    Ok(())
}

#[tokio::test]
async fn a_panel_that_is_gone_is_told_calmly_and_the_page_goes_on_when_it_is_back() -> anyhow::Result<()> {
    let mut site = Site::open(66).await?;
    let (tab, session) = site.tab("awkward-web").await?;
    assert_eq!(tab.get("/second").await?.status, StatusCode::OK);
    let at = site.panel.web;
    site.panel = gatelodge_tests::awkward::Awkward::start(66).await?;
    let says = "The panel refuses the connection";
    wait_until("the page says that the panel is gone", Duration::from_secs(90), async || {
        let page = tab.get("/second").await?;
        Ok((page.status == StatusCode::BAD_GATEWAY && page.text.contains(says)).then_some(()))
    })
    .await?;
    // Both histories name the targets that were opened.
    site.stage.customer.open("/history").await?;
    site.stage.customer.reads(&at.to_string()).await?;
    site.stage.installer.open(&format!("/web-pages/{session}")).await?;
    site.stage.installer.reads("The page can be opened").await
}
