//! `gatelodge-fsck` on real databases of both kinds: a database that real services have written is whole, and each
//! damage done to a copy of it is told in its sentence.

mod damages;
mod sound;

use std::{path::Path, process::Command};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatelodge_cloud::db::Db;
use gatelodge_proto::{Clock, DeviceId, Timestamp};
use gatelodge_tests::{
    database::{Database, Kind},
    fsck::{self, Finding, Progress, Scope},
    kits::START,
    ledger::{AGAIN, Ledger, Receipted},
    programs::program,
};
use sqlx::{ConnectOptions as _, Connection as _};
use uuid::Uuid;

use sound::Sound;

/// Does damage that the database itself would refuse.
async fn damage(database: &Database, statement: &str) -> anyhow::Result<()> {
    let statement = sqlx::AssertSqlSafe(statement.to_owned());
    if let Some(file) = database.url().strip_prefix("sqlite://") {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).foreign_keys(false);
        let mut connection = options.connect().await?;
        sqlx::raw_sql(statement).execute(&mut connection).await?;
        connection.close().await?;
    } else {
        let mut connection = sqlx::PgConnection::connect(database.url()).await?;
        sqlx::raw_sql("SET session_replication_role = replica").execute(&mut connection).await?;
        sqlx::raw_sql(statement).execute(&mut connection).await?;
        connection.close().await?;
    }
    Ok(())
}

/// Looks at a database as of the story's time.
async fn findings(database: &Database, change: impl FnOnce(&mut Scope)) -> anyhow::Result<Vec<Finding>> {
    let db = Db::open_to_read(&database.url().parse()?).await?;
    let clock = Clock::set_to(START + sound::LENGTH);
    let mut scope = Scope { settle: std::time::Duration::ZERO, ..Scope::of(db.clone(), clock) };
    change(&mut scope);
    let outcome = fsck::look(&scope, &Progress::default()).await?;
    db.close().await;
    Ok(outcome.findings)
}

fn lines(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

async fn each_damage_is_told(kind: Kind) -> anyhow::Result<()> {
    let Some(sound) = Sound::on(kind).await? else { return Ok(()) };
    assert_eq!(lines(&findings(&sound.database, |_| {}).await?), [""; 0]);
    let mut silent = Vec::new();
    for (invariant, sentence, statement) in damages::DAMAGES {
        let copy = sound.database.copy().await?;
        damage(&copy, statement).await.map_err(|error| error.context(statement))?;
        let found = findings(&copy, |_| {}).await?;
        if !found.iter().any(|one| one.invariant == invariant && one.meaning.contains(sentence)) {
            silent.push(format!("{invariant} `{sentence}`, but {:?}", lines(&found)));
        }
    }
    assert!(silent.is_empty(), "on {kind} nothing was told of:\n{}", silent.join("\n"));
    Ok(())
}

#[tokio::test]
async fn each_damage_is_told_in_its_sentence() -> anyhow::Result<()> {
    each_damage_is_told(Kind::Sqlite).await
}

#[tokio::test]
async fn each_damage_is_told_in_its_sentence_on_postgresql() -> anyhow::Result<()> {
    each_damage_is_told(Kind::Postgres).await
}

#[test]
fn every_rule_has_its_damage() {
    let told: Vec<_> = damages::DAMAGES.iter().map(|(invariant, sentence, _)| (*invariant, *sentence)).collect();
    let unshown: Vec<_> = fsck::meanings()
        .filter(|(invariant, meaning)| !told.iter().any(|(of, said)| of == invariant && meaning.contains(said)))
        .collect();
    assert!(unshown.is_empty(), "no damage shows {unshown:#?}");
}

fn receipt(device: DeviceId, seq: u64, kind: &str) -> Receipted {
    let boot = Uuid::from_u128(1);
    Receipted { device, boot, seq, kind: kind.into(), when: Timestamp::from_seconds(1_800_000_000), parked: None }
}

#[tokio::test]
async fn a_receipt_without_its_message_is_a_loss() -> anyhow::Result<()> {
    for kind in Kind::ALL {
        let Some(sound) = Sound::on(kind).await? else { continue };
        let file = tempfile::NamedTempFile::new()?;
        let ledger = Ledger::open(file.path())?;
        let found = async || findings(&sound.database, |scope| scope.ledgers = vec![file.path().into()]).await;
        ledger.note(&receipt(sound.reported.0, sound.reported.1, "report"))?;
        ledger.note(&receipt(sound.reported.0, sound.reported.1, AGAIN))?;
        ledger.note(&Receipted { parked: Some("no".into()), ..receipt(sound.reported.0, 9_999, "report") })?;
        assert_eq!(lines(&found().await?), [""; 0]);
        ledger.note(&receipt(sound.reported.0, sound.reported.1, "event"))?;
        ledger.note(&receipt(sound.reported.0, 8_888, "report"))?;
        let told = lines(&found().await?);
        assert!(told[0].contains(&format!("line 5 (device {}", sound.reported.0)), "{told:?}");
        assert!(told[0].contains("what a device reported is lost"), "{told:?}");
        assert!(told[1].contains("line 4 (") && told[1].contains("as another kind"), "{told:?}");
        assert_eq!(told.len(), 2, "{told:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_secret_is_found_where_it_leaks() -> anyhow::Result<()> {
    for kind in Kind::ALL {
        let Some(sound) = Sound::on(kind).await? else { continue };
        let log = tempfile::NamedTempFile::new()?;
        let other = URL_SAFE_NO_PAD.encode([3; 32]);
        std::fs::write(
            log.path(),
            format!("innocent {other}\nGET /activate#{}\nticket={}\n", sound.link, sound.ticket),
        )?;
        let told = lines(&findings(&sound.database, |scope| scope.logs = vec![log.path().into()]).await?);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("line 2: a secret whose hash is in one_time_token stands here"), "{told:?}");
        assert!(told[1].contains("line 3: a secret whose hash is in join_ticket stands here"), "{told:?}");

        let copy = sound.database.copy().await?;
        damage(&copy, &format!("UPDATE session_flow SET target = 'x {}'", sound.link)).await?;
        damage(&copy, "UPDATE job SET last_error = '-----BEGIN PRIVATE KEY-----'").await?;
        let told = lines(&findings(&copy, |_| {}).await?);
        assert!(told.iter().any(|line| line.starts_with("I20  job ") && line.contains("a private key")), "{told:?}");
        let leaks = |line: &&String| line.starts_with("I20  session_flow ") && line.contains("one_time_token");
        assert_eq!(told.iter().filter(leaks).count(), 1, "{told:?}");
    }
    Ok(())
}

fn run(arguments: &[&str]) -> anyhow::Result<(Option<i32>, String, String)> {
    let output = Command::new(program("gatelodge-fsck")?).args(arguments).output()?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
}

#[tokio::test]
async fn the_program_tells_whole_broken_and_unreadable_apart() -> anyhow::Result<()> {
    for kind in Kind::ALL {
        let Some(sound) = Sound::on(kind).await? else { continue };
        let copy = sound.database.copy().await?;
        // The story lies in the future of the system's clock, so nothing in it is late.
        let (code, said, trouble) = run(&["--database", copy.url()])?;
        assert_eq!(code, Some(0), "{said}{trouble}");
        assert!(said.starts_with("whole: ") && said.contains(" rules, "), "{said}");

        damage(&copy, "UPDATE audit_row SET what = 'nothing' WHERE what = 'device_released'").await?;
        let (code, said, _) = run(&["--database", copy.url()])?;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("I18  audit_row ") && said.contains("; next: find out who could write"), "{said}");
        assert!(said.contains("\nbroken: "), "{said}");

        let (code, _, trouble) = run(&["--database", &format!("{}-that-is-not-there", copy.url())])?;
        assert_eq!(code, Some(2), "{trouble}");
        assert!(trouble.starts_with("gatelodge-fsck: the database at "), "{trouble}");
    }
    let empty = Database::sqlite()?;
    std::fs::write(Path::new(empty.url().trim_start_matches("sqlite://")), "")?;
    let (code, _, trouble) = run(&["--database", empty.url()])?;
    assert_eq!(code, Some(2));
    assert!(trouble.contains("the database is at step 0") && trouble.contains("start gatelodge-cloud"), "{trouble}");
    Ok(())
}
