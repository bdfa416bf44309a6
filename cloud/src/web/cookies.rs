//! Cookies, all of them `__Host-`, `Secure`, `HttpOnly` and `SameSite=Lax` (RFC 6265bis section 4.1.3).

use std::time::Duration;

use axum::response::{AppendHeaders, IntoResponseParts};
use http::{HeaderMap, HeaderName, header};

pub(super) const FLASH: &str = "__Host-gl-flash";
pub(super) const LANGUAGE: &str = "__Host-gl-language";
pub(super) const THEME: &str = "__Host-gl-theme";

/// The value of a cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(known, value)| (known == name).then_some(value))
}

/// The `Set-Cookie` text for `name`, which must begin with `__Host-`. Browsers hold `localhost` to be secure, so
/// this also works there by plain HTTP. Without an age it lasts as long as the browser's session.
pub fn set_cookie(name: &str, value: &str, age: Option<Duration>) -> String {
    let age = age.map(|age| format!("; Max-Age={}", age.as_secs())).unwrap_or_default();
    format!("{name}={value}; Path=/{age}; Secure; HttpOnly; SameSite=Lax")
}

/// The `Set-Cookie` text that removes `name`.
pub fn clear_cookie(name: &str) -> String {
    set_cookie(name, "", Some(Duration::ZERO))
}

/// Carries one message over a redirect; the next page shows it once. `key` is a locale key that begins with
/// `flash-`; nothing else is ever shown.
pub fn flash(key: &'static str) -> impl IntoResponseParts {
    AppendHeaders([(header::SET_COOKIE, set_cookie(FLASH, key, Some(Duration::from_secs(60))))])
}

pub(super) const SET_COOKIE: HeaderName = header::SET_COOKIE;
