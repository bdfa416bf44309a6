//! Signing up and confirming over HTTP: whoever reads the mail gives the password, and a stranger learns nothing.

use std::time::Duration;

use gatelodge_cloud::{accounts::service, i18n::Language, kits::Kits};
use gatelodge_proto::api::Problem;
use gatelodge_tests::{database::Kind, kits::TestKits};
use serde_json::{Value, json};

use super::{
    pages::{MARC, Portal, VERA},
    people::{PASSWORD, vendor},
};

#[tokio::test]
async fn an_installer_signs_up_confirms_and_signs_in() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let portal = Portal::over(&test.kits).await?;
        let (status, at, _) = portal.sign_up(MARC).await?;
        assert_eq!((status, at.ends_with("/look-in-mail")), (200, true), "{at}");
        let mut visitor = portal.signed_in(MARC, PASSWORD).await?;
        assert!(visitor.page()?.text().contains("do not fit together"), "nobody is here before the link came back");

        // Robots open links, and nothing happens.
        let token = portal.token(MARC, "/confirm-email").await?;
        let http = reqwest::Client::new();
        for _ in 0..3 {
            let address = portal.url(&format!("/confirm-email?token={token}#{token}"));
            assert_eq!(http.get(&address).send().await?.status(), 200);
            assert_eq!(http.head(&address).send().await?.status(), 200);
        }

        // What is wrong with the password costs no link, and the token comes back with the form.
        visitor.open("/confirm-email").await?;
        for (password, repeated, said) in [
            ("alarme martin", "alarme martin", "easily guessed"),
            (PASSWORD, "seven kettles of copper", "two passwords differ"),
        ] {
            let fields = [("token", token.as_str()), ("password", password), ("repeated", repeated)];
            let page = visitor.submit("/confirm-email", &fields).await?;
            assert!(page.text().contains(said) && !page.html.contains(password), "{}", page.text());
        }
        let page = visitor.submit("/confirm-email", &[("password", PASSWORD), ("repeated", PASSWORD)]).await?;
        assert!(page.address.ends_with("/sign-in"), "{}", page.address);
        let mut again = portal.visitor()?;
        again.open("/confirm-email").await?;
        let fields = [("token", token.as_str()), ("password", PASSWORD), ("repeated", PASSWORD)];
        let page = again.submit("/confirm-email", &fields).await?;
        assert_eq!(page.status, 410);
        assert!(page.text().contains("has been used already"), "{}", page.text());

        let visitor = portal.signed_in(MARC, PASSWORD).await?;
        assert!(visitor.page()?.address.ends_with("/my-data"), "back to the page that was asked for");
        let text = visitor.page()?.text();
        assert!(text.contains("Alarme Martin") && text.contains(MARC), "{text}");
    }
    Ok(())
}

const LENA: &str = "lena@installer.example";

/// Somebody signs another person up, with a password of their own wherever one could be smuggled in: the account that
/// comes of it has the password of whoever reads the mail.
#[tokio::test]
async fn a_strangers_password_does_not_open_the_account() -> anyhow::Result<()> {
    const STRANGERS: &str = "seven kettles of copper";
    for test in TestKits::on_each().await? {
        let portal = Portal::over(&test.kits).await?;
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let post = async |path: &str, fields: &[(&str, &str)]| {
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            let request = http.post(portal.url(path)).header("content-type", "application/x-www-form-urlencoded");
            request.header("sec-fetch-site", "same-origin").body(body).send().await
        };
        let asked = [("company", "Alarme Martin"), ("name", "Marc Martin"), ("email", MARC)];
        let smuggled = [("password", STRANGERS), ("repeated", STRANGERS)];
        let form = [&asked[..], &smuggled[..]].concat();
        let answer = post("/sign-up", &form).await?;
        assert_eq!(answer.headers()["location"], "/look-in-mail");
        let body = json!({ "company": "Alarme Martin", "name": "Marc", "email": MARC, "password": STRANGERS });
        let answer = http.post(portal.url("/api/v1/sign-up")).json(&body).send().await?;
        assert!(answer.status().is_client_error(), "the API takes no password either");

        // Nor does the link alone do anything: not on the page, not in the API.
        let token = portal.token(MARC, "/confirm-email").await?;
        let bare = post("/confirm-email", &[("token", &token)]).await?;
        assert_eq!(bare.status(), 200, "the form again: {}", bare.text().await?);
        let confirm = async |body: Value| http.post(portal.url("/api/v1/sign-up/confirm")).json(&body).send().await;
        assert!(confirm(json!({ "token": token })).await?.status().is_client_error());
        let weak = confirm(json!({ "token": token, "password": "marc" })).await?;
        assert_eq!(weak.status(), 422);
        assert_eq!(weak.json::<Problem>().await?.fields[0].field, "password");
        let strangers = portal.signed_in(MARC, STRANGERS).await?;
        assert!(strangers.page()?.text().contains("do not fit together"), "there is no account yet");

        assert_eq!(confirm(json!({ "token": token, "password": PASSWORD })).await?.status(), 204);
        assert_eq!(confirm(json!({ "token": token, "password": PASSWORD })).await?.status(), 410);
        let strangers = portal.signed_in(MARC, STRANGERS).await?;
        assert!(strangers.page()?.text().contains("do not fit together"), "{}", strangers.page()?.text());
        let marc = portal.signed_in(MARC, PASSWORD).await?;
        assert!(marc.page()?.address.ends_with("/my-data"), "{}", marc.page()?.text());
    }
    Ok(())
}

/// Between the sign-up and its link the address became a customer's: their password stays and has to be shown.
#[tokio::test]
async fn an_account_that_is_here_meanwhile_shows_its_own_password() -> anyhow::Result<()> {
    const OTHER: &str = "seven kettles of copper";
    for test in TestKits::on_each().await? {
        let portal = Portal::over(&test.kits).await?;
        portal.sign_up(MARC).await?;
        let token = portal.token(MARC, "/confirm-email").await?;
        customer(&test.kits, &portal, MARC).await?;

        let mut visitor = portal.visitor()?;
        visitor.open("/confirm-email").await?;
        let fields = [("token", token.as_str()), ("password", OTHER), ("repeated", OTHER)];
        let page = visitor.submit("/confirm-email", &fields).await?;
        assert!(page.text().contains("has an account already, and this is not its password"), "{}", page.text());
        let still = portal.signed_in(MARC, OTHER).await?;
        assert!(still.page()?.text().contains("do not fit together"), "nothing was set");

        for _ in 1..10 {
            visitor.submit("/add-organisation", &[("password", OTHER)]).await?;
        }
        let page = visitor.submit("/add-organisation", &[("password", PASSWORD)]).await?;
        assert_eq!(page.status, 429, "guessing is slowed down: {}", page.text());
        test.pass(Duration::from_secs(3_600));
        let fields = [("token", token.as_str()), ("password", PASSWORD)];
        visitor.open("/add-organisation").await?;
        visitor.submit("/add-organisation", &fields).await?;
        let mut marc = portal.signed_in(MARC, PASSWORD).await?;
        let text = marc.open("/my-data/sign-ins").await?.text();
        assert!(text.contains("Alarme Martin") && text.contains("Marc at home"), "{text}");
    }
    Ok(())
}

/// A customer with [`PASSWORD`], as a registration makes one and the welcome mail's link finishes it.
async fn customer(kits: &Kits, portal: &Portal, email: &str) -> anyhow::Result<()> {
    portal.installer(LENA).await?;
    let (now, random, language) = (kits.now(), &kits.random, Language::En);
    let mut tx = kits.db.write().await?;
    let lena = service::find_or_create_customer_user(&mut tx, now, random, &LENA.parse()?, "", language).await?;
    let installer = service::memberships(&mut tx, lena.id).await?[0].organisation_id;
    let address = email.parse()?;
    let user = service::find_or_create_customer_user(&mut tx, now, random, &address, "Marc at home", language).await?;
    service::mail_welcome(&mut tx, now, random, user.id, installer).await?;
    tx.commit().await?;
    let token = portal.token(email, "/set-password").await?;
    let mail = &portal.mails(email).await?[0].plain;
    anyhow::ensure!(mail.contains("Alarme Martin has registered a device for you"), "{mail}");
    let fields = [("token", token.as_str()), ("password", PASSWORD), ("repeated", PASSWORD)];
    let (_, at, _) = portal.answer("/set-password", &fields).await?;
    anyhow::ensure!(at.ends_with("/sign-in"), "{at}");
    Ok(())
}

/// A customer who installs devices too: one account, the company added to it by the mail and the account's password.
#[tokio::test]
async fn a_customer_adds_an_installers_organisation_to_the_same_account() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let portal = Portal::over(&test.kits).await?;
        customer(&test.kits, &portal, MARC).await?;
        let mut marc = portal.signed_in(MARC, PASSWORD).await?;
        let links = marc.open("/my-data/sign-ins").await?.links();
        assert!(links.iter().any(|link| link == "/sign-up"), "a customer finds the way: {links:?}");

        // Mails of one moment have no order.
        test.pass(Duration::from_secs(1));
        portal.sign_up(MARC).await?;
        let mail = portal.mails(MARC).await?.swap_remove(0).plain;
        assert!(mail.contains("It has an account already: confirm with its password"), "{mail}");
        let token = portal.token(MARC, "/add-organisation").await?;
        marc.open("/add-organisation").await?;
        let wrong = [("token", token.as_str()), ("password", "seven kettles of copper")];
        let page = marc.submit("/add-organisation", &wrong).await?;
        assert!(page.text().contains("this is not its password"), "{}", page.text());
        let page = marc.submit("/add-organisation", &[("password", PASSWORD)]).await?;
        assert!(page.address.ends_with("/my-data/sign-ins"), "{}", page.address);
        let text = page.text();
        assert!(text.contains("is added to your account") && text.contains("Alarme Martin"), "{text}");
        assert!(text.contains("Marc at home"), "and they are a customer as before: {text}");
        assert!(!page.links().iter().any(|link| link == "/sign-up"), "once is enough");

        // From now on they are an installer like any other.
        test.pass(Duration::from_secs(1));
        portal.sign_up(MARC).await?;
        let mail = portal.mails(MARC).await?.swap_remove(0).plain;
        assert!(mail.contains("/sign-in") && !mail.contains('#'), "{mail}");
    }
    Ok(())
}

#[tokio::test]
async fn signing_up_tells_a_stranger_nothing_and_the_owner_everything() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let portal = Portal::over(&test.kits).await?;
        vendor(&test.kits, VERA).await?;
        let (unknown, known) = (portal.sign_up(MARC).await?, portal.sign_up("Vera@vendor.example").await?);
        assert_eq!(unknown, known, "same status, same place, same page");
        customer(&test.kits, &portal, "rosa@home.example").await?;
        assert_eq!(unknown, portal.sign_up("rosa@home.example").await?, "nor which are customers'");
        let mails = portal.mails(VERA).await?;
        assert_eq!(mails.len(), 1);
        assert!(mails[0].plain.contains("/sign-in") && !mails[0].plain.contains('#'), "{}", mails[0].plain);

        let known = portal.answer("/forgotten-password", &[("email", VERA)]).await?;
        let unknown = portal.answer("/forgotten-password", &[("email", "nobody@vendor.example")]).await?;
        assert_eq!(known, unknown);
        assert_eq!(portal.mails("nobody@vendor.example").await?, []);
        assert_eq!(portal.mails(VERA).await?.len(), 2);
    }
    Ok(())
}

#[tokio::test]
async fn a_form_says_all_that_is_wrong() -> anyhow::Result<()> {
    let Some(test) = TestKits::on(Kind::Sqlite).await? else { return Ok(()) };
    let portal = Portal::over(&test.kits).await?;
    let mut visitor = portal.visitor()?;
    visitor.open("/sign-up").await?;
    let page = visitor.submit("/sign-up", &[("company", ""), ("name", "Marc"), ("email", "marc")]).await?;
    let text = page.text();
    for said in ["Fill this in", "not an e-mail address"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    Ok(())
}
