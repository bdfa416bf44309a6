//! The pages and the API over HTTP: what a person reads, and that nothing is given away.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use gatelodge_cloud::{
    accounts,
    kits::Kits,
    mail::{self, Kept},
    web::{self, Hardening, Serving},
};
use gatelodge_proto::api::{Problem, SIGN_IN_PATH, SIGN_IN_TOKEN_PATH, SignInStarted, SignedIn};
use gatelodge_tests::{database::Kind, kits::TestKits, portal::Visitor};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    mails::worker,
    people::{PASSWORD, vendor},
};

pub(super) const MARC: &str = "marc@installer.example";
pub(super) const VERA: &str = "vera@vendor.example";

/// The portal of these kits on loopback.
pub(super) struct Portal {
    kits: Kits,
    address: SocketAddr,
    _stop: DropGuard,
}

impl Portal {
    pub(super) async fn over(kits: &Kits) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (address, stop) = (listener.local_addr()?, CancellationToken::new());
        let (api, _) = accounts::api::routes().split_for_parts();
        let routes = accounts::portal::routes().merge(api).with_state(kits.clone());
        let router = web::portal(routes, &Hardening::default())?;
        tokio::spawn(web::serve(listener, router, Serving::default(), stop.clone()));
        Ok(Self { kits: kits.clone(), address, _stop: stop.drop_guard() })
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.address.port())
    }

    pub(super) fn visitor(&self) -> anyhow::Result<Visitor> {
        Visitor::at(&self.url(""), "en")
    }

    /// Does the jobs and gives the mails to this address, the newest first.
    pub(super) async fn mails(&self, to: &str) -> anyhow::Result<Vec<Kept>> {
        worker(&self.kits).round().await?;
        let mut tx = self.kits.db.read().await?;
        Ok(mail::list(&mut tx, Some(to), None, 20).await?)
    }

    /// The token of the link in the newest mail to this address.
    pub(super) async fn token(&self, to: &str, path: &str) -> anyhow::Result<String> {
        let mails = self.mails(to).await?;
        let text = &mails.first().with_context(|| format!("no mail to {to}"))?.plain;
        let (_, rest) = text.split_once(&format!("{path}#")).with_context(|| format!("no {path} in {text}"))?;
        Ok(rest.split_whitespace().next().unwrap_or_default().to_owned())
    }

    /// Fills in a form and gives what a stranger could compare: status, where it led, the page.
    pub(super) async fn answer(&self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<(u16, String, String)> {
        let mut visitor = self.visitor()?;
        visitor.open(path).await?;
        let page = visitor.submit(path, fields).await?;
        Ok((page.status, page.address.clone(), page.html.clone()))
    }

    pub(super) async fn sign_up(&self, email: &str) -> anyhow::Result<(u16, String, String)> {
        self.answer("/sign-up", &[("company", "Alarme Martin"), ("name", "Marc Martin"), ("email", email)]).await
    }

    /// An installer who has confirmed.
    pub(super) async fn installer(&self, email: &str) -> anyhow::Result<()> {
        self.sign_up(email).await?;
        let token = self.token(email, "/confirm-email").await?;
        let fields = [("token", token.as_str()), ("password", PASSWORD), ("repeated", PASSWORD)];
        self.answer("/confirm-email", &fields).await?;
        Ok(())
    }

    /// Asks for own data, and signs in on the way.
    pub(super) async fn signed_in(&self, email: &str, password: &str) -> anyhow::Result<Visitor> {
        let mut visitor = self.visitor()?;
        visitor.open("/my-data").await?;
        visitor.submit("/sign-in", &[("email", email), ("password", password)]).await?;
        Ok(visitor)
    }
}

#[tokio::test]
async fn a_password_is_replaced_by_the_link_and_everything_before_it_ends() -> anyhow::Result<()> {
    const BETTER: &str = "seven kettles of copper";
    for test in TestKits::on_each().await? {
        let portal = Portal::over(&test.kits).await?;
        vendor(&test.kits, VERA).await?;
        let mut before = portal.signed_in(VERA, PASSWORD).await?;
        assert!(before.page()?.address.ends_with("/my-data"));

        portal.answer("/forgotten-password", &[("email", VERA)]).await?;
        let token = portal.token(VERA, "/set-password").await?;
        let mut visitor = portal.visitor()?;
        visitor.open("/set-password").await?;
        let weak = [("token", token.as_str()), ("password", "password1234"), ("repeated", "password1234")];
        let page = visitor.submit("/set-password", &weak).await?;
        assert!(page.text().contains("easily guessed"), "{}", page.text());
        let page = visitor.submit("/set-password", &[("password", BETTER), ("repeated", BETTER)]).await?;
        assert!(page.address.ends_with("/sign-in"), "the link still worked: {}", page.text());

        assert!(before.open("/my-data").await?.address.contains("/sign-in?next="), "signed out everywhere");
        let old = portal.signed_in(VERA, PASSWORD).await?;
        assert!(old.page()?.text().contains("do not fit together"));
        let fresh = portal.signed_in(VERA, BETTER).await?;
        assert!(fresh.page()?.address.ends_with("/my-data"));

        // Mails of one moment have no order.
        test.pass(Duration::from_secs(1));
        portal.answer("/forgotten-password", &[("email", VERA)]).await?;
        let token = portal.token(VERA, "/set-password").await?;
        test.pass(Duration::from_secs(30 * 60));
        let late = [("token", token.as_str()), ("password", PASSWORD), ("repeated", PASSWORD)];
        let (status, _, html) = portal.answer("/set-password", &late).await?;
        assert_eq!(status, 410);
        assert!(html.contains("has expired"), "{html}");
    }
    Ok(())
}

#[tokio::test]
async fn nothing_opens_without_signing_in() -> anyhow::Result<()> {
    let Some(test) = TestKits::on(Kind::Sqlite).await? else { return Ok(()) };
    let portal = Portal::over(&test.kits).await?;
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    for path in ["/my-data", "/my-data/organisation", "/my-data/sign-ins", "/approve?code=BCDF-GHJK", "/vendor/mailbox"]
    {
        let answer = http.get(portal.url(path)).send().await?;
        assert_eq!(answer.status(), 303, "{path}");
        let back: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
        assert_eq!(answer.headers()["location"], format!("/sign-in?next={back}").as_str());
    }
    for path in ["/api/v1/me", "/api/v1/organisation", "/api/v1/me/browsers", "/api/v1/me/tokens"] {
        for token in [None, Some("gl_"), Some("gl_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")] {
            let mut request = http.get(portal.url(path));
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let answer = request.send().await?;
            assert_eq!(answer.status(), 401, "{path}");
            assert_eq!(answer.headers()["www-authenticate"], "Bearer");
            assert_eq!(answer.json::<Problem>().await?.code, "sign_in_needed");
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_belongs_to_others_is_not_there() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let (kits, portal) = (&test.kits, Portal::over(&test.kits).await?);
        let vera = vendor(kits, VERA).await?;
        portal.installer(MARC).await?;
        let mut tx = kits.db.write().await?;
        let (theirs, _) = accounts::api_token::issue(&mut tx, kits, kits.now(), &vera, "theirs", None).await?;
        tx.commit().await?;
        let foreign_token = accounts::api_token::list(kits, vera.user_id).await?[0].id.0;
        let foreign_browser = accounts::portal_session::list(kits, vera.user_id).await?[0].id.0;

        let mut marc = portal.signed_in(MARC, PASSWORD).await?;
        assert_eq!(marc.open("/vendor/mailbox").await?.status, 403, "the mailbox is the vendor's");
        let own = api_token(&portal, MARC).await?;
        let http = reqwest::Client::new();
        let mut answers = Vec::new();
        for path in [
            format!("/api/v1/me/tokens/{foreign_token}"),
            format!("/api/v1/me/browsers/{foreign_browser}"),
            format!("/api/v1/me/tokens/{}", uuid::Uuid::from_u128(1)),
        ] {
            let answer = http.delete(portal.url(&path)).bearer_auth(&own).send().await?;
            answers.push((answer.status().as_u16(), answer.text().await?));
        }
        assert_eq!(answers[0].0, 404);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert!(accounts::api_token::recognise(kits, &theirs).await?.is_some());
    }
    Ok(())
}

/// A token by the way a program gets one: codes, approval on the page, poll.
async fn api_token(portal: &Portal, email: &str) -> anyhow::Result<String> {
    let http = reqwest::Client::new();
    let started: SignInStarted = http.post(portal.url(SIGN_IN_PATH)).send().await?.json().await?;
    let poll = async || {
        let body = json!({ "device_code": started.device_code });
        http.post(portal.url(SIGN_IN_TOKEN_PATH)).json(&body).send().await
    };
    let pending = poll().await?;
    assert_eq!(pending.status(), 400);
    assert_eq!(pending.json::<Problem>().await?.code, "authorization_pending");
    assert_eq!(poll().await?.json::<Problem>().await?.code, "slow_down");

    let mut visitor = portal.signed_in(email, PASSWORD).await?;
    let (_, query) = started.verification_uri_complete.split_once("/approve").context("no page to approve on")?;
    let page = visitor.open(&format!("/approve{query}")).await?;
    assert!(page.text().contains(&started.user_code), "{}", page.text());
    let page = visitor.submit("/approve", &[("decision", "approve")]).await?;
    assert!(page.text().contains("Approved"), "{}", page.text());
    let page = visitor.open(&format!("/approve{query}")).await?;
    assert!(page.text().contains("unknown, used or expired"), "{}", page.text());

    portal.kits.clock.advance(Duration::from_secs(10));
    let granted = poll().await?;
    assert_eq!(granted.status(), 200);
    let granted: SignedIn = granted.json().await?;
    assert!(granted.token.starts_with("gl_"));
    assert_eq!(poll().await?.json::<Problem>().await?.code, "expired_token");
    Ok(granted.token)
}

#[tokio::test]
async fn a_program_learns_for_whom_it_speaks_until_it_is_signed_out() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let portal = Portal::over(&test.kits).await?;
        let vera = vendor(&test.kits, VERA).await?;
        let token = api_token(&portal, VERA).await?;
        let http = reqwest::Client::new();
        let me = async || http.get(portal.url("/api/v1/me")).bearer_auth(&token).send().await;
        let known: Value = me().await?.json().await?;
        assert_eq!(known["email"], VERA);
        assert_eq!(known["organisation"]["kind"], "vendor");

        let mut visitor = portal.signed_in(VERA, PASSWORD).await?;
        let page = visitor.open("/my-data/sign-ins").await?;
        assert!(page.text().contains("gatelodge (127.0.0.1)"), "{}", page.text());
        let id = accounts::api_token::list(&test.kits, vera.user_id).await?[0].id.0;
        visitor.submit(&format!("/my-data/programs/{id}/revoke"), &[]).await?;
        assert_eq!(me().await?.status(), 401);
    }
    Ok(())
}

#[tokio::test]
async fn the_api_refuses_unknown_fields_and_bad_words() -> anyhow::Result<()> {
    let Some(test) = TestKits::on(Kind::Sqlite).await? else { return Ok(()) };
    let portal = Portal::over(&test.kits).await?;
    vendor(&test.kits, VERA).await?;
    let token = api_token(&portal, VERA).await?;
    let http = reqwest::Client::new();
    let put = async |path: &str, body: Value| http.put(portal.url(path)).bearer_auth(&token).json(&body).send().await;
    let smuggled = put("/api/v1/me", json!({ "name": "Vera", "role": "administrator" })).await?;
    assert!(smuggled.status().is_client_error());
    assert_eq!(smuggled.headers()["content-type"], "application/problem+json");
    let wrong = put("/api/v1/me", json!({ "name": "", "language": "xx" })).await?;
    assert_eq!(wrong.status(), 422);
    let problem: Problem = wrong.json().await?;
    let fields: Vec<&str> = problem.fields.iter().map(|field| field.field.as_str()).collect();
    assert_eq!(fields, ["name", "language"]);
    let good = put("/api/v1/organisation", json!({ "name": "Sentinel SA", "city": "Annecy" })).await?;
    assert_eq!(good.json::<Value>().await?["city"], "Annecy");
    Ok(())
}
