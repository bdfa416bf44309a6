//! Language and theme, kept in cookies by a form that needs no script.

use std::time::Duration;

use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{
    Form,
    cookies::{LANGUAGE, SET_COOKIE, THEME, set_cookie},
};
use crate::{
    i18n::Language,
    render::{Theme, paths},
};

const YEAR: Duration = Duration::from_secs(365 * 86_400);

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    language: String,
    #[serde(default)]
    theme: String,
    #[serde(default)]
    back: String,
}

pub(super) async fn choose(Form(choice): Form<Choice>) -> Response {
    let mut cookies = Vec::new();
    if let Ok(language) = choice.language.parse::<Language>() {
        cookies.push((SET_COOKIE, set_cookie(LANGUAGE, language.tag(), Some(YEAR))));
    }
    if let Some(theme) = Theme::from_word(&choice.theme) {
        cookies.push((SET_COOKIE, set_cookie(THEME, theme.word(), Some(YEAR))));
    }
    (AppendHeaders(cookies), Redirect::to(paths::own_or_home(&choice.back))).into_response()
}
