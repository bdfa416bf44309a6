//! The API's document (OpenAPI 3.1): its frame, and what holds for every call. The calls describe themselves.

use gatelodge_proto::{FlowId, api::Problem};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        ContentBuilder, OpenApi as Document, PathItem, Ref, RefOr, Response, ResponseBuilder,
        path::Operation,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::accounts::portal_session;

/// The document without any call.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Gatelodge",
        description = "Everything that the portal can do. Refusals are problems (RFC 9457) with a stable `code`. \
                       A thing of another organisation is answered like one that is not there."
    ),
    tags(
        (name = "sign-up", description = "An installer opens an account."),
        (name = "sign-in", description = "Programs sign in by approval in a browser (RFC 8628); passwords."),
        (name = "me", description = "The caller: own data, organisation, browsers, tokens."),
        (name = "devices", description = "Devices as their people and the vendor see them."),
        (name = "registration", description = "The installer ties a device to a customer's e-mail address."),
        (name = "activation", description = "The customer confirms, sets the rules and gives back."),
        (name = "sessions", description = "Remote management sessions."),
        (name = "history", description = "What happened, as far as the caller's organisation may know it."),
        (name = "quarantine", description = "Keys that the vendor has to look at."),
        (name = "enrolment", description = "Devices ask for their certificate."),
        (name = "recordings", description = "Devices bring recordings of terminals."),
    ),
    components(schemas(Problem, FlowId)),
    security(("token" = []), ("browser" = [])),
    modifiers(&Schemes)
)]
pub(super) struct Frame;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut Document) {
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("From `gatelodge sign-in` or My sign-ins."))
            .build();
        let cookie = ApiKeyValue::with_description(portal_session::COOKIE, "The portal's own sign-in.");
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        components.add_security_scheme("browser", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

/// Gives every refusal its shape: a call says which statuses mean something, and any may answer with a problem.
pub(super) fn with_problems(mut document: Document) -> Document {
    for item in document.paths.paths.values_mut() {
        for call in calls(item) {
            for (status, response) in &mut call.responses.responses {
                if let (Some('4' | '5'), RefOr::T(response)) = (status.chars().next(), response) {
                    problem(response);
                }
            }
            let mut other = ResponseBuilder::new().description("Not answered as asked").build();
            problem(&mut other);
            call.responses.responses.insert("default".to_owned(), RefOr::T(other));
        }
    }
    document
}

fn calls(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

fn problem(response: &mut Response) {
    let shape = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    response.content.insert("application/problem+json".to_owned(), shape.into());
}
