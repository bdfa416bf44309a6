//! What happens in a terminal, from the technician's command line to the shell on the device.

use std::io::Write as _;

use anyhow::{Context as _, ensure};
use gatelodge_tests::{cloud::CloudSetup, story, wait::wait_until};
use sha2::{Digest as _, Sha256};

use super::{DEVICE, SOON, Scene, opened::Key, processes_with, scene, unkeyed, with_terminal};

#[tokio::test]
async fn a_command_runs_as_a_user_with_few_rights_and_both_organisations_can_read_what_it_wrote() -> anyhow::Result<()>
{
    let mut scene = scene(with_terminal("nobody")).await?;
    let line = "id -u; id -g; grep -E 'NoNewPrivs|CapEff|CapAmb' /proc/self/status; tty; stty size; \
                printf 'caf\\303\\251 \\342\\202\\254\\n'; echo $TERM $HOME; exit 7";
    let (status, wrote) = scene.ran(line).await?;
    assert_eq!(status.code(), Some(7), "{wrote}");
    for words in ["65534\r\n65534", "/dev/pts/", "24 80", "café €", "NoNewPrivs:\t1", "CapEff:\t0000000000000000"] {
        assert!(wrote.contains(words), "no `{words}` in:\n{wrote}");
    }
    assert!(wrote.contains("This terminal is recorded; Anna Rossi and your organisation can replay it."), "{wrote}");

    let files = scene.taken(1).await?;
    let file = std::fs::read(&files[0])?;
    for (key, who) in [(&scene.customer, "the customer"), (&scene.installer, "the installer")] {
        let opened = key.open(&file).with_context(|| format!("for {who}"))?;
        assert!(opened.ended);
        assert_eq!((&opened.header["version"], &opened.header["width"]), (&2.into(), &80.into()));
        let shown = opened.text("o");
        assert!(wrote.contains(&shown), "{who} reads something else than was seen:\n{shown}\n---\n{wrote}");
        assert!(shown.contains("café €"), "{shown}");
        assert_eq!(opened.text("i"), "", "what is typed is not recorded unless the settings say so");
        assert_eq!(opened.text("m"), "exit status 7");
    }
    assert!(Key::make()?.open(&file).is_err(), "nobody else reads it");
    // The cloud has no key, and no byte of it in the clear.
    assert!(!file.windows(6).any(|bytes| bytes == b"65534\r"), "a recording is encrypted");
    for (at, why) in [(50, "for this key"), (45 + 130, "key"), (file.len() - 30, "not what it was")] {
        let mut changed = file.clone();
        changed[at] ^= 1;
        let error = scene.installer.open(&changed).map(|opened| opened.header).unwrap_err();
        ensure!(!error.to_string().is_empty(), "{why}");
    }
    let state = scene.stage.agent.state_dir().join("recordings");
    wait_until("the device forgets what the cloud has", SOON, async || {
        Ok((std::fs::read_dir(&state)?.count() == 0).then_some(()))
    })
    .await?;
    scene.stage.customer.open("/history").await?;
    scene.stage.customer.reads("The device sent the recording of a terminal").await
}

#[tokio::test]
async fn a_million_bytes_are_typed_as_fast_as_they_are_read_and_none_is_lost() -> anyhow::Result<()> {
    let mut scene = scene(with_terminal("nobody")).await?;
    let pasted: Vec<u8> = (0..1_000_000u32).map(|number| b'a' + u8::try_from(number * 7 % 26).unwrap()).collect();
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(&pasted)?;
    let line = "stty raw -echo; echo ready; head -c 1000000 | sha256sum; stty sane";
    let mut command = scene.stage.technician.command(["shell", DEVICE, "--reason", "paste", "--", line])?;
    // A program that reads before the line discipline is raw would lose bytes, as it would at any terminal.
    let slow = format!("(sleep 4; cat {}; sleep 20) | exec \"$@\"", file.path().display());
    let mut piped = std::process::Command::new("sh");
    piped.args(["-c", &slow, "sh"]).arg(command.get_program()).args(command.get_args());
    piped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command = piped;
    let mut process = gatelodge_tests::process::Process::start("shell", &mut command)?;
    story::allow(&mut scene.stage).await?;
    let status = process.wait(SOON * 2).await.with_context(|| scene.logs(&process))?;
    let wrote = process.log();
    let sum = Sha256::digest(&pasted).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    assert!(wrote.contains(&sum), "{status}: {wrote}");
    Ok(())
}

#[tokio::test]
async fn whoever_presses_stop_ends_every_process_of_the_terminal() -> anyhow::Result<()> {
    let mut scene = scene(with_terminal("nobody")).await?;
    let line = "trap '' HUP; nohup sleep 81001 >/dev/null 2>&1 & setsid sleep 81002 & (trap '' HUP TERM; sleep 81003 & sleep 81004)";
    let mut process = scene.shell(line).await?;
    let there = ["sleep 81001", "sleep 81002", "sleep 81003", "sleep 81004"];
    wait_until("everything runs", SOON, async || Ok(there.iter().all(|words| processes_with(words) > 0).then_some(())))
        .await
        .with_context(|| scene.logs(&process))?;
    scene.stage.customer.open("/sessions").await?;
    let actions = scene.stage.customer.actions().await?;
    let stop = actions.into_iter().find(|action| action.ends_with("/stop")).context("no Stop")?;
    scene.stage.customer.submit(&stop, &[]).await?;
    let status = process.wait(SOON).await.with_context(|| scene.logs(&process))?;
    assert_eq!(status.code(), Some(6), "{}", process.log());
    for words in there {
        wait_until(format!("`{words}` is gone"), SOON, async || Ok((processes_with(words) == 0).then_some(()))).await?;
    }
    let files = scene.taken(1).await?;
    assert!(scene.customer.open(&std::fs::read(&files[0])?)?.ended, "what was recorded until then is whole");
    Ok(())
}

#[tokio::test]
async fn without_a_passphrase_a_setting_or_a_user_there_is_no_terminal_and_the_technician_reads_why()
-> anyhow::Result<()> {
    let (stage, _folder) = unkeyed(CloudSetup::default(), with_terminal("nobody")).await?;
    let said = stage.technician.run(["shell", DEVICE, "--reason", "x"]).await?.refused(4)?;
    assert!(said.contains("your organisation has no recording passphrase yet"), "{said}");
    assert!(said.contains("portal, Recordings"), "{said}");
    drop(stage);

    let (stage, _folder) = unkeyed(CloudSetup::default(), gatelodge_tests::agent::AgentSetup::default()).await?;
    let said = stage.technician.run(["shell", DEVICE, "--reason", "x"]).await?.refused(4)?;
    assert!(said.contains("lets no session have a terminal") && said.contains("terminal.enabled"), "{said}");
    drop(stage);

    for (user, why) in [("root", "is root"), ("nobody-here", "does not exist")] {
        let mut scene: Scene = scene(with_terminal(user)).await?;
        let (status, wrote) = scene.ran("id").await?;
        assert_eq!(status.code(), Some(4), "{wrote}");
        assert!(wrote.contains(why) && wrote.contains("terminal.user"), "{wrote}");
        drop(scene.folder);
    }
    Ok(())
}
