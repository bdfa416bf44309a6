//! What is typed, shown and recorded at a terminal in the portal; that a flood fills nothing.

use anyhow::{Context as _, ensure};
use gatelodge_tests::wait::wait_until;

use super::{Desk, Heard, SOON, with_terminal};

/// As much as the cloud has on the way to a browser that does not draw.
const WINDOW: usize = 128 * 1024;
/// What a debug build may add; a flood that was gathered would add all of it.
const MOST_MIB: u64 = 60;

#[tokio::test]
async fn a_terminal_in_the_portal_types_shows_resizes_and_ends_with_its_program() -> anyhow::Result<()> {
    let mut desk = Desk::open(with_terminal("nobody")).await?;
    let session = desk.ask().await?;
    // The customer reads what it is, and who can read along.
    desk.scene.stage.customer.open("/requests").await?;
    desk.scene.stage.customer.reads("With a terminal").await?;
    desk.scene.stage.customer.reads("whoever runs the portal can read it").await?;
    gatelodge_tests::story::allow(&mut desk.scene.stage).await?;
    desk.scene.stage.installer.open(&format!("/terminals/{session}")).await?;
    desk.scene
        .stage
        .installer
        .reads("This terminal is recorded; Anna Rossi and your organisation can replay it")
        .await?;

    let mut line = desk.line(&session).await?;
    line.until("$ ").await.with_context(|| desk.logs())?;
    line.run("stty size", "24 80").await?;
    line.say("size 100 30").await?;
    line.run("stty size; echo $TERM", "30 100").await?;
    line.until("xterm-256color").await?;
    line.run("printf 'caf\\303'; printf '\\251 \\342\\202'; printf '\\254 \\n'", "café €").await?;
    // A paste in pieces, each at its turn.
    line.run("stty -echo; cat > /dev/null; echo all | tr a-z A-Z", "").await?;
    let mut on_their_way = 0;
    for _ in 0..200 {
        line.types(&format!("{}\r", "x".repeat(2000))).await?;
        on_their_way += 1;
        while on_their_way >= 8 {
            if let Heard::Word(word) = line.next().await? {
                ensure!(word["says"] == "taken", "{word}");
                on_their_way -= 1;
            }
        }
    }
    line.types("\u{4}").await?;
    line.until("ALL").await?;
    line.types("exit 3\r").await?;
    line.ends_by("status 3").await?;

    let files = desk.scene.taken(1).await?;
    let opened = desk.scene.customer.open(&std::fs::read(&files[0])?)?;
    ensure!(opened.ended && opened.text("o").contains("café €") && opened.text("r").contains("100x30"), "{opened:?}");
    for hands in [&mut desk.scene.stage.customer, &mut desk.scene.stage.installer] {
        hands.open(&format!("/sessions/{session}")).await?;
        hands.open("/history").await?;
        hands.reads("terminal as nobody").await?;
    }
    desk.scene.stage.installer.open(&format!("/terminals/{session}")).await?;
    desk.scene.stage.installer.reads("This session is over").await
}

fn highest_mib(process: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? / 1024)
}

#[tokio::test]
async fn a_flood_waits_for_the_browser_and_fills_nothing() -> anyhow::Result<()> {
    let mut desk = Desk::open(with_terminal("nobody")).await?;
    let (mut line, _) = desk.terminal().await?;
    let process = desk.scene.stage.cloud.id().context("the cloud runs")?;
    let before = highest_mib(process)?;
    let begun = line.shown.len();
    // What was shown so far was drawn; from here on nothing is.
    line.draws = false;
    line.types("yes 0123456789abcdef\r").await?;
    wait_until("the window is full", SOON, async || {
        line.next().await?;
        Ok((line.shown.len() - begun >= WINDOW - 16 * 1024).then_some(()))
    })
    .await?;
    // A typed piece is answered at once, and nothing beyond the window has come before that.
    line.types("\u{3}").await?;
    let mut taken = 0;
    while taken == 0 {
        match line.next().await? {
            Heard::Word(word) if word["says"] == "taken" => taken += 1,
            Heard::Word(word) => anyhow::bail!("{word}"),
            Heard::Shown => {}
        }
    }
    ensure!(line.shown.len() - begun <= WINDOW, "{} bytes came undrawn", line.shown.len() - begun);
    // Drawn, the rest comes, and the prompt.
    line.draws = true;
    line.say(&format!("shown {}", line.shown.len() - begun)).await?;
    line.run("", "$ ").await?;
    line.run("yes 0123456789abcdef | head -c 30000000; echo enough | tr a-z A-Z", "ENOUGH").await?;
    let after = highest_mib(process)?;
    ensure!(after < before + MOST_MIB, "the cloud grew from {before} to {after} MiB");
    Ok(())
}
