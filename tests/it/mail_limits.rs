//! How many mails one person may cause.

use gatelodge_cloud::activation::{amend, register::RegisterRefusal};

use crate::cast;

#[tokio::test]
async fn no_mailbox_is_flooded_by_registering_and_cancelling() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let prop = cast.device().await?;
        let links = "SELECT count(*) FROM job WHERE kind = 'activation.mail_link'";
        for number in 0..6 {
            cast.registers(&marc, prop, "villa-rosa", &format!("rosa{number}@example.com")).await?;
            amend::cancel(kits, &marc, prop.id).await?;
            cast.pass(60);
        }
        let refused = cast.registers(&marc, prop, "villa-rosa", "rosa@example.com").await.unwrap_err();
        assert!(matches!(refused.downcast_ref(), Some(RegisterRefusal::Throttled(_))), "{refused:?}");
        assert_eq!(cast.count(links).await?, 6);
        // One customer may have many devices on a site, but no endless number in an hour.
        for number in 0..20 {
            let prop = cast.device().await?;
            cast.registers(
                &marc,
                prop,
                &format!("villa-{number}"),
                ["anna@example.com", "ANNA@example.com"][number % 2],
            )
            .await?;
            cast.pass(60);
        }
        let prop = cast.device().await?;
        let refused = cast.registers(&marc, prop, "villa-more", "Anna@Example.com").await.unwrap_err();
        assert!(matches!(refused.downcast_ref(), Some(RegisterRefusal::Throttled(_))), "{refused:?}");
        assert_eq!(cast.count(links).await?, 26);
        cast.registers(&marc, prop, "villa-more", "paul@example.com").await?;
    }
    Ok(())
}
