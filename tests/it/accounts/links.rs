//! Links in mails: used once by one of many, void when a newer one is there, expired in time.

use std::time::Duration;

use gatelodge_cloud::accounts::tokens::{self, Purpose, Secret, TokenRefusal};
use gatelodge_tests::kits::TestKits;
use tokio::task::JoinSet;
use uuid::Uuid;

const SUBJECT: Uuid = Uuid::from_u128(7);
const LIFE: Duration = Duration::from_secs(600);

async fn issue(test: &TestKits, purpose: Purpose) -> Secret {
    let kits = &test.kits;
    let mut tx = kits.db.write().await.unwrap();
    let secret = tokens::issue(&mut tx, kits.now(), &kits.random, purpose, SUBJECT, LIFE).await.unwrap();
    tx.commit().await.unwrap();
    secret
}

async fn consume(test: &TestKits, purpose: Purpose, secret: &Secret) -> Option<Uuid> {
    let mut tx = test.kits.db.write().await.unwrap();
    let subject = tokens::consume(&mut tx, test.kits.now(), purpose, secret).await.unwrap();
    tx.commit().await.unwrap();
    subject
}

async fn peek(test: &TestKits, purpose: Purpose, secret: &Secret) -> Result<Uuid, TokenRefusal> {
    let mut tx = test.kits.db.read().await.unwrap();
    tokens::peek(&mut tx, test.kits.now(), purpose, secret).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_at_once_one_uses_the_link() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        for _ in 0..3 {
            let secret = issue(&test, Purpose::Activation).await;
            let mut racers = JoinSet::new();
            for _ in 0..64 {
                let (kits, secret) = (test.kits.clone(), secret.clone());
                racers.spawn(async move {
                    let mut tx = kits.db.write().await.unwrap();
                    let won = tokens::consume(&mut tx, kits.now(), Purpose::Activation, &secret).await.unwrap();
                    tx.commit().await.unwrap();
                    won
                });
            }
            let winners: Vec<Uuid> = racers.join_all().await.into_iter().flatten().collect();
            assert_eq!(winners, [SUBJECT]);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_link_says_why_it_does_not_work() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let stranger = Secret::make(&gatelodge_proto::Random::seeded(99));
        assert_eq!(peek(&test, Purpose::SetPassword, &stranger).await, Err(TokenRefusal::Unknown));

        let older = issue(&test, Purpose::SetPassword).await;
        assert_eq!(peek(&test, Purpose::Activation, &older).await, Err(TokenRefusal::Unknown), "another purpose");
        assert_eq!(consume(&test, Purpose::Activation, &older).await, None);

        let newer = issue(&test, Purpose::SetPassword).await;
        assert_eq!(peek(&test, Purpose::SetPassword, &older).await, Err(TokenRefusal::Superseded));
        assert_eq!(consume(&test, Purpose::SetPassword, &older).await, None);

        assert_eq!(peek(&test, Purpose::SetPassword, &newer).await, Ok(SUBJECT), "looking uses nothing up");
        assert_eq!(consume(&test, Purpose::SetPassword, &newer).await, Some(SUBJECT));
        assert_eq!(peek(&test, Purpose::SetPassword, &newer).await, Err(TokenRefusal::Used));
        assert_eq!(consume(&test, Purpose::SetPassword, &newer).await, None);

        let late = issue(&test, Purpose::SetPassword).await;
        test.pass(LIFE);
        assert_eq!(peek(&test, Purpose::SetPassword, &late).await, Err(TokenRefusal::Expired));
        assert_eq!(consume(&test, Purpose::SetPassword, &late).await, None);
    }
    Ok(())
}

#[tokio::test]
async fn a_link_of_an_undone_transaction_still_works() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let secret = issue(&test, Purpose::Activation).await;
        let mut tx = test.kits.db.write().await?;
        assert_eq!(tokens::consume(&mut tx, test.kits.now(), Purpose::Activation, &secret).await?, Some(SUBJECT));
        drop(tx);
        assert_eq!(consume(&test, Purpose::Activation, &secret).await, Some(SUBJECT));
    }
    Ok(())
}
