//! The cloud's kits on both databases: migrations, audit, jobs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gatelodge_cloud::{
    audit::{self, Actor, Entry},
    db::{ConnectError, Db, DbError},
    jobs::{self, Handler, JobError, Worker},
};
use gatelodge_proto::{DeviceId, OrganisationId};
use gatelodge_tests::{
    database::{Database, Kind},
    kits::TestKits,
    wait::wait_until,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn every_earlier_version_is_brought_up_to_date() -> anyhow::Result<()> {
    for kind in Kind::ALL {
        for step in 1..=Db::newest_step() {
            let Some(database) = Database::fresh(kind).await? else { continue };
            let url = database.url().parse()?;
            Db::open_at_step(&url, step).await?.close().await;
            let db = Db::open(&url).await?;
            db.ping().await?;
            db.close().await;
            // A second start finds nothing to do.
            Db::open(&url).await?.close().await;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_database_from_a_newer_version_is_refused_in_words() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let mut tx = test.kits.db.write().await?;
        gatelodge_cloud::change!(&mut tx, c => sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             SELECT 9000, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
        )
        .execute(c))?;
        tx.commit().await?;
        let error = Db::open(&test.kits.config.database).await.unwrap_err();
        assert!(matches!(error, ConnectError::Newer { found: 9000, .. }), "{error:?}");
        assert!(error.to_string().contains("written by a newer version"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named_without_its_password() {
    let error = Db::open(&"postgres://gatelodge:secret@127.0.0.1:1/gatelodge".parse().unwrap()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("127.0.0.1:1") && text.contains("database.url"), "{text}");
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}

#[tokio::test]
async fn an_audit_row_is_read_by_its_readers_alone_newest_first() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        let [installer, customer, stranger] = [(); 3].map(|()| OrganisationId::make(kits.now(), &kits.random));
        let device = DeviceId::make(kits.now(), &kits.random);
        let mut tx = kits.db.write().await?;
        for (what, readers) in [("device_registered", vec![installer]), ("device_activated", vec![installer, customer])]
        {
            let entry = Entry {
                actor: Actor::Operator("vendor".into()),
                what,
                device: Some(device),
                session: None,
                details: json!({"name": "Villa Rosa"}),
                readers,
            };
            audit::write(&mut tx, kits.now(), &kits.random, entry).await?;
            test.pass(Duration::from_secs(1));
        }
        tx.commit().await?;

        let mut tx = kits.db.read().await?;
        let words = |rows: Vec<audit::Row>| rows.into_iter().map(|row| row.what).collect::<Vec<_>>();
        let all = audit::read(&mut tx, installer, None, None, 10).await?;
        assert_eq!(all[0].details.0["name"], "Villa Rosa");
        let before = all[0].id;
        assert_eq!(words(all), ["device_activated", "device_registered"]);
        assert_eq!(words(audit::read(&mut tx, installer, None, Some(before), 10).await?), ["device_registered"]);
        assert_eq!(words(audit::read(&mut tx, customer, Some(device), None, 10).await?), ["device_activated"]);
        let other = DeviceId::make(kits.now(), &kits.random);
        assert!(audit::read(&mut tx, customer, Some(other), None, 10).await?.is_empty());
        assert!(audit::read(&mut tx, stranger, None, None, 10).await?.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn a_change_undone_leaves_no_job() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let (handler, done) = counting(|_| Ok(()));
        let mut tx = test.kits.db.write().await?;
        jobs::enqueue(&mut tx, test.kits.now(), &test.kits.random, "count", &json!({}), test.kits.now()).await?;
        drop(tx);
        assert_eq!(worker(&test, handler).round().await?, 0);
        assert_eq!(done.load(Ordering::SeqCst), 0);
    }
    Ok(())
}

#[tokio::test]
async fn a_job_is_retried_with_pauses_until_it_is_done() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let (handler, tries) =
            counting(|attempt| if attempt < 3 { Err(JobError::Retry("mail server down".into())) } else { Ok(()) });
        enqueue(&test).await?;
        let worker = worker(&test, handler);
        assert_eq!(worker.round().await?, 1);
        assert_eq!(worker.round().await?, 0, "not before its pause");
        test.pass(Duration::from_secs(5));
        assert_eq!(worker.round().await?, 1);
        test.pass(Duration::from_secs(10));
        assert_eq!(worker.round().await?, 1);
        test.pass(jobs::PATIENCE);
        assert_eq!(worker.round().await?, 0, "done jobs are gone");
        assert_eq!(tries.load(Ordering::SeqCst), 3);
    }
    Ok(())
}

#[tokio::test]
async fn a_job_nobody_can_do_is_set_aside_with_its_reason() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let (handler, tries) = counting(|_| Err(JobError::Fail("no such mailbox".into())));
        enqueue(&test).await?;
        let worker = worker(&test, handler);
        worker.round().await?;
        test.pass(jobs::PATIENCE);
        assert_eq!(worker.round().await?, 0);
        assert_eq!(tries.load(Ordering::SeqCst), 1);
        let mut tx = test.kits.db.read().await?;
        let (state, reason): (String, String) =
            gatelodge_cloud::run!(&mut tx, c => sqlx::query_as("SELECT state, last_error FROM job").fetch_one(c))?;
        assert_eq!((state.as_str(), reason.as_str()), ("dead", "no such mailbox"));
    }
    Ok(())
}

#[tokio::test]
async fn parallel_workers_do_each_job_once() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let (handler, done) = counting(|_| Ok(()));
        for _ in 0..40 {
            enqueue(&test).await?;
        }
        let rounds = (0..8).map(|_| {
            let worker = worker(&test, Arc::clone(&handler));
            tokio::spawn(async move {
                while worker.round().await? > 0 {}
                Ok::<(), DbError>(())
            })
        });
        for round in rounds.collect::<Vec<_>>() {
            round.await??;
        }
        assert_eq!(done.load(Ordering::SeqCst), 40);
    }
    Ok(())
}

/// As long as a mail server does not answer, its jobs hang; a full lane of them and more.
#[tokio::test]
async fn jobs_that_hang_hold_up_no_other_lane_and_no_free_place_of_their_own() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        let worker = |handlers: Vec<(&'static str, Handler)>| {
            Worker::new(kits.db.clone(), kits.clock.clone(), kits.jobs.clone(), handlers)
        };
        let hanging: Handler = Arc::new(|_| Box::pin(std::future::pending()));
        let (counts, counted) = counting(|_| Ok(()));
        let (quick, through) = counting(|_| Ok(()));
        let lanes = [worker(vec![("hang", hanging), ("quick", quick)]), worker(vec![("count", counts)])];
        let stop = CancellationToken::new();
        let running: Vec<_> = lanes.into_iter().map(|lane| tokio::spawn(lane.run(stop.clone()))).collect();
        let add = async |kind, how_many| -> anyhow::Result<()> {
            for _ in 0..how_many {
                enqueue_one(&test, kind).await?;
            }
            kits.jobs.ring();
            Ok(())
        };
        let reached = async |counter: &AtomicUsize, most: usize| {
            wait_until("the jobs are done", Duration::from_secs(90), async || {
                Ok((counter.load(Ordering::SeqCst) == most).then_some(()))
            })
            .await
        };
        add("hang", 7).await?;
        add("quick", 20).await?;
        reached(&through, 20).await?;
        add("hang", 7).await?;
        add("count", 20).await?;
        reached(&counted, 20).await?;
        stop.cancel();
        for lane in running {
            lane.abort();
        }
    }
    Ok(())
}

async fn enqueue(test: &TestKits) -> anyhow::Result<()> {
    enqueue_one(test, "count").await
}

async fn enqueue_one(test: &TestKits, kind: &'static str) -> anyhow::Result<()> {
    let kits = &test.kits;
    let mut tx = kits.db.write().await?;
    jobs::enqueue(&mut tx, kits.now(), &kits.random, kind, &json!({"n": 1}), kits.now()).await?;
    tx.commit().await?;
    Ok(())
}

fn worker(test: &TestKits, handler: Handler) -> Worker {
    let kits = &test.kits;
    Worker::new(kits.db.clone(), kits.clock.clone(), kits.jobs.clone(), [("count", handler)])
}

fn counting(outcome: impl Fn(i32) -> Result<(), JobError> + Send + Sync + 'static) -> (Handler, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let handler: Handler = Arc::new(move |job| {
        counter.fetch_add(1, Ordering::SeqCst);
        let outcome = outcome(job.attempt);
        Box::pin(async move { outcome })
    });
    (handler, count)
}
