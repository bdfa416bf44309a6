//! A terminal's user stands on the device itself, where its page listens: it reads nothing there and presses nothing.

use anyhow::{Context as _, ensure};

use super::{SOON, scene, with_terminal};

#[tokio::test]
async fn from_a_terminal_the_device_s_own_page_answers_nobody_by_whatever_address() -> anyhow::Result<()> {
    let mut scene = scene(with_terminal("nobody")).await?;
    let page = scene.stage.agent.page();
    let page = page.strip_prefix("http://").context("no address")?.trim_end_matches('/');
    let (host, port) = page.split_once(':').context("no port")?;
    let ask = format!(
        "exec 3<>/dev/tcp/{host}/{port}; printf 'GET /token HTTP/1.1\\r\\nHost: {page}\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3"
    );
    let line = format!("bash -c \"{ask}\"; echo over");
    let mut process = scene.shell(&line).await?;
    let status = process.wait(SOON).await.with_context(|| scene.logs(&process))?;
    let wrote = process.log();
    ensure!(wrote.contains("over"), "{status}: {wrote}");
    ensure!(wrote.contains("403 Forbidden") && wrote.contains("not for programs in terminals"), "{wrote}");
    ensure!(!wrote.contains("200 OK"), "{wrote}");
    let told = scene.stage.agent_status().await?.0;
    ensure!(told["sessions"].is_array(), "whoever is no terminal's user reads it: {told}");
    Ok(())
}
