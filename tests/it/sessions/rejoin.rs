//! Ends that come again to a session that is open: by what they pledged, and by nothing else.

use gatelodge_cloud::sessions::{
    carry::{self, NotAdmitted},
    end, join,
    model::{Pledge, Side, Ticket, Traffic},
};
use gatelodge_proto::payload::{Consent, EndReason};

use super::asked;
use crate::cast;

fn secret(word: &str) -> String {
    word.repeat(32)
}

fn pledge(word: &str) -> Pledge {
    Pledge::of_secret(&secret(word)).unwrap()
}

#[tokio::test]
async fn an_end_comes_again_by_its_own_pledge_while_its_session_is_open() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let session = asked(&cast, &marc, prop).await?.id;
        let ticket = async || -> anyhow::Result<Ticket> { Ok(join::join(kits, &marc, session).await?.ticket.parse()?) };
        let again = async |word: &str, side| carry::admit_again(kits, &pledge(word), side).await;
        let unknown = async |word: &str, side| matches!(again(word, side).await, Err(NotAdmitted::Unknown));

        carry::admit(kits, &ticket().await?, Side::Technician).await?;
        carry::pledge(kits, session, Side::Technician, &pledge("a1")).await?;
        carry::supervise(kits, &[(session, Traffic { up: 9, down: 4 })]).await?;
        for _ in 0..3 {
            cast.pass(90);
            let admitted = again("a1", Side::Technician).await?;
            assert_eq!(admitted.session, session);
        }
        assert_eq!(cast.count("SELECT rejoins FROM remote_session").await?, 3);
        assert_eq!(end::sweep(kits).await?, 0, "who comes again renews the lease");
        assert!(unknown("a2", Side::Technician).await, "nobody pledged this");
        assert!(unknown("a1", Side::Device).await, "the other end did");

        carry::admit(kits, &ticket().await?, Side::Technician).await?;
        carry::pledge(kits, session, Side::Technician, &pledge("b1")).await?;
        assert!(unknown("a1", Side::Technician).await, "a newer pledge took its place");
        carry::admit(kits, &ticket().await?, Side::Technician).await?;
        assert!(again("b1", Side::Technician).await.is_ok());

        end::stop_by_customer(kits, &rosa, session).await?;
        let refused = again("b1", Side::Technician).await;
        assert!(matches!(refused, Err(NotAdmitted::Over(EndReason::Customer))), "{refused:?}");
        let history = cast.history(marc.member().organisation_id, prop.id).await?;
        assert!(!history.iter().any(|what| what == "session_opened"), "{history:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_session_that_nobody_took_up_again_is_over() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, _) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let session = asked(&cast, &marc, prop).await?.id;
        let ticket: Ticket = join::join(kits, &marc, session).await?.ticket.parse()?;
        carry::admit(kits, &ticket, Side::Technician).await?;
        carry::pledge(kits, session, Side::Technician, &pledge("a1")).await?;
        cast.pass(101);
        let late = carry::admit_again(kits, &pledge("a1"), Side::Technician).await;
        assert!(matches!(late, Err(NotAdmitted::Over(EndReason::RelayLost))), "{late:?}");
        assert_eq!(end::sweep(kits).await?, 1);
    }
    Ok(())
}
