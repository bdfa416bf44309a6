//! What a person reads when the programs are started wrongly: each answer names the thing, the place, and the next
//! step. The programs are the real ones.

use std::{
    fmt::Write as _, net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path, process::Command, time::Duration,
};

use gatelodge_agent::doctor::{self, Verdict};
use gatelodge_proto::{Clock, Random, Timestamp, enrol, identity::IdCode};
use gatelodge_tests::{
    agent::{AgentSetup, TestAgent},
    cloud::{CloudSetup, Said, TestCloud},
    ports::free_port,
    programs::program,
    settings::quoted,
    wait::wait_until,
};

fn open_to_all(file: &Path) {
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).unwrap();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// A device that no label has.
fn device() -> AgentSetup {
    let code = IdCode::make(&Random::seeded(7)).to_string();
    AgentSetup::labelled(&code, "02:42:AC:11:7F:07", "SN-7")
}

#[track_caller]
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "it does not say `{word}`:\n{text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

#[tokio::test]
async fn an_unknown_key_is_named_with_the_nearest_one() -> anyhow::Result<()> {
    let cloud = TestCloud::prepare(CloudSetup::default().set("http.lissten", "\"127.0.0.1:0\""))?;
    let text = cloud.run(["serve"]).await?.refused(1)?;
    says(&text, &["cloud.toml", "`http.lissten`", "did you mean `http.listen`?"]);

    let agent = TestAgent::prepare(&cloud, device().set("cloud.uri", "\"https://x\""))?;
    let text = agent.say(["run"]).await?.refused(1)?;
    says(&text, &["agent.toml", "`cloud.uri`", "did you mean `cloud.url`?"]);
    Ok(())
}

#[tokio::test]
async fn an_unknown_key_in_the_environment_is_named_too() -> anyhow::Result<()> {
    let cloud = TestCloud::prepare(CloudSetup::default())?;
    let mut command = cloud.command(["serve"])?;
    command.env("GATELODGE__HTTP__LISTN", "127.0.0.1:0");
    let text = Said::of(command).await?.refused(1)?;
    says(&text, &["GATELODGE__HTTP__LISTN", "did you mean `http.listen`?"]);
    Ok(())
}

#[tokio::test]
async fn a_key_file_that_others_can_read_is_refused() -> anyhow::Result<()> {
    let mut cloud = TestCloud::start(CloudSetup::default()).await?;
    cloud.stop().await?;
    let key = cloud.data_dir().join("keys/device-ca.key");
    open_to_all(&key);
    let text = cloud.run(["serve"]).await?.refused(1)?;
    says(&text, &["device-ca.key", "mode 644", "chmod 600"]);
    Ok(())
}

#[tokio::test]
async fn a_key_file_that_is_no_key_is_named() -> anyhow::Result<()> {
    let mut cloud = TestCloud::start(CloudSetup::default()).await?;
    cloud.stop().await?;
    std::fs::write(cloud.data_dir().join("keys/device-ca.key"), "not a key\n")?;
    let text = cloud.run(["serve"]).await?.refused(1)?;
    says(&text, &["device-ca", "restore it from the backup"]);
    Ok(())
}

#[tokio::test]
async fn a_key_file_that_cannot_be_read_is_named_with_what_to_check() -> anyhow::Result<()> {
    let mut cloud = TestCloud::start(CloudSetup::default()).await?;
    cloud.stop().await?;
    // Whoever runs the tests may read every file, but nobody reads a folder.
    let key = cloud.data_dir().join("keys/device-ca.key");
    std::fs::remove_file(&key)?;
    std::fs::create_dir(&key)?;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600))?;
    let text = cloud.run(["serve"]).await?.refused(1)?;
    says(&text, &["device-ca.key cannot be read", "check the disk and the rights of `data_dir`"]);
    Ok(())
}

#[tokio::test]
async fn a_devices_own_port_in_use_is_named_with_its_setting() -> anyhow::Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let agent = TestAgent::prepare(&cloud, device())?;
    let mut command = agent.command(["run"])?;
    command.env("GATELODGE_AGENT__LOCAL_PAGE__LISTEN", &address);
    let text = Said::of(command).await?.refused(1)?;
    says(&text, &[&address, "local_page.listen", "another port"]);
    Ok(())
}

#[tokio::test]
async fn a_clock_that_is_far_off_is_told_by_how_much_and_what_to_do() -> anyhow::Result<()> {
    // Whichever test comes first decides; they all choose alike.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let agent = TestAgent::prepare(&cloud, device())?;
    let settings = agent.state_dir().with_file_name("agent.toml");
    let (now, hour) = (Clock::system().now(), Duration::from_secs(3600));
    for (clock, direction) in [(now + hour, "ahead of the cloud's"), (now - hour, "behind the cloud's")] {
        let findings = doctor::examine(Some(&settings), std::iter::empty(), &Clock::set_to(clock)).await;
        let finding = findings.iter().find(|finding| finding.check == "clock").expect("the cloud said its time");
        says(&finding.found, &[" s ", direction]);
        let Verdict::Bad { next } = &finding.verdict else { panic!("an hour is no trouble: {finding:?}") };
        says(next, &["set the clock", "time service"]);
    }
    // So far that no certificate is good by it: the cloud is not what is wrong.
    for clock in [Timestamp::from_seconds(86_400), now + 24 * 3650 * hour] {
        let findings = doctor::examine(Some(&settings), std::iter::empty(), &Clock::set_to(clock)).await;
        let bad = |finding: &&doctor::Finding| matches!(finding.verdict, Verdict::Bad { .. });
        let bad: Vec<_> = findings.iter().filter(bad).map(|finding| finding.check).collect();
        assert_eq!(bad, ["clock"], "{findings:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_ca_file_that_is_not_there_is_named_with_its_setting() -> anyhow::Result<()> {
    let cloud = TestCloud::prepare(CloudSetup::default())?;
    let agent = TestAgent::prepare(&cloud, device())?;
    let mut command = agent.command(["run"])?;
    command.env("GATELODGE_AGENT__CLOUD__CA_FILE", "/nowhere/ca.pem");
    let text = Said::of(command).await?.refused(1)?;
    says(&text, &["/nowhere/ca.pem", "set cloud.ca_file"]);
    Ok(())
}

#[tokio::test]
async fn a_port_in_use_is_named_with_its_setting() -> anyhow::Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let cloud = TestCloud::prepare(CloudSetup::default())?;
    for (variable, setting) in [("GATELODGE__HTTP__LISTEN", "http.listen"), ("GATELODGE__MQTT__LISTEN", "mqtt.listen")]
    {
        let mut command = cloud.command(["serve"])?;
        command.env(variable, &address);
        let text = Said::of(command).await?.refused(1)?;
        says(&text, &[&address, setting, "another program"]);
    }
    Ok(())
}

#[tokio::test]
async fn a_data_folder_that_is_held_is_named() -> anyhow::Result<()> {
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let text = cloud.run(["serve"]).await?.refused(1)?;
    says(&text, &["another gatelodge-cloud runs on the data folder", "stop it first"]);
    Ok(())
}

#[tokio::test]
async fn a_database_from_a_newer_version_stops_the_start() -> anyhow::Result<()> {
    let mut cloud = TestCloud::start(CloudSetup::default()).await?;
    cloud.stop().await?;
    let url = format!("sqlite://{}", cloud.data_dir().join("gatelodge.db").display());
    let database: sqlx::SqlitePool = sqlx::SqlitePool::connect(&url).await?;
    sqlx::raw_sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         SELECT 9000, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
    )
    .execute(&database)
    .await?;
    database.close().await;
    let text = cloud.run(["serve"]).await?.refused(1)?;
    says(&text, &["newer version"]);
    Ok(())
}

#[tokio::test]
async fn a_devices_key_that_others_can_read_is_refused() -> anyhow::Result<()> {
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let mut agent = TestAgent::start(&cloud, device())?;
    wait_until("the agent runs", Duration::from_secs(90), async || {
        Ok(agent.say(["status", "--json"]).await?.success.then_some(()))
    })
    .await?;
    agent.kill()?;
    open_to_all(&agent.state_dir().join("credentials.json"));
    let text = agent.say(["run"]).await?.refused(1)?;
    says(&text, &["can be read by other users", "chmod 600", "gatelodge-agent reset"]);
    Ok(())
}

#[tokio::test]
async fn a_cloud_that_is_away_is_told_where_people_look() -> anyhow::Result<()> {
    let mut cloud = TestCloud::start(CloudSetup::default()).await?;
    cloud.stop().await?;
    let agent = TestAgent::start(&cloud, device())?;
    let told = wait_until("the agent tells its trouble", Duration::from_secs(90), async || {
        let said = agent.say(["status"]).await?.out;
        Ok(said.contains("problem").then_some(said))
    })
    .await?;
    says(&told, &["cannot be reached", "check the network and cloud.url", "gatelodge-agent doctor"]);
    let doctor = agent.say(["doctor"]).await?;
    assert!(!doctor.success);
    says(&doctor.out, &["FAIL  cloud", "next"]);
    Ok(())
}

#[tokio::test]
async fn a_device_endpoint_that_is_away_is_told_where_people_look() -> anyhow::Result<()> {
    let nowhere = quoted(&format!("127.0.0.1:{}", free_port()?));
    let setup = CloudSetup::default()
        .set("mqtt.endpoint", "\"external\"")
        .set("mqtt.broker", &nowhere)
        .set("mqtt.public", &nowhere);
    let cloud = TestCloud::start(setup).await?;
    cloud.run(["product", "add", "AX-100", "--name", "Alarm server AX 100"]).await?.ok()?;
    cloud.run(["batch", "make", "b1"]).await?.ok()?;
    let (code, mac, serial) = (IdCode::make(&Random::seeded(8)), "02:42:AC:11:7F:08", "SN-8");
    let rows = cloud.data_dir().join("rows.csv");
    let header = "id_code,mac,serial,product,purchased_on,proof,batch";
    std::fs::write(&rows, format!("{header}\n{code},{mac},{serial},AX-100,2026-03-01,factory_secret,b1\n"))?;
    cloud.run(["import", "devices", &rows.display().to_string()]).await?.ok()?;
    let key = std::fs::read_to_string(cloud.data_dir().join("keys/batches/b1.key"))?;
    let key = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, key.trim())?;
    let secret = enrol::factory_secret(&key, code, &serial.parse()?, mac.parse()?);
    let mut device = AgentSetup::labelled(&code.to_string(), mac, serial);
    writeln!(device.factory, "factory_secret = {}", quoted(&hex(&secret)))?;
    device.method = Some("factory_secret");

    // Whichever test comes first decides; they all choose alike.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let ready = reqwest::get(format!("{}/readyz", cloud.portal())).await?;
    assert_eq!(ready.status(), 503);
    says(&ready.text().await?, &["\"database\":true", "\"registrar\":false"]);
    let agent = TestAgent::start(&cloud, device)?;
    let told = wait_until("the agent is enrolled and tells its trouble", Duration::from_secs(90), async || {
        let said = agent.say(["status"]).await?.out;
        Ok((said.contains("Enrolled") && said.contains("refused")).then_some(said))
    })
    .await?;
    says(&told, &["offline since", "connects again by itself", "gatelodge-agent doctor"]);
    let doctor = agent.say(["doctor"]).await?;
    assert!(!doctor.success);
    says(&doctor.out, &["FAIL  device endpoint", nowhere.trim_matches('"'), "check the firewall"]);
    Ok(())
}

#[tokio::test]
async fn an_agent_that_does_not_run_says_how_to_start_it() -> anyhow::Result<()> {
    let cloud = TestCloud::prepare(CloudSetup::default())?;
    let agent = TestAgent::prepare(&cloud, device())?;
    let said = agent.say(["status"]).await?;
    assert_eq!(said.code, Some(3));
    says(&format!("{}{}", said.out, said.err), &["not running", "gatelodge-agent run"]);
    Ok(())
}

#[tokio::test]
async fn wrong_usage_shows_the_way() -> anyhow::Result<()> {
    for name in ["gatelodge-cloud", "gatelodge-agent"] {
        let mut command = Command::new(program(name)?);
        command.arg("srve");
        let text = Said::of(command).await?.refused(2)?;
        says(&text, &["srve", "--help"]);
        let mut command = Command::new(program(name)?);
        command.arg("--help");
        says(&Said::of(command).await?.ok()?, &["Example"]);
    }
    Ok(())
}
