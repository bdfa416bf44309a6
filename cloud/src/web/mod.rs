//! HTTP for every feature: the accept loop with its limits, the layers around the routes, who is asking (language,
//! theme, path), forms, faults as pages and problems as JSON. Knows no feature and nobody's rights.
//!
//! - [`serve`] accepts; [`portal`] puts the layers around a router.
//! - [`Visitor`] is the extractor behind every page: `visitor.page(clock.now())`.
//! - [`Form`] reads a posted form; its struct holds plain texts, which the handler parses with
//!   [`Refusals`](crate::render::Refusals).
//! - [`Fault`] is what a handler returns when there is no page to show: `Err(Fault::not_found())`. It becomes a page
//!   in the visitor's language, or `application/problem+json` below `/api`, `/enrol`, `/record` and `/relay`.
//! - [`flash`] carries one message over a redirect: `(flash("flash-link-sent"), Redirect::to(&path))`.
//! - [`Named`] is the id in a path, [`Call`] the JSON body and [`Narrowed`] the query of an API call.
//! - [`Problem`] is the API's own refusal (RFC 9457), [`Refusal`] whatever keeps a call from its answer.

mod assets;
mod by_name;
mod call;
mod cookies;
mod fault;
mod form;
mod layers;
mod long_body;
mod named;
mod preferences;
mod problem;
mod refusal;
mod serve;
#[cfg(test)]
mod tests;
mod visitor;

pub use by_name::{ByName, Carry, Taker};
pub use call::{Call, Narrowed};
pub use cookies::{clear_cookie, cookie, flash, set_cookie};
pub use fault::Fault;
pub use form::Form;
pub use layers::{API_BODY_BYTES, FORM_BODY_BYTES, Hardening, portal};
pub use long_body::LongBody;
pub use named::Named;
pub use problem::Problem;
pub use refusal::Refusal;
pub use serve::{Limits, ServeError, Serving, serve};
pub use visitor::Visitor;
