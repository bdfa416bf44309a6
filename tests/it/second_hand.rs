//! Devices after their first owner, and devices that the vendor has retired while somebody still holds them.

use gatelodge_cloud::{
    activation::{
        amend,
        model::{Claim, Presence},
        register, release, service,
    },
    change,
    devices::service as devices,
    i18n::Language,
    run,
};
use gatelodge_proto::{identity::OnSiteCode, payload::Consent};

use crate::cast::{self, Cast, Prop, network};

async fn by_label(cast: &Cast, prop: Prop, web_address: &str) -> anyhow::Result<Claim> {
    let mut tx = cast.kits().db.read().await?;
    let serial = run!(&mut tx, c => sqlx::query_scalar::<_, String>("SELECT serial FROM device WHERE id = $1")
        .bind(prop.id.uuid())
        .fetch_one(c))?;
    let key = cast.kits().pki.batch("b-1")?.expect("the batch");
    let mut claim = Cast::claim(prop, OnSiteCode::make(&cast.kits().random), web_address, "rosa@example.com");
    claim.presence = Presence::LabelSecret(key.label_secret(prop.id_code, &serial.parse()?, prop.mac));
    Ok(claim)
}

#[tokio::test]
async fn whoever_kept_a_picture_of_the_label_cannot_register_a_device_that_was_released() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        kits.pki.make_batch("b-1")?;
        let marc = cast.installer("marc@example.com").await?;
        let prop = cast.device_in("enrolled", Some("b-1")).await?;
        let claim = by_label(&cast, prop, "villa-rosa").await?;
        let registration = register::save(kits, &marc, &network(), &claim, None, Language::En).await?;
        let rosa = cast.confirms(registration, "rosa@example.com", Consent::Ask).await?;
        release::release(kits, &rosa, prop.id, "villa-rosa").await?;
        cast.lets_in(prop.id).await?;

        let refusal = register::check(kits, &marc, &network(), &claim).await.unwrap_err();
        assert_eq!(refusal.word(), "label_secret_over");
        assert!(refusal.to_string().contains("let it show a code"), "{refusal}");
        let lena = cast.installer("lena@example.com").await?;
        cast.registers(&lena, prop, "villa-nora", "nora@example.com").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_refused_check_undoes_what_it_did_on_the_way() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let prop = cast.device().await?;
        let code = cast.shows_code(prop.id).await?;
        let life = async |life: &'static str| -> anyhow::Result<()> {
            let mut tx = kits.db.write().await?;
            change!(&mut tx, c => sqlx::query("UPDATE device SET life = $1").bind(life).execute(c))?;
            Ok(tx.commit().await?)
        };
        let claim = Cast::claim(prop, code, "villa-rosa", "rosa@example.com");
        // Somebody else's registration was written between the first look and the last.
        life("registered").await?;
        let refusal = register::check(kits, &marc, &network(), &claim).await.unwrap_err();
        assert_eq!(refusal.word(), "taken");
        life("enrolled").await?;
        register::check(kits, &marc, &network(), &claim).await.expect("the code was not used up by a refusal");
    }
    Ok(())
}

#[tokio::test]
async fn a_retired_device_lets_its_people_go() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let vendor = cast.vendor().await?;
        let marc = cast.installer("marc@example.com").await?;
        let (owned, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let waiting = cast.device().await?;
        cast.registers(&marc, waiting, "villa-blu", "blu@example.com").await?;
        for prop in [owned, waiting] {
            devices::retire(kits, &vendor, prop.id).await?;
        }
        release::release(kits, &rosa, owned.id, "villa-rosa").await?;
        amend::cancel(kits, &marc, waiting.id).await?;
        assert!(service::one(kits, rosa.member(), owned.id).await?.is_none());
        assert_eq!(cast.count("SELECT COUNT(*) FROM device WHERE life = 'retired' AND epoch = 2").await?, 2);
        let history = cast.history(rosa.member().organisation_id, owned.id).await?;
        assert!(history.contains(&"device_released".to_owned()), "{history:?}");
        // The web addresses are free again.
        for web_address in ["villa-rosa", "villa-blu"] {
            let next = cast.device().await?;
            cast.registers(&marc, next, web_address, "nora@example.com").await?;
        }
    }
    Ok(())
}
