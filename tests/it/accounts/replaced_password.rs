//! A new password puts everybody else out: whatever was signed in, approved or under way with the old one.

use gatelodge_cloud::{
    accounts::{
        model::Member,
        program_sign_in::{self, Decision, PollRefusal},
        recover::{self, SetPasswordRefusal},
        tokens::{self, Purpose, Secret, TokenRefusal},
    },
    kits::Kits,
};
use gatelodge_tests::kits::TestKits;
use tokio::task::JoinSet;

use super::people::{PASSWORD, network, vendor};

const VERA: &str = "vera@vendor.example";
const NEWER: &str = "seven kettles under copper";

async fn link(kits: &Kits, user: &Member) -> anyhow::Result<Secret> {
    let mut tx = kits.db.write().await?;
    let (now, life) = (kits.now(), Purpose::SetPassword.life());
    let link = tokens::issue(&mut tx, now, &kits.random, Purpose::SetPassword, user.user_id.uuid(), life).await?;
    tx.commit().await?;
    Ok(link)
}

#[tokio::test]
async fn a_program_that_was_approved_and_has_not_asked_yet_stays_out() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        let vera = vendor(kits, VERA).await?;
        let started = program_sign_in::start(kits, &network("192.0.2.9")).await?.unwrap();
        assert!(program_sign_in::decide(kits, &vera, &started.user_code, Decision::Approve, None).await?);
        let link = link(kits, &vera).await?;
        recover::set_password(kits, &link, NEWER).await?.unwrap();
        let answer = program_sign_in::poll(kits, &started.device_code).await?;
        assert_eq!(answer.err(), Some(PollRefusal::Denied));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_mails_of_one_moment_one_carries_a_link_that_works() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let vera = vendor(&test.kits, VERA).await?;
        let mut mails = JoinSet::new();
        for _ in 0..16 {
            let (kits, vera) = (test.kits.clone(), vera.clone());
            mails.spawn(async move { link(&kits, &vera).await });
        }
        let mut working = 0;
        let mut tx = test.kits.db.read().await?;
        // One that lost is made again by its job.
        for link in mails.join_all().await.into_iter().flatten() {
            let looked = tokens::peek(&mut tx, test.kits.now(), Purpose::SetPassword, &link).await?;
            working += usize::from(looked.is_ok());
        }
        assert_eq!(working, 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_new_password_voids_every_other_link_to_one() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        let vera = vendor(kits, VERA).await?;
        let older = link(kits, &vera).await?;
        let newer = link(kits, &vera).await?;
        recover::set_password(kits, &newer, NEWER).await?.unwrap();
        let answer = recover::set_password(kits, &older, PASSWORD).await?;
        assert_eq!(answer.err(), Some(SetPasswordRefusal::Link(TokenRefusal::Superseded)));
    }
    Ok(())
}
