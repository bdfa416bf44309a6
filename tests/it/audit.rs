//! The audit trail's hash chains on both databases: whatever is changed, taken out or put in behind the cloud's back is
//! found, and named where it begins.

use std::process::Command;

use gatelodge_cloud::{
    audit::{self, Actor, Broken, ChainFault, Entry, Length, Seen},
    change,
    db::Db,
    kits::Kits,
    run,
    sessions::request,
};
use gatelodge_proto::{DeviceId, UserId, payload::Consent};
use gatelodge_tests::{database::Kind, kits::TestKits, programs::program};
use serde_json::json;
use uuid::Uuid;

fn entry(actor: Actor, device: Option<DeviceId>) -> Entry {
    let details = json!({ "name": "Villa Rosa", "bytes_up": 12, "nothing": null, "list": ["é", true] });
    Entry { actor, what: "device_registered", device, session: None, details, readers: Vec::new() }
}

async fn happens(kits: &Kits, actor: Actor, device: Option<DeviceId>) -> anyhow::Result<()> {
    let mut tx = kits.db.write().await?;
    audit::write(&mut tx, kits.now(), &kits.random, entry(actor, device)).await?;
    Ok(tx.commit().await?)
}

/// Three rows about a new device.
async fn history(kits: &Kits) -> anyhow::Result<Uuid> {
    let device = DeviceId::make(kits.now(), &kits.random);
    for _ in 0..3 {
        happens(kits, Actor::Cloud, Some(device)).await?;
    }
    Ok(device.uuid())
}

async fn looked_at(db: &Db) -> anyhow::Result<(Length, Vec<Broken>)> {
    let mut broken = Vec::new();
    let mut tx = db.snapshot().await?;
    let length = audit::verify(&mut tx, |seen| {
        if let Seen::Broken(link) = seen {
            broken.push(link);
        }
    });
    Ok((length.await?, broken))
}

async fn damage(kits: &Kits, statement: &'static str, chain: Uuid) -> anyhow::Result<()> {
    let mut tx = kits.db.write().await?;
    let hit = change!(&mut tx, c => sqlx::query(statement).bind(chain).execute(c))?;
    assert_ne!(hit, 0, "{statement}");
    Ok(tx.commit().await?)
}

async fn row(kits: &Kits, chain: Uuid, place: i64) -> anyhow::Result<Uuid> {
    let mut tx = kits.db.read().await?;
    Ok(run!(&mut tx, c => sqlx::query_scalar("SELECT id FROM audit_row WHERE chain = $1 AND place = $2")
        .bind(chain)
        .bind(place)
        .fetch_one(c))?)
}

#[tokio::test]
async fn every_damage_to_a_history_is_found_where_it_begins() -> anyhow::Result<()> {
    // Where the fault is named after the damage, by place.
    let damages: [(&'static str, ChainFault, Option<i64>); 10] = [
        ("UPDATE audit_row SET what = 'device_released' WHERE chain = $1 AND place = 2", ChainFault::Changed, Some(2)),
        ("UPDATE audit_row SET at = at + 1 WHERE chain = $1 AND place = 3", ChainFault::Changed, Some(3)),
        ("UPDATE audit_row SET actor_name = 'Eve' WHERE chain = $1 AND place = 1", ChainFault::WordsChanged, Some(1)),
        ("UPDATE audit_row SET details = '{}' WHERE chain = $1 AND place = 2", ChainFault::WordsChanged, Some(2)),
        (
            "UPDATE audit_row SET salt = NULL, actor_name = 'Eve' WHERE chain = $1 AND place = 3",
            ChainFault::WordsChanged,
            Some(3),
        ),
        ("DELETE FROM audit_row WHERE chain = $1 AND place = 1", ChainFault::Gap, Some(2)),
        ("DELETE FROM audit_row WHERE chain = $1 AND place = 2", ChainFault::Gap, Some(3)),
        ("DELETE FROM audit_row WHERE chain = $1 AND place = 3", ChainFault::Cut, Some(2)),
        ("UPDATE audit_chain SET head = '\\x00' WHERE id = $1", ChainFault::OtherEnd, Some(3)),
        ("UPDATE audit_chain SET length = 2 WHERE id = $1", ChainFault::Stray, Some(3)),
    ];
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        let user = UserId::make(kits.now(), &kits.random);
        happens(kits, Actor::User { id: user, name: "Rosa".into() }, None).await?;
        happens(kits, Actor::Operator("command line".into()), None).await?;
        happens(kits, Actor::Cloud, None).await?;
        let whole = history(kits).await?;
        assert_eq!(looked_at(&kits.db).await?, (Length { rows: 6, chains: 3 }, Vec::new()));

        let mut expected = Vec::new();
        for (statement, fault, place) in damages {
            let chain = history(kits).await?;
            let named = match place {
                Some(place) => Some(row(kits, chain, place).await?),
                None => None,
            };
            damage(kits, statement, chain).await?;
            expected.push((chain, named, fault));
        }
        let emptied = history(kits).await?;
        damage(kits, "DELETE FROM audit_row WHERE chain = $1", emptied).await?;
        expected.push((emptied, None, ChainFault::Emptied));
        let orphaned = history(kits).await?;
        let first = row(kits, orphaned, 1).await?;
        damage(kits, "DELETE FROM audit_chain WHERE id = $1", orphaned).await?;
        expected.push((orphaned, Some(first), ChainFault::Stray));

        // Words may be erased: facts and chain stay.
        damage(kits, "UPDATE audit_row SET actor_name = '', details = '{}', salt = NULL WHERE chain = $1", whole)
            .await?;

        let (_, broken) = looked_at(&kits.db).await?;
        let mut found: Vec<_> = broken.iter().map(|link| (link.chain, link.row, link.fault)).collect();
        found.sort_by_key(|(chain, ..)| *chain);
        expected.sort_by_key(|(chain, ..)| *chain);
        assert_eq!(found, expected);
    }
    Ok(())
}

#[tokio::test]
async fn many_writers_make_one_chain() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let device = DeviceId::make(test.kits.now(), &test.kits.random);
        let writers: Vec<_> = (0..24)
            .map(|_| {
                let kits = test.kits.clone();
                tokio::spawn(async move { happens(&kits, Actor::Cloud, Some(device)).await })
            })
            .collect();
        for writer in writers {
            writer.await??;
        }
        assert_eq!(looked_at(&test.kits.db).await?, (Length { rows: 24, chains: 1 }, Vec::new()));
    }
    Ok(())
}

#[tokio::test]
async fn an_operator_is_told_the_first_broken_link() -> anyhow::Result<()> {
    for kind in Kind::ALL {
        let Some(test) = TestKits::on(kind).await? else { continue };
        let doctor = || {
            let mut command = Command::new(program("gatelodge-cloud")?);
            command.args(["doctor", "audit"]).env("GATELODGE__DATABASE__URL", test.database.url());
            let output = command.output()?;
            let text = String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?;
            anyhow::Ok((output.status.code(), text))
        };
        let chain = history(&test.kits).await?;
        assert_eq!(doctor()?, (Some(0), "The audit trail is whole. Rows: 3, histories: 1.\n".to_owned()));

        let changed = row(&test.kits, chain, 2).await?;
        damage(&test.kits, "UPDATE audit_row SET what = 'nothing' WHERE chain = $1 AND place = 2", chain).await?;
        let (code, text) = doctor()?;
        assert_eq!(code, Some(1), "{text}");
        let begins = format!("audit_row {changed} of 2027-01-15T08:00:00Z: this row was changed after it was written");
        assert!(text.starts_with(&begins) && text.contains(&format!("that of {chain}")), "{text}");
        assert!(text.contains("\nNext: find out who could write to the database"), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn the_whole_history_leaves_as_csv_json_and_pages_and_holds_its_readers_rows_alone() -> anyhow::Result<()> {
    for cast in crate::cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (prop, _) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let other = cast.installer("luc@example.com").await?;
        let (foreign, _) = cast.active(&other, "villa-verde", "verdi@example.com", Consent::Ask).await?;
        for (by, prop) in [(&marc, prop), (&other, foreign), (&marc, prop)] {
            request::request(cast.kits(), by, crate::sessions::wish(prop)).await?;
        }
        let organisation = marc.member().organisation_id;
        let mut tx = cast.kits().db.read().await?;
        let forward = audit::read_on(&mut tx, organisation, None, None, 1000).await?;
        let mut backward = audit::read(&mut tx, organisation, None, None, 1000).await?;
        backward.reverse();
        let ids = |rows: &[audit::Row]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
        assert_eq!(ids(&forward), ids(&backward), "one history, read from either end");
        assert!(forward.len() > 3 && forward.iter().all(|row| row.device_id != Some(foreign.id.uuid())));
        let rest = audit::read_on(&mut tx, organisation, None, Some(forward[1].id), 1).await?;
        assert_eq!(ids(&rest), [forward[2].id], "page by page, nothing twice and nothing left out");
        let of_device = audit::read_on(&mut tx, organisation, Some(prop.id), None, 1000).await?;
        assert!(!of_device.is_empty() && of_device.iter().all(|row| row.device_id == Some(prop.id.uuid())));
    }
    Ok(())
}
