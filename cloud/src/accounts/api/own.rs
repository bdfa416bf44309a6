//! Own data, organisation, browsers and tokens.

use axum::{
    Json,
    extract::{Path, State},
};
use gatelodge_proto::{OrganisationId, Timestamp, UserId, identity::EmailAddress};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::refusal::{Refusal, invalid, words};
use crate::{
    accounts::{
        By, SignedIn, api_token,
        model::{ApiTokenId, Member, PortalSessionId, PostalAddress},
        portal_session,
        rights::OrganisationAdministrator,
        service,
    },
    i18n::Language,
    kits::Kits,
    web::{Call, Fault, Problem},
};

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Me {
    id: UserId,
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
    id: OrganisationId,
    name: String,
    kind: &'static str,
    role: &'static str,
}

impl From<&Member> for Membership {
    fn from(member: &Member) -> Self {
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
pub(super) async fn me(State(kits): State<Kits>, signed_in: SignedIn) -> Result<Json<Me>, Refusal> {
    own_data(&kits, &signed_in).await.map(Json)
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MeChange {
    name: String,
    #[serde(default)]
    phone: Option<String>,
    /// `en` or `fr`; unchanged when absent.
    #[serde(default)]
    language: Option<String>,
}

/// Changes own name, phone number and language.
#[utoipa::path(put, path = "/api/v1/me", tag = "me", request_body = MeChange, responses((status = 200, body = Me)))]
pub(super) async fn change_me(
    State(kits): State<Kits>,
    signed_in: SignedIn,
    Call(change): Call<MeChange>,
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
pub(super) struct OrganisationView {
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
pub(super) async fn organisation(
    State(kits): State<Kits>,
    signed_in: SignedIn,
) -> Result<Json<OrganisationView>, Refusal> {
    own_organisation(&kits, signed_in.member().organisation_id).await.map(Json)
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OrganisationChange {
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
pub(super) async fn change_organisation(
    State(kits): State<Kits>,
    administrator: OrganisationAdministrator,
    Call(change): Call<OrganisationChange>,
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
pub(super) struct BrowserView {
    id: Uuid,
    organisation: String,
    user_agent: String,
    network: String,
    created_at: Timestamp,
    seen_at: Timestamp,
    expires_at: Timestamp,
}

/// The browsers that are signed in as the caller.
#[utoipa::path(get, path = "/api/v1/me/browsers", tag = "me", responses((status = 200, body = [BrowserView])))]
pub(super) async fn browsers(State(kits): State<Kits>, signed_in: SignedIn) -> Result<Json<Vec<BrowserView>>, Refusal> {
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
pub(super) async fn end_browser(
    State(kits): State<Kits>,
    signed_in: SignedIn,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Refusal> {
    let ended = portal_session::end_one(&kits, signed_in.member(), PortalSessionId(id)).await?;
    if ended { Ok(StatusCode::NO_CONTENT) } else { Err(Fault::not_found().into()) }
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct TokenView {
    id: Uuid,
    label: String,
    organisation: String,
    created_at: Timestamp,
    expires_at: Timestamp,
    used_at: Option<Timestamp>,
}

/// The caller's live tokens.
#[utoipa::path(get, path = "/api/v1/me/tokens", tag = "me", responses((status = 200, body = [TokenView])))]
pub(super) async fn tokens(State(kits): State<Kits>, signed_in: SignedIn) -> Result<Json<Vec<TokenView>>, Refusal> {
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
pub(super) struct TokenRequest {
    /// What will use it.
    label: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct IssuedToken {
    /// Shown this once.
    token: String,
    expires_at: Timestamp,
}

/// Makes a token for the organisation the caller acts for; for a browser only, as a token that makes tokens would
/// outlive its own end.
#[utoipa::path(post, path = "/api/v1/me/tokens", tag = "me", request_body = TokenRequest,
    responses((status = 201, body = IssuedToken), (status = 403, description = "Asked by a program")))]
pub(super) async fn issue_token(
    State(kits): State<Kits>,
    signed_in: SignedIn,
    Call(request): Call<TokenRequest>,
) -> Result<(StatusCode, Json<IssuedToken>), Refusal> {
    if matches!(signed_in.by(), By::Program(_)) {
        let detail = "A token cannot make another token.";
        let problem = Problem::new(StatusCode::FORBIDDEN, "browser_needed", "Not with a token", detail);
        return Err(problem.next("Make it in the portal, under Account.").into());
    }
    let mut problem = None;
    let label = words(&mut problem, "label", &request.label, 80);
    if let Some(problem) = problem {
        return Err(problem.into());
    }
    let (token, expires_at) = api_token::make(&kits, signed_in.member(), &label, signed_in.confirmed_at()).await?;
    Ok((StatusCode::CREATED, Json(IssuedToken { token: token.expose(), expires_at })))
}

/// Revokes one of the caller's tokens.
#[utoipa::path(delete, path = "/api/v1/me/tokens/{id}", tag = "me", params(("id" = Uuid, Path,)),
    responses((status = 204), (status = 404, description = "None of the caller's")))]
pub(super) async fn revoke_token(
    State(kits): State<Kits>,
    signed_in: SignedIn,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Refusal> {
    let revoked = api_token::revoke(&kits, signed_in.member(), ApiTokenId(id)).await?;
    if revoked { Ok(StatusCode::NO_CONTENT) } else { Err(Fault::not_found().into()) }
}
