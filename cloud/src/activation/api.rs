//! Registration and activation as JSON: the same verbs as the pages, with the same checks.

use std::net::SocketAddr;

use axum::{
    Json,
    extract::{ConnectInfo, FromRequestParts, Path, State},
    http::StatusCode,
};
use gatelodge_proto::{
    DeviceId,
    api::{DEVICES_PATH, DeviceView},
    identity::{ClaimSecret, EmailAddress, IdCode, MacAddress, OnSiteCode, WebAddress},
    payload::Consent,
};
use http::request::Parts;
use serde::{Deserialize, Serialize};

use super::{
    amend::{self, AmendRefusal},
    confirm::{self, ConfirmRefusal, Confirmation, Owner},
    machine::Refusal,
    model::{Claim, CustomerForm, InvalidCustomerData, LinkFault, Presence},
    register::{self, RegisterRefusal},
    release::{self, ReleaseRefusal},
    rule::{self, RuleRefusal},
    service,
};
use crate::{
    accounts::{
        SignedIn,
        rights::{CustomerMember, InstallerMember},
        tokens::Secret,
    },
    db::DbError,
    devices::service::ChangeError,
    i18n::Language,
    kits::Kits,
    web::{Call, Fault, Problem},
};

/// `POST` [`ConfirmCall`]: confirms a registration with the token of the activation mail.
pub const ACTIVATIONS_PATH: &str = "/api/v1/activations";
/// `POST` [`RegisterCall`]: registers a device; with `/check` at the end only says whether it would.
pub const REGISTRATIONS_PATH: &str = "/api/v1/registrations";

/// The routes.
pub fn routes() -> axum::Router<Kits> {
    use axum::routing::{post, put};
    let one = format!("{DEVICES_PATH}/{{id}}");
    axum::Router::new()
        .route(&format!("{one}/resend-link"), post(resend))
        .route(&format!("{one}/correct-email"), post(correct_email))
        .route(&format!("{one}/cancel-registration"), post(cancel))
        .route(&format!("{one}/consent"), put(set_consent))
        .route(&format!("{one}/web-address"), put(set_web_address))
        .route(&format!("{one}/release"), post(release_device))
        .route(REGISTRATIONS_PATH, post(save))
        .route(&format!("{REGISTRATIONS_PATH}/check"), post(check))
        .route(ACTIVATIONS_PATH, post(activate))
}

/// What an API call is answered when it is not answered as asked.
#[derive(Debug)]
enum Answer {
    Problem(Box<Problem>),
    Fault(Fault),
}

impl axum::response::IntoResponse for Answer {
    fn into_response(self) -> axum::response::Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::Fault(fault) => fault.into_response(),
        }
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<Fault> for Answer {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<DbError> for Answer {
    fn from(error: DbError) -> Self {
        Self::Fault(error.into())
    }
}

/// The device named in the path; what names no device is no device.
struct Named(DeviceId);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Fault;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| Fault::not_found())?;
        text.parse().map(Self).map_err(|_| Fault::not_found())
    }
}

async fn view(kits: &Kits, by: &SignedIn, device: DeviceId) -> Result<Json<DeviceView>, Answer> {
    let view = service::one(kits, by.member(), device).await?.ok_or_else(Fault::not_found)?;
    Ok(Json(service::device_view(view)))
}

/// Registers a device, or checks whether it could be.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterCall {
    /// From the label.
    pub id_code: IdCode,
    /// From the label.
    pub mac: MacAddress,
    /// The name wanted for the device's own pages.
    pub web_address: WebAddress,
    /// Where the activation link goes.
    pub email: EmailAddress,
    /// The code that the device shows.
    #[serde(default)]
    pub on_site_code: Option<OnSiteCode>,
    /// The secret in the label's QR, instead of the code.
    #[serde(default)]
    pub label_secret: Option<ClaimSecret>,
    /// The customer's data, whole or not at all.
    #[serde(default)]
    pub customer: CustomerForm,
    /// What a customer who is new here reads: `en`, `fr`; the caller's language when left out.
    #[serde(default)]
    pub language: Option<String>,
}

impl RegisterCall {
    fn claim(&self) -> Result<Claim, Answer> {
        let presence = match (&self.on_site_code, &self.label_secret) {
            (Some(code), None) => Presence::OnSiteCode(*code),
            (None, Some(secret)) => Presence::LabelSecret(secret.clone()),
            (None, None) | (Some(_), Some(_)) => {
                let detail = "give either the on-site code that the device shows or the label's secret";
                return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "proof_needed", "Proof needed", detail)
                    .field("on_site_code", detail)
                    .into());
            }
        };
        Ok(Claim {
            id_code: self.id_code,
            mac: self.mac,
            web_address: self.web_address.clone(),
            email: self.email.clone(),
            presence,
        })
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// The device.
    pub device: DeviceId,
    /// The product's name.
    pub product: String,
    /// Whether the device is there.
    pub online: bool,
}

async fn check(
    State(kits): State<Kits>,
    by: InstallerMember,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Call(body): Call<RegisterCall>,
) -> Result<Json<Checked>, Answer> {
    let device = register::check(&kits, &by, &from.ip().into(), &body.claim()?).await?;
    Ok(Json(Checked { device: device.id, product: device.product_name, online: device.online }))
}

async fn save(
    State(kits): State<Kits>,
    by: InstallerMember,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Call(body): Call<RegisterCall>,
) -> Result<(StatusCode, Json<DeviceView>), Answer> {
    let data = body.customer.read()?;
    let language = language(body.language.as_deref(), by.member().language);
    let id = register::save(&kits, &by, &from.ip().into(), &body.claim()?, data, language).await?;
    let view = service::registration(&kits, id).await?.ok_or_else(Fault::not_found)?;
    Ok((StatusCode::CREATED, Json(service::device_view(view))))
}

fn language(wanted: Option<&str>, else_use: Language) -> Language {
    wanted.and_then(|tag| tag.parse().ok()).unwrap_or(else_use)
}

async fn resend(
    State(kits): State<Kits>,
    by: InstallerMember,
    Named(device): Named,
) -> Result<Json<DeviceView>, Answer> {
    amend::resend(&kits, &by, device).await?;
    view(&kits, by.signed_in(), device).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CorrectCall {
    email: EmailAddress,
    #[serde(default)]
    language: Option<String>,
}

async fn correct_email(
    State(kits): State<Kits>,
    by: InstallerMember,
    Named(device): Named,
    Call(body): Call<CorrectCall>,
) -> Result<Json<DeviceView>, Answer> {
    let language = language(body.language.as_deref(), by.member().language);
    amend::correct_email(&kits, &by, device, body.email, language).await?;
    view(&kits, by.signed_in(), device).await
}

async fn cancel(State(kits): State<Kits>, by: InstallerMember, Named(device): Named) -> Result<StatusCode, Answer> {
    amend::cancel(&kits, &by, device).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Confirms a registration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmCall {
    /// From the activation mail.
    pub token: String,
    /// The customer's data, whole.
    pub customer: CustomerForm,
    /// The rule for remote access.
    pub consent: Consent,
}

async fn activate(
    State(kits): State<Kits>,
    by: SignedIn,
    Call(body): Call<ConfirmCall>,
) -> Result<Json<DeviceView>, Answer> {
    let secret: Secret = body.token.parse().map_err(|_| ConfirmRefusal::Link(LinkFault::Unknown))?;
    let data = body.customer.read_whole()?;
    let confirmation = Confirmation { data, consent: body.consent, owner: Owner::Usual };
    let view = confirm::confirm(&kits, &by, &secret, confirmation).await?;
    Ok(Json(service::device_view(view)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsentCall {
    consent: Consent,
}

async fn set_consent(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named,
    Call(body): Call<ConsentCall>,
) -> Result<Json<DeviceView>, Answer> {
    rule::set_consent(&kits, &by, device, body.consent).await?;
    view(&kits, by.signed_in(), device).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebAddressCall {
    web_address: WebAddress,
}

async fn set_web_address(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named,
    Call(body): Call<WebAddressCall>,
) -> Result<Json<DeviceView>, Answer> {
    rule::set_web_address(&kits, &by, device, body.web_address).await?;
    view(&kits, by.signed_in(), device).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseCall {
    typed: String,
}

async fn release_device(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named,
    Call(body): Call<ReleaseCall>,
) -> Result<StatusCode, Answer> {
    release::release(&kits, &by, device, &body.typed).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<InvalidCustomerData> for Answer {
    fn from(invalid: InvalidCustomerData) -> Self {
        let mut problem = Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_customer",
            "The data does not fit",
            &invalid.to_string(),
        );
        problem.0.fields = invalid.problems();
        problem.into()
    }
}

fn conflict(code: &str, title: &str, detail: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, code, title, detail)
}

impl From<RegisterRefusal> for Answer {
    fn from(refusal: RegisterRefusal) -> Self {
        let (word, detail) = (refusal.word(), refusal.to_string());
        let field = |field: &str| -> Self {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, word, "The device cannot be registered", &detail)
                .field(field, &detail)
                .into()
        };
        match refusal {
            RegisterRefusal::UnknownPair => field("id_code"),
            RegisterRefusal::WebAddressInUse => field("web_address"),
            RegisterRefusal::WrongCode { .. } | RegisterRefusal::Locked | RegisterRefusal::NoCodeShown => {
                field("on_site_code")
            }
            RegisterRefusal::WrongLabelSecret => field("label_secret"),
            RegisterRefusal::Yours(_)
            | RegisterRefusal::Taken
            | RegisterRefusal::Retired
            | RegisterRefusal::NotConnected => conflict(word, "The device cannot be registered", &detail).into(),
            RegisterRefusal::Throttled(throttled) => Fault::throttled(throttled.seconds()).into(),
            RegisterRefusal::Verify(_) => {
                tracing::error!(
                    error = &refusal as &dyn std::error::Error,
                    "a proof of being there could not be checked"
                );
                Fault::broken().into()
            }
            RegisterRefusal::Database(error) => error.into(),
        }
    }
}

fn state_problem(refusal: Refusal) -> Problem {
    let code = match refusal {
        Refusal::AlreadyActive => "already_active",
        Refusal::NotActive => "device_not_active",
        Refusal::Ended => "registration_over",
        Refusal::AnotherAccount => "another_account",
    };
    conflict(code, "This cannot be done now", &refusal.to_string())
}

fn change_problem(error: ChangeError) -> Answer {
    match error {
        ChangeError::Missing => Fault::not_found().into(),
        ChangeError::Refused(refusal) => {
            conflict("device_state", "This cannot be done now", &refusal.to_string()).into()
        }
        ChangeError::Verify(_) => Fault::broken().into(),
        ChangeError::Db(error) => error.into(),
    }
}

impl From<AmendRefusal> for Answer {
    fn from(refusal: AmendRefusal) -> Self {
        match refusal {
            AmendRefusal::Unknown => Fault::not_found().into(),
            AmendRefusal::State(refusal) => state_problem(refusal).into(),
            AmendRefusal::SameAddress => conflict("same_address", "Nothing to correct", &refusal.to_string())
                .field("email", &refusal.to_string())
                .into(),
            AmendRefusal::Throttled(throttled) => Fault::throttled(throttled.seconds()).into(),
            AmendRefusal::Device(error) => change_problem(error),
            AmendRefusal::Database(error) => error.into(),
        }
    }
}

impl From<ConfirmRefusal> for Answer {
    fn from(refusal: ConfirmRefusal) -> Self {
        match refusal {
            ConfirmRefusal::Link(fault) => {
                Problem::new(StatusCode::GONE, fault.word(), "The link is no longer good", fault.sentence()).into()
            }
            ConfirmRefusal::State(refusal) => state_problem(refusal).into(),
            ConfirmRefusal::Organisation => {
                conflict("unknown_organisation", "Unknown organisation", &refusal.to_string()).into()
            }
            ConfirmRefusal::Device(error) => change_problem(error),
            ConfirmRefusal::Database(error) => error.into(),
        }
    }
}

impl From<RuleRefusal> for Answer {
    fn from(refusal: RuleRefusal) -> Self {
        match refusal {
            RuleRefusal::Unknown => Fault::not_found().into(),
            RuleRefusal::State(refusal) => state_problem(refusal).into(),
            RuleRefusal::WebAddressInUse => conflict("web_address_in_use", "In use", &refusal.to_string())
                .field("web_address", &refusal.to_string())
                .into(),
            RuleRefusal::Database(error) => error.into(),
        }
    }
}

impl From<ReleaseRefusal> for Answer {
    fn from(refusal: ReleaseRefusal) -> Self {
        match refusal {
            ReleaseRefusal::Unknown => Fault::not_found().into(),
            ReleaseRefusal::NotTheName(_) => conflict("not_the_name", "Nothing was released", &refusal.to_string())
                .field("typed", &refusal.to_string())
                .into(),
            ReleaseRefusal::Device(error) => change_problem(error),
            ReleaseRefusal::Database(error) => error.into(),
        }
    }
}
