//! The doors of registration, activation and sessions as people and programs knock on them: pages and calls through
//! the whole router, on both databases.

mod words;

use std::{net::SocketAddr, sync::OnceLock};

use axum::{
    Extension, Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
};
use gatelodge_cloud::{
    accounts::{SignedIn, rights::InstallerMember},
    activation,
    gateway::Gateway,
    web::{self, Hardening},
    wiring,
};
use gatelodge_proto::{SessionId, api::SessionView, payload::Consent};
use http::{Request, StatusCode, header};
use tower::ServiceExt as _;

use crate::cast::{self, Cast};

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) location: String,
    cookie: String,
    pub(crate) body: String,
}

fn router(cast: &Cast) -> anyhow::Result<Router> {
    let kits = cast.kits().clone();
    // Nobody gets so far as to see its certificate.
    let gateway = Gateway::new(kits.clone(), SocketAddr::from(([127, 0, 0, 1], 1)), Vec::new().into(), None)?;
    let features = wiring::routes().with_state(kits).layer(Extension(gateway));
    Ok(web::portal(features, &Hardening { https: true, public_origin: None })?)
}

pub(crate) struct Knock<'a> {
    cast: &'a Cast,
    router: OnceLock<Router>,
    token: String,
}

impl<'a> Knock<'a> {
    pub(crate) const fn by_nobody(cast: &'a Cast) -> Self {
        Self { cast, router: OnceLock::new(), token: String::new() }
    }

    pub(crate) async fn by(cast: &'a Cast, who: &SignedIn) -> anyhow::Result<Knock<'a>> {
        let token = cast.token(who.member().user_id, who.member().organisation_id).await?;
        Ok(Self { token, ..Self::by_nobody(cast) })
    }

    pub(crate) async fn at(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: &str,
        cookie: &str,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder().method(method).uri(path);
        if !self.token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        }
        if !kind.is_empty() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        if !cookie.is_empty() {
            request = request.header(header::COOKIE, cookie);
        }
        let mut request = request.body(Body::from(body.to_owned()))?;
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 9], 4000))));
        let router = self.router.get_or_init(|| router(self.cast).expect("the routes fit together")).clone();
        let response = router.oneshot(request).await?;
        let text = |name| {
            let value = response.headers().get(name);
            value.and_then(|value: &http::HeaderValue| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let (status, location) = (response.status(), text(header::LOCATION));
        let set = response.headers().get_all(header::SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
        let cookie: Vec<_> = set.filter_map(|line| line.split(';').next()).map(ToOwned::to_owned).collect();
        let cookie = cookie.join("; ");
        let body = String::from_utf8(to_bytes(response.into_body(), 1 << 20).await?.to_vec())?;
        Ok(Answer { status, location, cookie, body })
    }

    pub(crate) async fn page(&self, path: &str) -> anyhow::Result<String> {
        let answer = self.at("GET", path, "", "", "").await?;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        assert!(!answer.body.contains('⟦'), "{path} lacks a sentence: {}", answer.body);
        Ok(answer.body)
    }

    pub(crate) async fn posts(&self, path: &str, form: &str) -> anyhow::Result<Answer> {
        self.at("POST", path, "application/x-www-form-urlencoded", form, "").await
    }
}

pub(crate) async fn asked(cast: &Cast, by: &InstallerMember, prop: cast::Prop) -> anyhow::Result<SessionId> {
    Ok(asked_for(cast, by, prop, Some("yearly check")).await?.id)
}

async fn asked_for(
    cast: &Cast,
    by: &InstallerMember,
    prop: cast::Prop,
    reason: Option<&str>,
) -> anyhow::Result<SessionView> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let csr = rcgen::CertificateParams::default().serialize_request(&key)?.pem()?;
    let mut body = serde_json::json!({ "device": prop.id, "services": ["panel-web"], "minutes": 30, "csr": csr });
    if let Some(reason) = reason {
        body["reason"] = reason.into();
    }
    let knock = Knock::by(cast, by.signed_in()).await?;
    let answer = knock.at("POST", "/api/v1/sessions", "application/json", &body.to_string(), "").await?;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    Ok(serde_json::from_str(&answer.body)?)
}

#[tokio::test]
async fn each_link_that_does_nothing_says_why_and_what_next() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let prop = cast.device().await?;
        let registration = cast.registers(&marc, prop, "villa-rosa", "rosa@example.com").await?;
        let nobody = Knock::by_nobody(&cast);
        let said = async |token: &str| -> anyhow::Result<String> {
            let answer = nobody.posts("/activate", &format!("token={token}")).await?;
            assert_eq!(answer.status, StatusCode::GONE, "{}", answer.body);
            Ok(answer.body)
        };
        let first = cast.link(registration).await?.expose();
        let second = cast.link(registration).await?.expose();
        assert!(said(&first).await?.contains("A newer mail has replaced this link"));
        assert!(said("nonsense").await?.contains("This activation link is not known"));
        cast.pass(72 * 3600);
        assert!(said(&second).await?.contains("Ask your installer to send it again"));
        let third = cast.link(registration).await?;
        let rosa = cast.user("rosa@example.com").await?;
        let confirmed =
            activation::confirm::confirm(cast.kits(), &rosa, &third, Cast::confirmation(Consent::Ask)).await?;
        assert!(said(&third.expose()).await?.contains("confirmed already"));
        assert_eq!(confirmed.web_address.as_str(), "villa-rosa");
    }
    Ok(())
}

#[tokio::test]
async fn an_installer_adds_a_device_in_three_steps_and_the_customer_confirms() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let knock = Knock::by(&cast, marc.signed_in()).await?;
        let prop = cast.device().await?;
        let code = cast.shows_code(prop.id).await?.reveal();
        knock.page("/devices/add").await?;
        let label = |code: &str| {
            let (id_code, mac) = (prop.id_code, prop.mac.compact());
            format!("id_code={id_code}&mac={mac}&proof={code}&web_address=villa-rosa&email=rosa%40example.com")
        };
        let wrong = knock.posts("/devices/add/check", &label("0000-0000")).await?;
        assert!(wrong.body.contains("4 tries are left"), "{}", wrong.body);
        let checked = knock.posts("/devices/add/check", &label(&code)).await?;
        assert!(
            checked.body.contains("Alarm server") && checked.body.contains("/devices/add/save"),
            "{}",
            checked.body
        );
        let half = knock.posts("/devices/add/save", &format!("{}&name=Rosa&with=data", label(&code))).await?;
        assert!(half.body.contains("Needed as soon as any"), "{}", half.body);
        let saved = knock.posts("/devices/add/save", &format!("{}&with=nothing", label(&code))).await?;
        assert_eq!(saved.location, format!("/devices/{}/sent", prop.id), "{}", saved.body);
        for page in ["/", "/devices", "/sessions", &saved.location, &format!("/devices/{}", prop.id)] {
            knock.page(page).await?;
        }
        assert!(knock.page("/devices?search=rosa%40").await?.contains("villa-rosa"));
        assert!(!knock.page("/devices?search=100%25").await?.contains("villa-rosa"));

        let view = activation::service::one(cast.kits(), marc.member(), prop.id).await?.unwrap();
        let link = cast.link(view.id).await?.expose();
        let nobody = Knock::by_nobody(&cast);
        nobody.page("/activate").await?;
        let opened = nobody.posts("/activate", &format!("token={link}")).await?;
        assert_eq!(opened.location, "/activate/confirm");
        assert!(opened.cookie.starts_with("__Host-gl-activation="), "{}", opened.cookie);
        let signed_out = nobody.at("GET", "/activate/confirm", "", "", &opened.cookie).await?;
        assert!(signed_out.location.starts_with("/sign-in?next="), "{}", signed_out.location);
        let stranger = knock.at("GET", "/activate/confirm", "", "", &opened.cookie).await?;
        assert_eq!(stranger.status, StatusCode::FORBIDDEN);
        assert!(stranger.body.contains("registered for another e-mail address"), "{}", stranger.body);

        let rosa = Knock::by(&cast, &cast.user("rosa@example.com").await?).await?;
        let form = rosa.at("GET", "/activate/confirm", "", "", &opened.cookie).await?;
        assert!(form.body.contains("villa-rosa"), "{}", form.body);
        let data = "name=Rosa+Blanc&address=12+rue&postcode=69003&city=Lyon&country=France";
        let confirm = async |body: String| {
            rosa.at("POST", "/activate/confirm", "application/x-www-form-urlencoded", &body, &opened.cookie).await
        };
        let without = confirm(data.to_owned()).await?;
        assert!(without.body.contains("Choose who may enter"), "{}", without.body);
        let done = confirm(format!("{data}&consent=ask")).await?;
        assert_eq!(done.location, format!("/devices/{}/activated", prop.id), "{}", done.body);
        let own = format!("/devices/{}", prop.id);
        for page in ["/", "/devices", "/requests", "/sessions", "/history", &done.location, &own] {
            rosa.page(page).await?;
        }

        cast.reports(prop, &["panel-web"]).await?;
        let session = asked(&cast, &marc, prop).await?;
        assert!(rosa.page("/requests").await?.contains("yearly check"));
        let allowed = rosa.posts(&format!("/sessions/{session}/allow"), "").await?;
        assert_eq!(allowed.status, StatusCode::SEE_OTHER, "{}", allowed.body);
        let read = knock.at("GET", &format!("/api/v1/sessions/{session}?wait=20&state=waiting"), "", "", "").await?;
        assert!(read.body.contains(r#""state":"open""#), "{}", read.body);
        let joined = knock.at("POST", &format!("/api/v1/sessions/{session}/join"), "", "", "").await?;
        assert!(joined.body.contains("ticket"), "{}", joined.body);
        rosa.page("/sessions").await?;
        let stopped = rosa.posts(&format!("/sessions/{session}/stop"), "").await?;
        assert_eq!(stopped.status, StatusCode::SEE_OTHER, "{}", stopped.body);
        let late = knock.at("POST", &format!("/api/v1/sessions/{session}/join"), "", "", "").await?;
        assert_eq!(late.status, StatusCode::CONFLICT);
        assert!(late.body.contains("session_over"), "{}", late.body);

        let typo = rosa.posts(&format!("{own}/release"), "typed=villa").await?;
        assert!(typo.body.contains("Type exactly villa-rosa"), "{}", typo.body);
        let released = rosa.posts(&format!("{own}/release"), "typed=villa-rosa").await?;
        assert_eq!(released.location, "/devices", "{}", released.body);
        assert_eq!(rosa.at("GET", &own, "", "", "").await?.status, StatusCode::NOT_FOUND);
    }
    Ok(())
}

#[tokio::test]
async fn a_call_with_an_unknown_field_or_no_json_is_told_so() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let knock = Knock::by(&cast, marc.signed_in()).await?;
        let answer = knock.at("POST", "/api/v1/registrations", "application/json", r#"{"owner":"me"}"#, "").await?;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.body.contains("invalid_body") && answer.body.contains("owner"), "{}", answer.body);
        let answer = knock.at("POST", "/api/v1/registrations", "text/plain", "{}", "").await?;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    Ok(())
}
