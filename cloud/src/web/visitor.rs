//! Who is asking, as far as the request itself tells: language, theme, path, the message a redirect left.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use gatelodge_proto::Timestamp;
use http::{HeaderMap, Uri, header, request::Parts};

use super::cookies::{FLASH, LANGUAGE, THEME, cookie};
use crate::{
    i18n::{Language, Phrase, negotiate},
    render::{Notice, Page, Theme, Tone},
};

/// The person behind a request, signed in or not.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Their choice, else what their browser prefers.
    pub language: Language,
    /// Their choice of light and dark.
    pub theme: Theme,
    /// Path and query.
    pub path: String,
    notice: Option<Notice>,
}

impl Visitor {
    pub(super) fn of(headers: &HeaderMap, uri: &Uri) -> Self {
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Self {
            language: cookie(headers, LANGUAGE).and_then(|tag| tag.parse().ok()).unwrap_or_else(|| negotiate(accepted)),
            theme: cookie(headers, THEME).and_then(Theme::from_word).unwrap_or_default(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            notice: cookie(headers, FLASH).and_then(notice),
        }
    }

    /// The frame for this visitor's page.
    pub fn page(&self, now: Timestamp) -> Page {
        Page {
            language: self.language,
            theme: self.theme,
            path: self.path.clone(),
            who: None,
            notice: self.notice.clone(),
            now,
        }
    }
}

/// Only keys of our own, so that a planted cookie can say nothing but our own sentences.
fn notice(key: &str) -> Option<Notice> {
    let sound =
        key.starts_with("flash-") && key.len() <= 60 && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    sound.then(|| Notice {
        tone: if key.starts_with("flash-refused-") { Tone::Refused } else { Tone::Done },
        text: Phrase { key: key.to_owned().into(), arguments: Vec::new() },
    })
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers, &parts.uri))
    }
}
