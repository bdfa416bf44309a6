//! `gatelodge cp` and `files` with the real programs: both ways, resumed, whole or not at all, and never out of the folder.

use std::{
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use gatelodge_tests::{
    agent::AgentSetup,
    cloud::{CloudSetup, Said, TestCloud},
    portal::Hands,
    story::{self, Mails, Stage},
    wait::wait_until,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const PATIENCE: Duration = Duration::from_secs(60);
/// Some seconds on a slow way, and more than the ends keep for each other.
const LARGE: usize = 24 * 1024 * 1024;

struct Scene {
    stage: Stage,
    logs: PathBuf,
    firmware: PathBuf,
    here: PathBuf,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn set() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let [logs, firmware, here] = ["logs", "firmware", "here"].map(|name| folder.path().join(name));
        for place in [&logs, &firmware, &here, &logs.join("2026")] {
            std::fs::create_dir_all(place)?;
        }
        std::fs::write(logs.join("2026/panel.log"), "zone 4 is open\n")?;
        std::fs::write(folder.path().join("secret"), "nobody's business")?;
        symlink(folder.path().join("secret"), logs.join("link.log"))?;
        symlink(folder.path(), logs.join("up"))?;
        let cloud = TestCloud::start(CloudSetup::default()).await?;
        let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
        let setup = AgentSetup {
            folders: vec![("logs", logs.clone(), false), ("firmware", firmware.clone(), true)],
            ..AgentSetup::default()
        };
        let mut stage = Stage::set(cloud, mails, folder.path().join("stage"), setup).await?;
        story::play_until(&mut stage, 4, |_| {}).await?;
        story::sign_in_technician(&mut stage).await?;
        Ok(Self { stage, logs, firmware, here, _folder: folder })
    }

    /// A verb from its request to its end, allowed by the customer.
    async fn run(&mut self, arguments: &[&str]) -> anyhow::Result<Said> {
        let arguments = arguments.iter().copied().chain(["--reason", "zone 4 reports a fault"]);
        let command = self.stage.technician.command(arguments)?;
        let running = Said::of(command);
        let allowed = async {
            let allowed = story::allow(&mut self.stage).await;
            allowed.map(drop)
        };
        let (said, allowed) = tokio::join!(running, allowed);
        let said = said?;
        allowed.with_context(|| format!("it said:\n{}{}", said.out, said.err))?;
        Ok(said)
    }

    fn here(&self, name: &str) -> String {
        self.here.join(name).display().to_string()
    }
}

fn noise(seed: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LARGE);
    let mut block = Sha256::digest([seed]);
    while bytes.len() < LARGE {
        bytes.extend_from_slice(&block);
        block = Sha256::digest(block);
    }
    bytes
}

fn parts(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let names = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    Ok(names.into_iter().map(|entry| entry.path()).filter(|path| path.to_string_lossy().contains("part")).collect())
}

#[tokio::test]
async fn files_are_listed_fetched_and_given_and_nothing_outside_the_folder_is_touched() -> anyhow::Result<()> {
    let mut scene = Scene::set().await?;
    let said = scene.run(&["--json", "files", "villa-rosa"]).await?.ok()?;
    let listed: Value = serde_json::from_str(said.lines().last().context("nothing listed")?)?;
    let folders: Vec<_> = listed.as_array().into_iter().flatten().map(|one| (&one["name"], &one["what"])).collect();
    assert_eq!(folders, [(&"logs".into(), &"folder".into()), (&"firmware".into(), &"folder, takes files".into())]);
    let text = scene.run(&["files", "villa-rosa:logs"]).await?.ok()?;
    ensure!(text.contains("2026\tfolder") && text.contains("link.log\tother"), "{text}");

    let to = scene.here("fetched.log");
    let said = scene.run(&["cp", "villa-rosa:logs/2026/panel.log", &to]).await?;
    ensure!(said.success && said.err.contains("whole"), "{}{}", said.out, said.err);
    assert_eq!(std::fs::read_to_string(&to)?, "zone 4 is open\n");

    std::fs::write(scene.here.join("fw.bin"), "version 7")?;
    let from = scene.here("fw.bin");
    scene.run(&["cp", &from, "villa-rosa:firmware/"]).await?.ok()?;
    let kept = scene.firmware.join("fw.bin");
    assert_eq!(std::fs::read_to_string(&kept)?, "version 7");
    assert_eq!(std::fs::metadata(&kept)?.permissions().mode() & 0o777, 0o644);
    std::fs::set_permissions(&kept, std::fs::Permissions::from_mode(0o600))?;
    std::fs::write(scene.here.join("fw.bin"), "version 8")?;
    scene.run(&["cp", &from, "villa-rosa:firmware/fw.bin"]).await?.ok()?;
    assert_eq!(std::fs::read_to_string(&kept)?, "version 8");
    assert_eq!(std::fs::metadata(&kept)?.permissions().mode() & 0o777, 0o600, "the mode of what was there stays");
    assert_eq!((parts(&scene.firmware)?, parts(&scene.here)?), (vec![], vec![]));

    for (arguments, words) in [
        (["cp", "villa-rosa:logs/link.log", &to], "is a link"),
        (["cp", "villa-rosa:logs/up/secret", &to], "is a link"),
        (["cp", "villa-rosa:logs/2026", &to], "is a folder"),
        (["cp", "villa-rosa:logs/nothing.log", &to], "there is no `nothing.log`"),
        (["cp", "villa-rosa:etc/passwd", &to], "no folder `etc`"),
        (["cp", &from, "villa-rosa:logs/panel.log"], "let nobody put files into `logs`"),
    ] {
        let said = scene.run(&arguments).await?;
        ensure!(said.code == Some(4) && said.err.contains(words), "{arguments:?}: {:?} {}", said.code, said.err);
    }
    assert_eq!(std::fs::read_to_string(&to)?, "zone 4 is open\n", "a refusal leaves what was there");
    for bad in ["villa-rosa:logs/../../etc/passwd", "villa-rosa:/etc/passwd", "villa-rosa:../secret"] {
        let said = scene.stage.technician.run(["cp", bad, &to]).await?;
        ensure!(said.code == Some(2), "{bad}: {:?} {}", said.code, said.err);
    }
    let csv = scene.stage.customer.file("/history.csv").await?;
    for row in ["read logs/2026/panel.log", "write firmware/fw.bin", "list logs", "read etc/passwd"] {
        ensure!(csv.contains(row), "`{row}` is not in the history:\n{csv}");
    }
    let on_device = scene.stage.agent.say(["history"]).await?.ok()?;
    ensure!(on_device.contains("read logs/2026/panel.log"), "{on_device}");
    Ok(())
}

#[tokio::test]
async fn a_copy_that_was_cut_goes_on_where_it_was_and_is_whole() -> anyhow::Result<()> {
    let mut scene = Scene::set().await?;
    let large = noise(1);
    std::fs::write(scene.logs.join("large.log"), &large)?;
    let to = scene.here("large.log");
    // What a cut transfer has left: so much of the same state of the file.
    let modified = std::fs::metadata(scene.logs.join("large.log"))?.modified()?;
    let micros = modified.duration_since(std::time::UNIX_EPOCH)?.as_micros();
    let part = scene.here.join(format!(".large.log.{micros}.gatelodge-part"));
    std::fs::write(&part, &large[..LARGE / 2])?;
    scene.run(&["cp", "villa-rosa:logs/large.log", &to]).await?.ok()?;
    ensure!(std::fs::read(&to)? == large, "what was fetched is another file");
    ensure!(parts(&scene.here)?.is_empty(), "a part is left");
    let csv = scene.stage.customer.file("/history.csv").await?;
    let carried = csv.lines().filter(|row| row.contains("flow_closed") && row.contains("read logs/large.log"));
    let bytes: Vec<usize> = carried.filter_map(|row| row.split(',').nth(17)?.trim_matches('"').parse().ok()).collect();
    ensure!(
        bytes.iter().all(|bytes| (LARGE / 2..LARGE / 2 + LARGE / 50).contains(bytes)) && bytes.len() == 1,
        "{bytes:?}"
    );

    // A part that is not what it says ends as no file, and the next time as the whole one.
    std::fs::write(&part, vec![7; LARGE / 2])?;
    let said = scene.run(&["cp", "villa-rosa:logs/large.log", &scene.here("large.log")]).await?;
    ensure!(said.code == Some(1) && said.err.contains("nothing was kept"), "{:?} {}", said.code, said.err);
    scene.run(&["cp", "villa-rosa:logs/large.log", &to]).await?.ok()?;
    ensure!(std::fs::read(&to)? == large, "what was fetched is another file");

    // Upwards, cut by the program's own death.
    let given = noise(2);
    std::fs::write(scene.here.join("fw.bin"), &given)?;
    let from = scene.here("fw.bin");
    let arguments = ["cp", from.as_str(), "villa-rosa:firmware/fw.bin", "--reason", "firmware 9"];
    let mut process = scene.stage.technician.start(arguments)?;
    let session = story::allow(&mut scene.stage).await?;
    let begun = wait_until("some of it is there", PATIENCE, async || {
        let parts = parts(&scene.firmware)?;
        Ok(parts.iter().any(|part| std::fs::metadata(part).is_ok_and(|part| part.len() > 0)).then_some(()))
    });
    begun.await.with_context(|| process.log())?;
    process.kill()?;
    story::press_stop(&scene.stage, &session).await?;
    ensure!(!scene.firmware.join("fw.bin").exists(), "half a file took the place");
    let half = parts(&scene.firmware)?.pop().context("the part is gone")?;
    let length = usize::try_from(std::fs::metadata(&half)?.len())?;
    let free = wait_until("the first session is over", PATIENCE, async || {
        let status = scene.stage.agent_status().await?;
        Ok(status.0["sessions"].as_array().is_some_and(Vec::is_empty).then_some(()))
    });
    free.await?;
    scene.run(&["cp", &from, "villa-rosa:firmware/"]).await?.ok()?;
    ensure!(std::fs::read(scene.firmware.join("fw.bin"))? == given, "what was given is another file");
    ensure!(length < LARGE && parts(&scene.firmware)?.is_empty(), "{length} were there before");
    Ok(())
}
