//! The extractor behind every page and call that needs somebody: a browser by its cookie, a program by its token.

use std::{fmt, sync::Arc};

use axum::{
    extract::{FromRef, FromRequestParts},
    response::{IntoResponse, Redirect, Response},
};
use futures_util::future::BoxFuture;
use gatelodge_proto::Timestamp;
use http::{HeaderValue, Method, StatusCode, header, request::Parts};

use super::{
    api_token::{self, BearerToken},
    model::{ApiTokenId, Member, PortalSessionId},
    portal_session::{self, Recognised},
    tokens::Secret,
};
use crate::{
    db::DbError,
    kits::Kits,
    render::{Side, Who, paths},
    web::{Fault, Problem, cookie},
};

/// Somebody who is signed in. Says who, not what they may: that is for the proofs in [`rights`](super::rights).
#[derive(Debug, Clone)]
pub struct SignedIn {
    member: Member,
    by: By,
    confirmed_at: Option<Timestamp>,
    waiting: u32,
    keeps_mails: bool,
}

/// Who knows how many requests wait for a member's word. An extension of every request, put there by what knows the
/// features, so that the bell of any page shows it; without one, nothing waits.
#[derive(Clone)]
pub struct Bell(Arc<Count>);

type Count = dyn Fn(Kits, Member) -> BoxFuture<'static, Result<u32, DbError>> + Send + Sync;

impl Bell {
    /// The bell over what counts.
    pub fn new<F>(count: impl Fn(Kits, Member) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<u32, DbError>> + Send + 'static,
    {
        Self(Arc::new(move |kits, member| Box::pin(count(kits, member))))
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bell")
    }
}

/// How they showed it.
#[derive(Debug, Clone)]
pub enum By {
    /// A browser, by its cookie.
    Browser {
        /// Which session.
        id: PortalSessionId,
        /// The cookie's value.
        secret: Secret,
        /// When the person at it last showed who they are, by whatever they sign in with.
        proved_at: Timestamp,
    },
    /// A program, by its token.
    Program(ApiTokenId),
}

impl SignedIn {
    /// Who, and for which organisation.
    pub const fn member(&self) -> &Member {
        &self.member
    }

    /// How they showed it.
    pub const fn by(&self) -> &By {
        &self.by
    }

    /// When they last confirmed by a second factor: at this browser, or at the one that let this program in.
    pub const fn confirmed_at(&self) -> Option<Timestamp> {
        self.confirmed_at
    }

    /// What the frame of a page shows of them.
    pub fn who(&self) -> Who {
        let member = &self.member;
        Who {
            name: member.name.clone(),
            email: member.email.to_string(),
            organisation: member.organisation_name.clone(),
            side: member.kind.into(),
            role: member.role.into(),
            waiting: self.waiting,
            mailbox: self.keeps_mails,
        }
    }
}

/// Nobody is signed in: a page leads to the sign-in, a call of the API gets a problem.
#[derive(Debug)]
pub enum NotSignedIn {
    /// A page; where to come back to.
    Page(String),
    /// A call of the API.
    Call,
    /// Nobody can tell at the moment.
    Unknown(Fault),
}

impl NotSignedIn {
    fn at(parts: &Parts) -> Self {
        if parts.uri.path().starts_with("/api/") {
            return Self::Call;
        }
        let safe = matches!(parts.method, Method::GET | Method::HEAD);
        let path = parts.uri.path_and_query().map_or(paths::HOME, |path| path.as_str());
        Self::Page(if safe { path.to_owned() } else { paths::HOME.to_owned() })
    }
}

impl IntoResponse for NotSignedIn {
    fn into_response(self) -> Response {
        match self {
            Self::Page(back) => {
                let next: String = url::form_urlencoded::byte_serialize(back.as_bytes()).collect();
                Redirect::to(&format!("{}?next={next}", paths::SIGN_IN)).into_response()
            }
            Self::Call => {
                let problem = Problem::new(
                    StatusCode::UNAUTHORIZED,
                    "sign_in_needed",
                    "Not signed in",
                    "This call needs a token that is neither expired nor revoked.",
                )
                .next("Sign in again with `gatelodge sign-in`, and send the token as `Authorization: Bearer gl_...`.");
                let mut response = problem.into_response();
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                response
            }
            Self::Unknown(fault) => fault.into_response(),
        }
    }
}

impl<S> FromRequestParts<S> for SignedIn
where
    S: Send + Sync,
    Kits: FromRef<S>,
{
    type Rejection = NotSignedIn;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, NotSignedIn> {
        let kits = Kits::from_ref(state);
        match recognise(&kits, parts).await {
            Ok(Some(signed_in)) => Ok(signed_in),
            Ok(None) => Err(NotSignedIn::at(parts)),
            Err(error) => Err(NotSignedIn::Unknown(error.into())),
        }
    }
}

/// A program is told that its token does not work, rather than being taken for the browser whose cookie came along.
async fn recognise(kits: &Kits, parts: &Parts) -> Result<Option<SignedIn>, DbError> {
    let keeps_mails = kits.config.mail.smtp_url.is_none();
    if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
        let token = value
            .to_str()
            .ok()
            .and_then(|text| text.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .and_then(|(_, token)| token.trim().parse::<BearerToken>().ok());
        let Some(token) = token else { return Ok(None) };
        let found = api_token::recognise(kits, &token).await?;
        return Ok(found.map(|(member, id, confirmed_at)| SignedIn {
            member,
            by: By::Program(id),
            confirmed_at,
            waiting: 0,
            keeps_mails,
        }));
    }
    let Some(secret) = cookie(&parts.headers, portal_session::COOKIE).and_then(|value| value.parse::<Secret>().ok())
    else {
        return Ok(None);
    };
    let Some(found) = portal_session::recognise(kits, &secret).await? else { return Ok(None) };
    let Recognised { member, id, proved_at, confirmed_at } = found;
    let waiting = match parts.extensions.get::<Bell>() {
        Some(Bell(count)) => count(kits.clone(), member.clone()).await?,
        None => 0,
    };
    Ok(Some(SignedIn { member, by: By::Browser { id, secret, proved_at }, confirmed_at, waiting, keeps_mails }))
}

impl From<super::model::OrganisationKind> for Side {
    fn from(kind: super::model::OrganisationKind) -> Self {
        use super::model::OrganisationKind as Kind;
        match kind {
            Kind::Vendor => Self::Vendor,
            Kind::Installer => Self::Installer,
            Kind::Reseller => Self::Reseller,
            Kind::Customer => Self::Customer,
        }
    }
}

impl From<super::model::Role> for crate::render::Role {
    fn from(role: super::model::Role) -> Self {
        use super::model::Role;
        match role {
            Role::Administrator => Self::Administrator,
            Role::Supervisor => Self::Supervisor,
            Role::Technician => Self::Technician,
            Role::Basic => Self::Basic,
        }
    }
}
