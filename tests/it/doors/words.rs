//! What the pages say to whom: whose device it becomes, when a link left, that no reason was given.

use std::time::Duration;

use gatelodge_cloud::{
    accounts::{
        SignedIn,
        model::{OrganisationKind, Role},
        portal_session::{self, Browser},
        tokens::Secret,
    },
    activation,
};
use gatelodge_proto::payload::Consent;
use http::StatusCode;

use super::{Knock, asked_for};
use crate::cast::{self, Cast};

/// A browser that is signed in as this member, with the activation link it has followed.
async fn browser(cast: &Cast, who: &SignedIn, link: &Secret) -> anyhow::Result<String> {
    let (kits, browser) = (cast.kits(), Browser { user_agent: "Test/1".into(), network: cast::network() });
    let mut tx = kits.db.write().await?;
    let session = portal_session::begin(&mut tx, kits, kits.now(), who.member(), &browser, false).await?;
    tx.commit().await?;
    Ok(format!("{}={}; __Host-gl-activation={}", portal_session::COOKIE, session.expose(), link.expose()))
}

#[tokio::test]
async fn a_customer_says_which_organisation_the_next_device_belongs_to() -> anyhow::Result<()> {
    const FORM: &str = "name=Rosa+Bianchi&address=5+quai&postcode=69002&city=Lyon&country=France&consent=ask";
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (_, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let home = rosa.member().organisation_id;
        let stranger = cast.somebody(OrganisationKind::Customer, Role::Administrator, "stranger@example.com").await?;
        let nobody = Knock::by_nobody(&cast);
        let post = async |cookie: &str, owner: &str| {
            let (kind, body) = ("application/x-www-form-urlencoded", format!("{FORM}&{owner}"));
            nobody.at("POST", "/activate/confirm", kind, &body, cookie).await
        };
        let owner_of = async |name: &str| -> anyhow::Result<String> {
            let mut tx = cast.kits().db.read().await?;
            Ok(gatelodge_cloud::run!(&mut tx, c => sqlx::query_scalar::<_, String>(
                "SELECT o.name FROM registration r JOIN organisation o ON o.id = r.customer_id WHERE r.web_address = $1",
            )
            .bind(name)
            .fetch_one(c))?)
        };

        let mut cookies = Vec::new();
        for name in ["garage", "boulangerie"] {
            let prop = cast.device().await?;
            let registration = cast.registers(&marc, prop, name, "rosa@example.com").await?;
            cookies.push(browser(&cast, rosa.signed_in(), &cast.link(registration).await?).await?);
        }
        // The one that is there is chosen already, another asks for its name.
        let page = nobody.at("GET", "/activate/confirm", "", "", &cookies[0]).await?;
        let chosen = format!("value=\"{home}\" required checked");
        assert!(page.body.contains(&chosen) && page.body.contains("Rosa Bianchi"), "{}", page.body);
        assert!(page.body.contains("Another household or company"), "{}", page.body);
        let refused = post(&cookies[0], "owner=another&organisation_name=+").await?;
        assert!(refused.body.contains("Give the other household or company a name"), "{}", refused.body);
        assert!(refused.body.contains("value=\"another\" required data-reveals checked"), "{}", refused.body);
        let forged = post(&cookies[0], &format!("owner={}", stranger.member().organisation_id)).await?;
        assert_eq!(forged.status, StatusCode::CONFLICT, "somebody else's organisation: {}", forged.body);

        let known = post(&cookies[0], &format!("owner={home}")).await?;
        assert_eq!(known.status, StatusCode::SEE_OTHER, "every refusal left the link good: {}", known.body);
        assert_eq!(owner_of("garage").await?, "Rosa Bianchi");
        let another = post(&cookies[1], "owner=another&organisation_name=Boulangerie+Bianchi").await?;
        assert!(another.location.ends_with("/activated"), "{}", another.body);
        assert_eq!(owner_of("boulangerie").await?, "Boulangerie Bianchi");
        // The browser acts for the new owner at once, so that the page it is led to is there.
        let done = nobody.at("GET", &another.location, "", "", &another.cookie).await?;
        assert_eq!(done.status, StatusCode::OK, "{}", done.body);
        assert!(done.body.contains("boulangerie"), "{}", done.body);
    }
    Ok(())
}

#[tokio::test]
async fn the_installer_sees_the_times_of_the_newest_link() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let prop = cast.device().await?;
        let registration = cast.registers(&marc, prop, "villa-rosa", "rosa@example.com").await?;
        let knock = Knock::by(&cast, marc.signed_in()).await?;
        let page = async || knock.at("GET", &format!("/devices/{}", prop.id), "", "", "").await;
        let times = async || activation::service::link_times(cast.kits(), registration).await;
        assert!(page().await?.body.contains("is on its way to rosa@example.com"));
        assert_eq!(times().await?, None);
        cast.link(registration).await?;
        cast.pass(73 * 3600);
        assert!(page().await?.body.contains("It has expired. Send it again."));
        cast.link(registration).await?;
        let now = cast.kits().now();
        assert_eq!(times().await?, Some((now, now + Duration::from_secs(72 * 3600))));
        assert!(page().await?.body.contains("It is good until"));
        // A corrected address voids the link at once; the next is not out yet.
        let corrected = knock.posts(&format!("/devices/{}/correct-email", prop.id), "email=rosa%40example.org").await?;
        assert_eq!(corrected.status, StatusCode::SEE_OTHER, "{}", corrected.body);
        assert!(page().await?.body.contains("is on its way to rosa@example.org"));
    }
    Ok(())
}

#[tokio::test]
async fn a_request_without_a_reason_says_so_in_the_readers_language() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let session = asked_for(&cast, &marc, prop, None).await?;
        let blank = asked_for(&cast, &marc, prop, Some("  ")).await?;
        assert_eq!((&session.reason, &blank.reason), (&None, &None));
        let knock = Knock::by(&cast, rosa.signed_in()).await?;
        for (path, en, fr) in [
            ("/requests", "No reason was given.", "Aucun motif n’a été indiqué."),
            ("/history", "without giving a reason", "sans motif"),
        ] {
            let page = async |language| knock.at("GET", path, "", "", language).await;
            let (english, french) = (page("__Host-gl-language=en").await?, page("__Host-gl-language=fr").await?);
            assert!(english.body.contains(en), "{}", english.body);
            assert!(french.body.contains(fr) && !french.body.contains("reason"), "{}", french.body);
        }
    }
    Ok(())
}
