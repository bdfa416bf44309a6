//! The buttons by which somebody at the device holds who enters: answers to requests, and the customer's key.

use askama::Template;
use axum::{
    Form,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Redirect, Response},
};
use gatelodge_proto::consent::{Challenge, PinId};
use serde::Deserialize;

use super::{
    language::Words,
    pages::{Desk, Word, render, words},
};
use crate::{
    run::PageOrder,
    status::{ConsentShown, PinShown},
};

#[derive(Template)]
#[template(path = "key.html")]
struct Key {
    words: Words,
    pinned: PinShown,
    token: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    token: String,
    draft: Challenge,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfKey {
    token: String,
    fingerprint: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfPin {
    token: String,
    pin: PinId,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plain {
    token: String,
}

/// The first of two steps: nothing is changed by looking at it.
pub(super) async fn key(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    let words = words(&headers);
    match desk.board.status().consent.pinned {
        Some(pinned) => render(StatusCode::OK, &Key { words, pinned, token: desk.token }),
        None => render(StatusCode::NOT_FOUND, &Word { line: words.get("key-none"), words }),
    }
}

/// For `gatelodge-agent consent`. It keeps other sites out, whose pages cannot read this answer, and no program of this
/// machine: whoever may speak to the page may press its buttons.
pub(super) async fn token(State(desk): State<Desk>) -> String {
    desk.token
}

pub(super) async fn allow(desk: State<Desk>, headers: HeaderMap, Form(form): Form<Answer>) -> Response {
    answer(&desk, &headers, &form, true)
}

pub(super) async fn refuse(desk: State<Desk>, headers: HeaderMap, Form(form): Form<Answer>) -> Response {
    answer(&desk, &headers, &form, false)
}

fn answer(desk: &Desk, headers: &HeaderMap, form: &Answer, allowed: bool) -> Response {
    let order = PageOrder::Answer { draft: form.draft, allowed };
    pressed(desk, headers, &form.token, order, |shown| shown.wanted.iter().any(|wanted| wanted.draft == form.draft))
}

pub(super) async fn confirm(desk: State<Desk>, headers: HeaderMap, Form(form): Form<OfKey>) -> Response {
    let is_offered =
        |shown: &ConsentShown| shown.offered.as_ref().is_some_and(|key| key.fingerprint == form.fingerprint);
    let order = PageOrder::ConfirmKey { fingerprint: form.fingerprint.clone() };
    pressed(&desk, &headers, &form.token, order, is_offered)
}

pub(super) async fn decline(desk: State<Desk>, headers: HeaderMap, Form(form): Form<OfKey>) -> Response {
    let is_offered =
        |shown: &ConsentShown| shown.offered.as_ref().is_some_and(|key| key.fingerprint == form.fingerprint);
    let order = PageOrder::DeclineKey { fingerprint: form.fingerprint.clone() };
    pressed(&desk, &headers, &form.token, order, is_offered)
}

pub(super) async fn forget(desk: State<Desk>, headers: HeaderMap, Form(form): Form<OfPin>) -> Response {
    let is_pinned = |shown: &ConsentShown| shown.pinned.as_ref().is_some_and(|pinned| pinned.pin == form.pin);
    pressed(&desk, &headers, &form.token, PageOrder::ForgetKey { pin: form.pin }, is_pinned)
}

pub(super) async fn take_rules_back(desk: State<Desk>, headers: HeaderMap, Form(form): Form<Plain>) -> Response {
    pressed(&desk, &headers, &form.token, PageOrder::TakeRulesBack, |shown| shown.pinned.is_some())
}

/// A press counts for what was shown, and while it is still so.
fn pressed(
    desk: &Desk,
    headers: &HeaderMap,
    token: &str,
    order: PageOrder,
    stands: impl FnOnce(&ConsentShown) -> bool,
) -> Response {
    let word = |code, key: &str| {
        let words = words(headers);
        render(code, &Word { line: words.get(key), words })
    };
    if token != desk.token {
        return word(StatusCode::FORBIDDEN, "token-stale");
    }
    if !stands(&desk.board.status().consent) {
        return word(StatusCode::NOT_FOUND, "pressed-gone");
    }
    match desk.orders.try_send(order) {
        Ok(()) => Redirect::to("/").into_response(),
        Err(_) => word(StatusCode::SERVICE_UNAVAILABLE, "busy"),
    }
}
