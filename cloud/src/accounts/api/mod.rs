//! The JSON API of accounts, over the same services as the pages.

mod entry;
mod own;
mod refusal;

use utoipa_axum::{router::OpenApiRouter, routes};

use super::program_sign_in;
use crate::kits::Kits;

pub(super) use refusal::Refusal;

/// The API's routes of this feature.
pub fn routes() -> OpenApiRouter<Kits> {
    OpenApiRouter::new()
        .routes(routes!(own::me, own::change_me))
        .routes(routes!(own::organisation, own::change_organisation))
        .routes(routes!(own::browsers))
        .routes(routes!(own::end_browser))
        .routes(routes!(own::tokens, own::issue_token))
        .routes(routes!(own::revoke_token))
        .routes(routes!(entry::sign_up))
        .routes(routes!(entry::confirm_email))
        .routes(routes!(entry::forgotten_password))
        .routes(routes!(entry::set_password))
        .merge(program_sign_in::api::routes())
}
