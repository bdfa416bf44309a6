//! The proof that changes of factors ask for.

use std::time::Duration;

use axum::{
    extract::{FromRef, FromRequestParts},
    response::{IntoResponse, Redirect, Response},
};
use http::request::Parts;

use super::store;
use crate::{
    accounts::{
        By, NotSignedIn, SignedIn,
        model::{Member, PortalSessionId},
    },
    kits::Kits,
    render::paths,
    web::Fault,
};

/// How long a proof stands: long enough to fetch a phone, too short for a browser that was left open.
const FRESH: Duration = Duration::from_secs(15 * 60);

/// Somebody at a browser who showed in the last quarter of an hour who they are: by a second factor when they have one,
/// else by what they signed in with.
#[derive(Debug, Clone)]
pub struct Proven {
    signed_in: SignedIn,
    browser: PortalSessionId,
}

impl Proven {
    /// Who.
    pub const fn member(&self) -> &Member {
        self.signed_in.member()
    }

    /// The same person without the proof, for the frame of a page.
    pub const fn signed_in(&self) -> &SignedIn {
        &self.signed_in
    }

    /// Which browser.
    pub const fn browser(&self) -> PortalSessionId {
        self.browser
    }
}

/// Why there is no proof.
#[derive(Debug)]
pub enum NotProven {
    /// Nobody is signed in.
    NotSignedIn(NotSignedIn),
    /// A program, which no person sits at.
    Program,
    /// Too long ago: the browser is led to where it can be done anew.
    Stale,
    /// The database.
    Unknown(Fault),
}

impl IntoResponse for NotProven {
    fn into_response(self) -> Response {
        match self {
            Self::NotSignedIn(nobody) => nobody.into_response(),
            Self::Program => Fault::forbidden().into_response(),
            Self::Stale => Redirect::to(&paths::confirm_self(paths::SECOND_FACTOR)).into_response(),
            Self::Unknown(fault) => fault.into_response(),
        }
    }
}

impl<S> FromRequestParts<S> for Proven
where
    S: Send + Sync,
    Kits: FromRef<S>,
{
    type Rejection = NotProven;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, NotProven> {
        let signed_in = SignedIn::from_request_parts(parts, state).await.map_err(NotProven::NotSignedIn)?;
        let By::Browser { id, proved_at, .. } = signed_in.by() else { return Err(NotProven::Program) };
        let (browser, proved_at) = (*id, *proved_at);
        let kits = Kits::from_ref(state);
        let unknown = |error: crate::db::DbError| NotProven::Unknown(error.into());
        let mut tx = kits.db.read().await.map_err(unknown)?;
        let by = if store::any(&mut tx, signed_in.member().user_id).await.map_err(unknown)? {
            signed_in.confirmed_at()
        } else {
            Some(proved_at)
        };
        if by.is_none_or(|at| kits.now().since(at) >= FRESH) {
            return Err(NotProven::Stale);
        }
        Ok(Self { signed_in, browser })
    }
}
