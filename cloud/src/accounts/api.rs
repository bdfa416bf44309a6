//! The JSON API of accounts, over the same services as the pages.

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use gatelodge_proto::{OrganisationId, Timestamp, UserId, identity::EmailAddress};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    SignedIn, api_token,
    failure::Failure,
    model::{ApiTokenId, Network, PortalSessionId, PostalAddress},
    password::{Password, PasswordRefusal},
    portal_session, program_sign_in,
    recover::{self, SetPasswordRefusal},
    rights::OrganisationAdministrator,
    service,
    sign_up::{self, Application},
    throttle::Throttled,
    tokens::{InvalidSecret, Secret, TokenRefusal},
};
use crate::{
    audit::{self, Actor, Entry},
    db::DbError,
    i18n::Language,
    kits::Kits,
    web::{Fault, Problem},
};

/// The API's routes of this feature.
pub fn routes() -> OpenApiRouter<Kits> {
    OpenApiRouter::new()
        .routes(routes!(me, change_me))
        .routes(routes!(organisation, change_organisation))
        .routes(routes!(browsers))
        .routes(routes!(end_browser))
        .routes(routes!(tokens, issue_token))
        .routes(routes!(revoke_token))
        .routes(routes!(sign_up))
        .routes(routes!(confirm_email))
        .routes(routes!(forgotten_password))
        .routes(routes!(set_password))
        .merge(program_sign_in::api::routes())
}

/// A call that cannot be answered as asked.
#[derive(Debug)]
pub(super) enum Refusal {
    Problem(Box<Problem>),
    Throttled(Box<Problem>, u32),
    Fault(Fault),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::Throttled(problem, seconds) => {
                let mut response = problem.into_response();
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                response
            }
            Self::Fault(fault) => fault.into_response(),
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<DbError> for Refusal {
    fn from(error: DbError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Fault(failure.into())
    }
}

impl From<Throttled> for Refusal {
    fn from(throttled: Throttled) -> Self {
        let (status, detail) = (StatusCode::TOO_MANY_REQUESTS, throttled.to_string());
        let problem = Problem::new(status, "throttled", "Too many tries", &detail).next("Wait, then try again.");
        Self::Throttled(Box::new(problem), throttled.seconds())
    }
}

impl From<PasswordRefusal> for Refusal {
    fn from(refusal: PasswordRefusal) -> Self {
        let detail = refusal.to_string();
        invalid("The password is not taken.").field("password", &detail).into()
    }
}

impl From<TokenRefusal> for Refusal {
    fn from(refusal: TokenRefusal) -> Self {
        let code = match refusal {
            TokenRefusal::Unknown => "link_unknown",
            TokenRefusal::Expired => "link_expired",
            TokenRefusal::Used => "link_used",
            TokenRefusal::Superseded => "link_superseded",
        };
        Problem::new(StatusCode::GONE, code, "The link does not work", &refusal.to_string()).into()
    }
}

impl From<InvalidSecret> for Refusal {
    fn from(_: InvalidSecret) -> Self {
        TokenRefusal::Unknown.into()
    }
}

impl From<SetPasswordRefusal> for Refusal {
    fn from(refusal: SetPasswordRefusal) -> Self {
        match refusal {
            SetPasswordRefusal::Link(refusal) => refusal.into(),
            SetPasswordRefusal::Password(refusal) => refusal.into(),
        }
    }
}

fn invalid(detail: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Something needs correcting", detail)
        .next("Correct the fields named and send it again.")
}

/// Words that must be there, `most` characters at most.
fn words(problem: &mut Option<Problem>, field: &str, text: &str, most: usize) -> String {
    let text = text.trim();
    let wrong = if text.is_empty() {
        Some("Fill this in.".to_owned())
    } else if text.chars().count() > most {
        Some(format!("{most} characters at most."))
    } else {
        None
    };
    if let Some(wrong) = wrong {
        let so_far = problem.take().unwrap_or_else(|| invalid("Some fields cannot be taken as they are."));
        *problem = Some(so_far.field(field, &wrong));
    }
    text.to_owned()
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Me {
    #[schema(value_type = Uuid)]
    id: UserId,
    #[schema(value_type = String)]
    email: EmailAddress,
    name: String,
    phone: Option<String>,
    language: &'static str,
    organisation: Membership,
    /// Every organisation this user is in.
    memberships: Vec<Membership>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Membership {
    #[schema(value_type = Uuid)]
    id: OrganisationId,
    name: String,
    kind: &'static str,
    role: &'static str,
}

impl From<&super::model::Member> for Membership {
    fn from(member: &super::model::Member) -> Self {
        Self {
            id: member.organisation_id,
            name: member.organisation_name.clone(),
            kind: member.kind.word(),
            role: member.role.word(),
        }
    }
}

async fn own_data(kits: &Kits, signed_in: &SignedIn) -> Result<Me, Refusal> {
    let member = signed_in.member();
    let mut tx = kits.db.read().await?;
    let user = service::user(&mut tx, member.user_id).await?.ok_or_else(Fault::not_found)?;
    let memberships = service::memberships(&mut tx, member.user_id).await?;
    Ok(Me {
        id: user.id,
        email: user.email,
        name: user.name,
        phone: user.phone,
        language: user.language.tag(),
        organisation: member.into(),
        memberships: memberships.iter().map(Membership::from).collect(),
    })
}

/// Who is signed in, and for which organisation.
#[utoipa::path(get, path = "/api/v1/me", tag = "me", responses((status = 200, body = Me)))]
async fn me(State(kits): State<Kits>, signed_in: SignedIn) -> Result<Json<Me>, Refusal> {
    own_data(&kits, &signed_in).await.map(Json)
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct MeChange {
    name: String,
    #[serde(default)]
    phone: Option<String>,
    /// `en` or `fr`; unchanged when absent.
    #[serde(default)]
    language: Option<String>,
}

/// Changes own name, phone number and language.
#[utoipa::path(put, path = "/api/v1/me", tag = "me", request_body = MeChange, responses((status = 200, body = Me)))]
async fn change_me(
    State(kits): State<Kits>,
    signed_in: SignedIn,
    Json(change): Json<MeChange>,
) -> Result<Json<Me>, Refusal> {
    let mut problem = None;
    let name = words(&mut problem, "name", &change.name, 120);
    let phone = change.phone.filter(|phone| !phone.trim().is_empty());
    let phone = phone.map(|phone| words(&mut problem, "phone", &phone, 40));
    let language = match change.language.as_deref().map(str::parse::<Language>) {
        Some(Err(error)) => {
            let so_far = problem.take().unwrap_or_else(|| invalid("Some fields cannot be taken as they are."));
            problem = Some(so_far.field("language", &error.to_string()));
            None
        }
        Some(Ok(language)) => Some(language),
        None => None,
    };
    if let Some(problem) = problem {
        return Err(problem.into());
    }
    service::change_person(&kits, signed_in.member().user_id, &name, phone.as_deref()).await?;
    if let Some(language) = language {
        service::change_language(&kits, signed_in.member().user_id, language).await?;
    }
    own_data(&kits, &signed_in).await.map(Json)
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct OrganisationView {
    #[schema(value_type = Uuid)]
    id: OrganisationId,
    kind: &'static str,
    name: String,
    street: Option<String>,
    postcode: Option<String>,
    city: Option<String>,
    country: Option<String>,
}

async fn own_organisation(kits: &Kits, id: OrganisationId) -> Result<OrganisationView, Refusal> {
    let mut tx = kits.db.read().await?;
    let organisation = service::organisation(&mut tx, id).await?.ok_or_else(Fault::not_found)?;
    let PostalAddress { street, postcode, city, country } = organisation.address;
    let (kind, name) = (organisation.kind.word(), organisation.name);
    Ok(OrganisationView { id: organisation.id, kind, name, street, postcode, city, country })
}

/// The organisation the caller acts for.
#[utoipa::path(get, path = "/api/v1/organisation", tag = "me", responses((status = 200, body = OrganisationView)))]
async fn organisation(State(kits): State<Kits>, signed_in: SignedIn) -> Result<Json<OrganisationView>, Refusal> {
    own_organisation(&kits, signed_in.member().organisation_id).await.map(Json)
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct OrganisationChange {
    name: String,
    #[serde(default)]
    street: String,
    #[serde(default)]
    postcode: String,
    #[serde(default)]
    city: String,
    #[serde(default)]
    country: String,
}

/// Changes name and address of the organisation the caller administers.
#[utoipa::path(put, path = "/api/v1/organisation", tag = "me", request_body = OrganisationChange,
    responses((status = 200, body = OrganisationView)))]
async fn change_organisation(
    State(kits): State<Kits>,
    administrator: OrganisationAdministrator,
    Json(change): Json<OrganisationChange>,
) -> Result<Json<OrganisationView>, Refusal> {
    let mut problem = None;
    let name = words(&mut problem, "name", &change.name, 120);
    let mut optional =
        |field, text: &str, most| (!text.trim().is_empty()).then(|| words(&mut problem, field, text, most));
    let address = PostalAddress {
        street: optional("street", &change.street, 200),
        postcode: optional("postcode", &change.postcode, 20),
        city: optional("city", &change.city, 120),
        country: optional("country", &change.country, 80),
    };
    if let Some(problem) = problem {
        return Err(problem.into());
    }
    service::change_organisation(&kits, &administrator, &name, &address).await?;
    own_organisation(&kits, administrator.member().organisation_id).await.map(Json)
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct BrowserView {
    id: Uuid,
    organisation: String,
    user_agent: String,
    network: String,
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[schema(value_type = String)]
    seen_at: Timestamp,
    #[schema(value_type = String)]
    expires_at: Timestamp,
}

/// The browsers that are signed in as the caller.
#[utoipa::path(get, path = "/api/v1/me/browsers", tag = "me", responses((status = 200, body = [BrowserView])))]
async fn browsers(State(kits): State<Kits>, signed_in: SignedIn) -> Result<Json<Vec<BrowserView>>, Refusal> {
    let sessions = portal_session::list(&kits, signed_in.member().user_id).await?;
    let views = sessions.into_iter().map(|session| BrowserView {
        id: session.id.0,
        organisation: session.organisation,
        user_agent: session.user_agent,
        network: session.network,
        created_at: session.created_at,
        seen_at: session.seen_at,
        expires_at: session.expires_at,
    });
    Ok(Json(views.collect()))
}

/// Signs one of them out.
#[utoipa::path(delete, path = "/api/v1/me/browsers/{id}", tag = "me", params(("id" = Uuid, Path,)),
    responses((status = 204), (status = 404, description = "None of the caller's")))]
async fn end_browser(
    State(kits): State<Kits>,
    signed_in: SignedIn,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Refusal> {
    let ended = portal_session::end_one(&kits, signed_in.member().user_id, PortalSessionId(id)).await?;
    if ended { Ok(StatusCode::NO_CONTENT) } else { Err(Fault::not_found().into()) }
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct TokenView {
    id: Uuid,
    label: String,
    organisation: String,
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[schema(value_type = String)]
    expires_at: Timestamp,
    #[schema(value_type = Option<String>)]
    used_at: Option<Timestamp>,
}

/// The caller's live tokens.
#[utoipa::path(get, path = "/api/v1/me/tokens", tag = "me", responses((status = 200, body = [TokenView])))]
async fn tokens(State(kits): State<Kits>, signed_in: SignedIn) -> Result<Json<Vec<TokenView>>, Refusal> {
    let tokens = api_token::list(&kits, signed_in.member().user_id).await?;
    let views = tokens.into_iter().map(|token| TokenView {
        id: token.id.0,
        label: token.label,
        organisation: token.organisation,
        created_at: token.created_at,
        expires_at: token.expires_at,
        used_at: token.used_at,
    });
    Ok(Json(views.collect()))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct TokenRequest {
    /// What will use it.
    label: String,
}

#[derive(Serialize, utoipa::ToSchema)]
struct IssuedToken {
    /// Shown this once.
    token: String,
    #[schema(value_type = String)]
    expires_at: Timestamp,
}

/// Makes a token for the organisation the caller acts for.
#[utoipa::path(post, path = "/api/v1/me/tokens", tag = "me", request_body = TokenRequest,
    responses((status = 201, body = IssuedToken)))]
async fn issue_token(
    State(kits): State<Kits>,
    signed_in: SignedIn,
    Json(request): Json<TokenRequest>,
) -> Result<(StatusCode, Json<IssuedToken>), Refusal> {
    let mut problem = None;
    let label = words(&mut problem, "label", &request.label, 80);
    if let Some(problem) = problem {
        return Err(problem.into());
    }
    let (now, member) = (kits.now(), signed_in.member());
    let mut tx = kits.db.write().await?;
    let (token, expires_at) = api_token::issue(&mut tx, &kits, now, member, &label).await?;
    let entry = Entry {
        actor: Actor::User { id: member.user_id, name: member.name.clone() },
        what: "token_issued",
        device: None,
        session: None,
        details: serde_json::json!({ "label": label }),
        readers: vec![member.organisation_id],
    };
    audit::write(&mut tx, now, &kits.random, entry).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(IssuedToken { token: token.expose(), expires_at })))
}

/// Revokes one of the caller's tokens.
#[utoipa::path(delete, path = "/api/v1/me/tokens/{id}", tag = "me", params(("id" = Uuid, Path,)),
    responses((status = 204), (status = 404, description = "None of the caller's")))]
async fn revoke_token(
    State(kits): State<Kits>,
    signed_in: SignedIn,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Refusal> {
    let revoked = api_token::revoke(&kits, signed_in.member().user_id, ApiTokenId(id)).await?;
    if revoked { Ok(StatusCode::NO_CONTENT) } else { Err(Fault::not_found().into()) }
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct SignUp {
    company: String,
    name: String,
    #[schema(value_type = String)]
    email: EmailAddress,
    password: String,
    /// `en` or `fr`; English when absent.
    #[serde(default)]
    language: Option<String>,
}

/// Signs an installer up; a link goes to the address. The answer does not tell which addresses are known.
#[utoipa::path(post, path = "/api/v1/sign-up", tag = "sign-up", request_body = SignUp,
    responses((status = 202, description = "A mail is on its way")))]
async fn sign_up(State(kits): State<Kits>, network: Network, Json(form): Json<SignUp>) -> Result<StatusCode, Refusal> {
    let mut problem = None;
    let company = words(&mut problem, "company", &form.company, 120);
    let name = words(&mut problem, "name", &form.name, 120);
    if let Some(problem) = problem {
        return Err(problem.into());
    }
    let password = Password::choose(&form.password, &[&company, &name, form.email.as_str()])?;
    let language = form.language.and_then(|tag| tag.parse().ok()).unwrap_or_default();
    let application = Application { company: &company, name: &name, email: &form.email, password: &password, language };
    sign_up::sign_up(&kits, &network, &application).await??;
    Ok(StatusCode::ACCEPTED)
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Link {
    /// What follows `#` in the link.
    token: String,
}

/// Confirms an installer's address.
#[utoipa::path(post, path = "/api/v1/sign-up/confirm", tag = "sign-up", request_body = Link,
    responses((status = 204), (status = 410, description = "The link does not work")))]
async fn confirm_email(State(kits): State<Kits>, Json(link): Json<Link>) -> Result<StatusCode, Refusal> {
    let secret: Secret = link.token.parse()?;
    sign_up::confirm(&kits, &secret).await??;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Forgotten {
    #[schema(value_type = String)]
    email: EmailAddress,
}

/// Mails a link to choose a password, if the address is known; the answer does not tell.
#[utoipa::path(post, path = "/api/v1/password/forgotten", tag = "sign-in", request_body = Forgotten,
    responses((status = 202, description = "If the address is known, a mail is on its way")))]
async fn forgotten_password(
    State(kits): State<Kits>,
    network: Network,
    Json(form): Json<Forgotten>,
) -> Result<StatusCode, Refusal> {
    recover::forgotten(&kits, &network, &form.email).await??;
    Ok(StatusCode::ACCEPTED)
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChoice {
    /// What follows `#` in the link.
    token: String,
    password: String,
}

/// Chooses a password by the link in the mail.
#[utoipa::path(post, path = "/api/v1/password", tag = "sign-in", request_body = PasswordChoice,
    responses((status = 204), (status = 410, description = "The link does not work")))]
async fn set_password(State(kits): State<Kits>, Json(choice): Json<PasswordChoice>) -> Result<StatusCode, Refusal> {
    let secret: Secret = choice.token.parse()?;
    recover::set_password(&kits, &secret, &choice.password).await??;
    Ok(StatusCode::NO_CONTENT)
}
