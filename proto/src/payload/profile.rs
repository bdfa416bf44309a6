//! What people and browsers know of a service beside where it is: what it is for, what it is called, how its pages are
//! asked for; and presets, which name services so that nobody needs to know ports. Says nothing of who may.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};

use super::{Host, ServiceName};

/// What a device's own settings say of one of its services. No part of a grant: where a session may go does not depend
/// on what a place is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Which service.
    pub service: ServiceName,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Title>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known")]
    pub kind: Option<ServiceKind>,
    /// How its web pages are spoken to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Scheme>,
    /// Under which name it expects its web pages to be asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_host: Option<Host>,
}

impl Profile {
    /// Whether it says more than which service.
    pub const fn says_something(&self) -> bool {
        self.title.is_some() || self.kind.is_some() || self.scheme.is_some() || self.web_host.is_some()
    }
}

/// What a service is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ServiceKind {
    /// The maker's own program sets the installation up there.
    Programming,
    /// Pages for a browser.
    Web,
    /// Pictures of cameras.
    Video,
}

impl ServiceKind {
    /// All kinds, the one that technicians come for first.
    pub const ALL: [Self; 3] = [Self::Programming, Self::Web, Self::Video];

    /// The stable word for settings, databases, APIs and locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Programming => "programming",
            Self::Web => "web",
            Self::Video => "video",
        }
    }

    /// What a service of this kind is called where nobody has named it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Programming => "Programming",
            Self::Web => "Web page",
            Self::Video => "Video",
        }
    }

    /// The kind with this [`word`](Self::word).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// A neighbouring version may know more kinds.
fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ServiceKind>, D::Error> {
    let word = Option::<String>::deserialize(deserializer)?;
    Ok(word.as_deref().and_then(ServiceKind::from_word))
}

/// How a panel's pages are spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS, whose certificate nobody can check: it was made in the panel. What is certain is the device, and that the
    /// device reached this address.
    Https,
}

impl Scheme {
    /// As in a URL.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The same for web sockets.
    pub const fn socket_word(self) -> &'static str {
        match self {
            Self::Http => "ws",
            Self::Https => "wss",
        }
    }

    /// The port that is left out.
    pub const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// What people call something, like `Web page`: one line of 1 to 40 characters that are all seen, in the order in which
/// they are read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(example = "Programming", min_length = 1, max_length = 40))]
pub struct Title(String);

/// The text is no title.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a title is one line of 1 to 40 visible characters, like Programming")]
pub struct InvalidTitle;

/// Characters that are not seen, or that change the order in which others are (Unicode: Cc, Cf and the separators of
/// lines; bidirectional controls of UAX 9 among them).
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

impl Title {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How it is typed where a space ends a word: `web-page`. Empty when it has no letter and no digit of ASCII.
    pub fn typed(&self) -> String {
        let words = self.0.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
    }
}

impl FromStr for Title {
    type Err = InvalidTitle;
    fn from_str(text: &str) -> Result<Self, InvalidTitle> {
        let text = text.trim();
        let sound = (1..=40).contains(&text.chars().count()) && !text.chars().any(is_hidden);
        if sound { Ok(Self(text.to_owned())) } else { Err(InvalidTitle) }
    }
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::canonical_text!(Title);

/// Some of a device's services under one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Preset {
    /// What people pick.
    pub name: Title,
    /// What it is for, where nobody has named it; its name is then this kind's in any language.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known")]
    pub kind: Option<ServiceKind>,
    /// The services, as the device reports them.
    pub services: Vec<ServiceName>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_seen_as_it_is_read_and_has_a_spelling_to_type() {
        for (text, typed) in
            [("Web page", "web-page"), (" Programming ", "programming"), ("Vidéo & son", "vid-o-son"), ("報告", "")]
        {
            assert_eq!(text.parse::<Title>().unwrap().typed(), typed, "{text}");
        }
        for bad in ["", "  ", "a\nb", "a\u{202e}b", "a\u{200b}b", "a\u{2066}b", "\u{feff}a", "a\u{7}", &"a".repeat(41)]
        {
            assert_eq!(bad.parse::<Title>(), Err(InvalidTitle), "{bad:?}");
        }
    }

    #[test]
    fn a_kind_of_a_later_version_is_none() {
        let profile: Profile = serde_json::from_str(r#"{"service":"panel","kind":"bus","title":"Bus"}"#).unwrap();
        assert_eq!((profile.kind, profile.title.unwrap().as_str()), (None, "Bus"));
        let plain =
            Profile { service: "panel".parse().unwrap(), title: None, kind: None, scheme: None, web_host: None };
        assert_eq!(serde_json::to_string(&plain).unwrap(), r#"{"service":"panel"}"#);
        assert!(!plain.says_something());
    }
}
