//! What a person reads in the portal, and a program in the API, when something they gave does not fit.

use gatelodge_cloud::accounts::tokens::{self, Purpose, Secret};
use gatelodge_proto::{
    Random, UserId,
    identity::{IdCode, OnSiteCode},
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    cast::{self, Cast, Prop},
    doors::Knock,
};

/// What an installer types to add a device.
struct Label {
    id_code: IdCode,
    mac: String,
    proof: String,
    web_address: &'static str,
    email: &'static str,
}

impl Label {
    fn of(prop: Prop, code: OnSiteCode) -> Self {
        Self {
            id_code: prop.id_code,
            mac: prop.mac.to_string(),
            proof: code.reveal(),
            web_address: "villa-blu",
            email: "blu@example.com",
        }
    }

    /// What the page of the label says to it.
    async fn page(&self, knock: &Knock<'_>) -> anyhow::Result<String> {
        let Self { id_code, mac, proof, web_address, email } = self;
        let form = format!("id_code={id_code}&mac={mac}&proof={proof}&web_address={web_address}&email={email}");
        let answer = knock.posts("/devices/add/check", &form).await?;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        Ok(answer.body)
    }

    /// Status, code and wrong field of the API's answer to it.
    async fn call(&self, knock: &Knock<'_>) -> anyhow::Result<(u16, String, String)> {
        let Self { id_code, mac, proof, web_address, email } = self;
        let body = json!({
            "id_code": id_code, "mac": mac, "on_site_code": proof, "web_address": web_address, "email": email,
        });
        let path = "/api/v1/registrations/check";
        let answer = knock.at("POST", path, "application/json", &body.to_string(), "").await?;
        let problem: Value = serde_json::from_str(&answer.body)?;
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
        Ok((answer.status.as_u16(), word(&problem["code"]), word(&problem["fields"][0]["field"])))
    }
}

#[tokio::test]
async fn each_label_that_cannot_be_registered_is_answered_beside_the_field_it_is_about() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let (marc, lena) = (cast.installer("marc@example.com").await?, cast.installer("lena@example.com").await?);
        let taken = cast.device().await?;
        cast.registers(&marc, taken, "villa-rosa", "rosa@example.com").await?;
        let retired = cast.device_in("retired", None).await?;
        let free = cast.device().await?;
        let code = cast.shows_code(free.id).await?;
        let (marc, lena) = (Knock::by(&cast, marc.signed_in()).await?, Knock::by(&cast, lena.signed_in()).await?);
        let right = || Label::of(free, code);

        let pair = "ID code and MAC do not belong together";
        let unknown = IdCode::make(&Random::seeded(77));
        let cases = [
            (&lena, Label { id_code: unknown, ..right() }, pair, (422, "unknown_pair", "id_code")),
            (&lena, Label { mac: taken.mac.to_string(), ..right() }, pair, (422, "unknown_pair", "id_code")),
            (
                &lena,
                Label::of(taken, code),
                "This device is registered already. If it should be yours",
                (409, "taken", ""),
            ),
            (&marc, Label::of(taken, code), "You have registered this device already", (409, "yours", "")),
            (&lena, Label::of(retired, code), "is retired and cannot be registered", (409, "retired", "")),
            (
                &lena,
                Label { web_address: "villa-rosa", ..right() },
                "This web address is in use. Choose another, like villa-rosa-2",
                (422, "web_address_in_use", "web_address"),
            ),
        ];
        for (knock, label, sentence, answer) in cases {
            let page = label.page(knock).await?;
            assert!(page.contains(sentence) && !page.contains("/devices/add/save"), "`{sentence}` is not in:\n{page}");
            let (status, code, field) = label.call(knock).await?;
            assert_eq!((status, code.as_str(), field.as_str()), answer);
        }
        for email in ["rosa", "rosa%40", "rosa%40example..com", "rosa+bianchi%40example.com"] {
            let page = Label { email, ..right() }.page(&lena).await?;
            assert!(page.contains("This is not an e-mail address. Write it like name@example.com"), "{email}: {page}");
        }
        let bad = Label { email: "rosa", ..right() }.call(&lena).await?;
        assert_eq!((bad.0, bad.1.as_str()), (400, "invalid_body"));
        assert!(right().page(&lena).await?.contains("/devices/add/save"), "nothing of it used the right code up");
    }
    Ok(())
}

#[tokio::test]
async fn five_wrong_codes_and_the_page_asks_for_a_new_one_which_works() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let knock = Knock::by(&cast, marc.signed_in()).await?;
        let prop = cast.device().await?;
        let code = cast.shows_code(prop.id).await?;
        let wrong = (90..99).map(|seed| OnSiteCode::make(&Random::seeded(seed))).find(|other| *other != code).unwrap();
        for left in ["4 tries are left", "3 tries are left", "2 tries are left", "1 tr"] {
            let page = Label::of(prop, wrong).page(&knock).await?;
            assert!(page.contains("The code does not fit") && page.contains(left), "{left}: {page}");
        }
        let over = "Too many wrong codes, or the code is too old. Let the device show a new one.";
        assert!(Label::of(prop, wrong).page(&knock).await?.contains(over));
        assert!(Label::of(prop, code).page(&knock).await?.contains(over), "the right one is void by now");
        let (status, word, field) = Label::of(prop, code).call(&knock).await?;
        assert_eq!((status, word.as_str(), field.as_str()), (422, "no_on_site_code", "on_site_code"));
        let newer = cast.shows_code(prop.id).await?;
        assert!(Label::of(prop, newer).page(&knock).await?.contains("/devices/add/save"));
    }
    Ok(())
}

async fn link(cast: &Cast, user: UserId) -> anyhow::Result<Secret> {
    let (kits, purpose) = (cast.kits(), Purpose::SetPassword);
    let mut tx = kits.db.write().await?;
    let secret = tokens::issue(&mut tx, kits.now(), &kits.random, purpose, user.uuid(), purpose.life()).await?;
    tx.commit().await?;
    Ok(secret)
}

#[tokio::test]
async fn a_password_link_that_does_nothing_says_why() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let user = cast.installer("marc@example.com").await?.member().user_id;
        let nobody = Knock::by_nobody(&cast);
        let chooses = async |token: &str| {
            let password = "lodge+orchard+lantern+41";
            nobody.posts("/set-password", &format!("token={token}&password={password}&repeated={password}")).await
        };
        let refused = async |token: &str, sentence: &str, code: &str| -> anyhow::Result<()> {
            let page = chooses(token).await?;
            assert_eq!(page.status, StatusCode::GONE, "{}", page.body);
            assert!(page.body.contains(sentence), "`{sentence}` is not in:\n{}", page.body);
            let body = json!({ "token": token, "password": "lodge orchard lantern 41" }).to_string();
            let call = nobody.at("POST", "/api/v1/password", "application/json", &body, "").await?;
            let problem: Value = serde_json::from_str(&call.body)?;
            assert_eq!((call.status, problem["code"].as_str()), (StatusCode::GONE, Some(code)), "{problem}");
            Ok(())
        };
        let (older, newer) = (link(&cast, user).await?.expose(), link(&cast, user).await?.expose());
        refused("nonsense", "This link is not known", "link_unknown").await?;
        refused(&older, "A newer mail has replaced this link", "link_superseded").await?;
        let chosen = chooses(&newer).await?;
        assert_eq!(chosen.status, StatusCode::SEE_OTHER, "{}", chosen.body);
        refused(&newer, "This link has been used already", "link_used").await?;
        let late = link(&cast, user).await?.expose();
        cast.pass(30 * 60);
        refused(&late, "This link has expired", "link_expired").await?;
    }
    Ok(())
}
