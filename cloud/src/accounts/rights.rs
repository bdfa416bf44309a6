//! Rights as types: a service function takes the proof that the caller may, and proofs are made here alone.

use axum::{
    extract::{FromRef, FromRequestParts},
    response::{IntoResponse, Response},
};
use http::request::Parts;

use super::{
    model::{Member, OrganisationKind, Role},
    signed_in::{NotSignedIn, SignedIn},
};
use crate::{kits::Kits, web::Fault};

/// The signed-in person's organisation or role does not allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("your role in this organisation does not allow it: ask one of its administrators")]
pub struct NotAllowed;

/// Why an extractor of a proof gave none.
#[derive(Debug)]
pub enum Refused {
    /// Nobody is signed in.
    NotSignedIn(NotSignedIn),
    /// Somebody is, who may not.
    NotAllowed,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::NotSignedIn(nobody) => nobody.into_response(),
            Self::NotAllowed => Fault::forbidden().into_response(),
        }
    }
}

macro_rules! proof {
    ($(#[$doc:meta])* $name:ident, $kind:pat, $role:pat) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(SignedIn);

        impl $name {
            /// Who.
            pub const fn member(&self) -> &Member {
                self.0.member()
            }

            /// The same person without the proof, for the frame of a page.
            pub const fn signed_in(&self) -> &SignedIn {
                &self.0
            }
        }

        impl TryFrom<SignedIn> for $name {
            type Error = NotAllowed;
            fn try_from(signed_in: SignedIn) -> Result<Self, NotAllowed> {
                match (signed_in.member().kind, signed_in.member().role) {
                    ($kind, $role) => Ok(Self(signed_in)),
                    #[allow(unreachable_patterns, reason = "some proofs ask for no particular role")]
                    (
                        OrganisationKind::Vendor
                        | OrganisationKind::Installer
                        | OrganisationKind::Reseller
                        | OrganisationKind::Customer,
                        Role::Administrator | Role::Supervisor | Role::Technician | Role::Basic,
                    ) => Err(NotAllowed),
                }
            }
        }

        impl<S> FromRequestParts<S> for $name
        where
            S: Send + Sync,
            Kits: FromRef<S>,
        {
            type Rejection = Refused;
            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
                let signed_in = SignedIn::from_request_parts(parts, state).await.map_err(Refused::NotSignedIn)?;
                Self::try_from(signed_in).map_err(|NotAllowed| Refused::NotAllowed)
            }
        }
    };
}

proof!(
    /// Somebody of the vendor: sees the inventory, the quarantine, the mailbox.
    VendorMember,
    OrganisationKind::Vendor,
    Role::Administrator | Role::Supervisor | Role::Technician | Role::Basic
);
proof!(
    /// Somebody of the vendor who may change what is there: imports, retires, revokes.
    VendorAdministrator,
    OrganisationKind::Vendor,
    Role::Administrator | Role::Supervisor
);
proof!(
    /// Somebody of an installer who may register devices and open sessions.
    InstallerMember,
    OrganisationKind::Installer,
    Role::Administrator | Role::Supervisor | Role::Technician
);
proof!(
    /// Somebody of a customer who may decide over its devices.
    CustomerMember,
    OrganisationKind::Customer,
    Role::Administrator | Role::Supervisor
);
proof!(
    /// Somebody who may change their organisation's name and address.
    OrganisationAdministrator,
    OrganisationKind::Vendor | OrganisationKind::Installer | OrganisationKind::Reseller | OrganisationKind::Customer,
    Role::Administrator
);
