//! Who comes to a terminal in the portal, and who does not.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use gatelodge_tests::{
    cloud::CloudSetup,
    portal::Hands,
    story::{self as play, Person},
    wait::measure_for,
};
use http::StatusCode;

use super::{Desk, ticket, with_terminal};

async fn again(desk: &Desk) -> anyhow::Result<Hands> {
    let mut hands = Hands::plain(&desk.portal(), "en")?;
    hands.open("/sign-in").await?;
    let Person { email, password, .. } = play::INSTALLER.person;
    hands.submit("/sign-in", &[("email", email), ("password", password)]).await?;
    Ok(hands)
}

#[tokio::test]
async fn a_socket_is_for_the_portals_own_page_by_a_ticket_that_is_used_once() -> anyhow::Result<()> {
    let mut desk = Desk::open(with_terminal("nobody")).await?;
    let session = desk.ask().await?;
    // Not allowed yet.
    let early = desk.ticket(&session).await.unwrap_err().to_string();
    ensure!(early.starts_with("409") && early.contains("not allowed yet"), "{early}");
    play::allow(&mut desk.scene.stage).await?;
    let (stage, portal) = (&desk.scene.stage, desk.portal());

    for foreign in ["https://evil.example", "null", "http://localhost", "", "http://s-x.localhost"] {
        let status = desk.is_kept_out(&stage.installer, &session, foreign).await?;
        assert_eq!(status, StatusCode::FORBIDDEN, "{foreign}");
    }
    // Somebody else, signed in, and a session that is not there.
    assert_eq!(desk.is_kept_out(&stage.customer, &session, &portal).await?, StatusCode::FORBIDDEN);
    let nothing = "0199c000-0000-7000-8000-000000000000";
    assert_eq!(desk.is_kept_out(&stage.installer, nothing, &portal).await?, StatusCode::NOT_FOUND);

    // Unknown, another browser's of the same person, replaced by a newer one.
    let second = again(&desk).await?;
    let (first, theirs) = (desk.ticket(&session).await?, ticket(&second, &session).await?);
    for bad in ["x", &theirs, &first] {
        let mut line = desk.knock(&stage.installer, &session, &portal).await?;
        line.say(&format!("ticket {bad} 80 24")).await?;
        line.ends_by("used already").await?;
    }
    let late = desk.ticket(&session).await?;
    measure_for(Duration::from_secs(31)).await;
    let mut line = desk.knock(&stage.installer, &session, &portal).await?;
    line.say(&format!("ticket {late} 80 24")).await?;
    line.ends_by("good for 30 seconds").await?;
    let good = desk.ticket(&session).await?;
    let mut line = desk.knock(&stage.installer, &session, &portal).await?;
    line.say(&format!("ticket {good} 80 24")).await?;
    line.until("$ ").await.with_context(|| desk.logs())?;
    let mut thief = desk.knock(&stage.installer, &session, &portal).await?;
    thief.say(&format!("ticket {good} 80 24")).await?;
    thief.ends_by("used already").await?;
    // The one inside is still there.
    line.run("echo still | tr a-z A-Z", "STILL").await?;

    // Who says what no page says, or that more was drawn than was sent, loses its place, and the terminal goes on.
    for foreign in ["shown 999999999", "type ls", "size 0 0"] {
        line.say(foreign).await?;
        line.ends_by("do not understand").await?;
        line = desk.line(&session).await?;
        line.until("STILL").await?;
    }
    line.run("echo there | tr a-z A-Z", "THERE").await
}

#[tokio::test]
async fn a_second_browser_takes_the_terminal_over_and_the_first_is_told() -> anyhow::Result<()> {
    let mut desk = Desk::open(with_terminal("nobody")).await?;
    let (mut first, session) = desk.terminal().await?;
    first.run("echo here first | tr a-z A-Z", "HERE FIRST").await?;
    let second = again(&desk).await?;
    let ticket = ticket(&second, &session).await?;
    let mut taken = desk.knock(&second, &session, &desk.portal()).await?;
    taken.say(&format!("ticket {ticket} 90 20")).await?;
    first.ends_by("taken this terminal over").await?;
    // It sees what was shown, and types; what the first still says goes nowhere.
    taken.until("HERE FIRST").await?;
    drop(first.types("echo ghost\r").await);
    taken.run("stty size", "20 90").await?;
    taken.run("echo now here | tr a-z A-Z", "NOW HERE").await?;
    ensure!(!taken.text().contains("ghost"), "{}", taken.text());

    // And back, by another press of the first.
    let mut back = desk.line(&session).await?;
    let over = taken.over().await.context("the second is not told")?;
    ensure!(over["again"] == true, "{over}");
    back.until("NOW HERE").await
}

#[tokio::test]
async fn what_is_refused_or_over_takes_nobodys_place() -> anyhow::Result<()> {
    let one = CloudSetup { more: vec![("gateway.terminals".into(), "1".into())], ..CloudSetup::default() };
    let mut desk = Desk::open_on(one, with_terminal("nobody")).await?;
    for _ in 0..2 {
        let session = desk.ask().await?;
        let customer = &mut desk.scene.stage.customer;
        customer.open("/sessions").await?;
        customer.submit(&format!("/sessions/{session}/refuse"), &[]).await?;
    }
    let (mut line, _) = desk.terminal().await?;
    let (mut hands, device) = (again(&desk).await?, format!("/devices/{}", desk.device));
    hands.open(&device).await?;
    hands.submit(&format!("{device}/terminal"), &[("reason", "Log files"), ("minutes", "30")]).await?;
    hands.reads("As many terminals are open as this portal carries").await?;
    line.types("exit\n").await?;
    line.over().await?;
    let (_line, _) = desk.terminal().await?;
    Ok(())
}
