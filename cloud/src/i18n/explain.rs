//! What the shared types refuse, in the reader's language.

use gatelodge_proto::identity::{
    InvalidClaimSecret, InvalidEmailAddress, InvalidIdCode, InvalidLabel, InvalidMacAddress, InvalidOnSiteCode,
    InvalidSerialNumber, InvalidWebAddress,
};

use super::Phrase;

/// A refusal that a person can be told in their language.
pub trait Explain {
    /// What is wrong and what to do, as a sentence.
    fn explain(&self) -> Phrase;
}

impl Explain for InvalidIdCode {
    fn explain(&self) -> Phrase {
        match self {
            Self::Length(length) => Phrase::new("refused-id-code-length").with("length", *length),
            Self::Character(character) => {
                Phrase::new("refused-code-character").with("character", character.to_string())
            }
            Self::Check => Phrase::new("refused-id-code-check"),
        }
    }
}

impl Explain for InvalidOnSiteCode {
    fn explain(&self) -> Phrase {
        match self {
            Self::Length(length) => Phrase::new("refused-on-site-code-length").with("length", *length),
            Self::Character(character) => {
                Phrase::new("refused-code-character").with("character", character.to_string())
            }
        }
    }
}

impl Explain for InvalidClaimSecret {
    fn explain(&self) -> Phrase {
        match self {
            Self::Length(length) => Phrase::new("refused-label-secret-length").with("length", *length),
            Self::Character(character) => {
                Phrase::new("refused-code-character").with("character", character.to_string())
            }
            Self::Check => Phrase::new("refused-label-secret-check"),
        }
    }
}

impl Explain for InvalidMacAddress {
    fn explain(&self) -> Phrase {
        match self {
            Self::Shape => Phrase::new("refused-mac-shape"),
            Self::NotOneDevice(mac) => Phrase::new("refused-mac-group").with("mac", mac),
        }
    }
}

impl Explain for InvalidSerialNumber {
    fn explain(&self) -> Phrase {
        match self {
            Self::Length(length) => Phrase::new("refused-serial-length").with("length", *length),
            Self::Character(character) => {
                Phrase::new("refused-serial-character").with("character", character.to_string())
            }
        }
    }
}

impl Explain for InvalidEmailAddress {
    fn explain(&self) -> Phrase {
        Phrase::new("refused-email")
    }
}

impl Explain for InvalidLabel {
    fn explain(&self) -> Phrase {
        Phrase::new("refused-label")
    }
}

impl Explain for InvalidWebAddress {
    fn explain(&self) -> Phrase {
        match self {
            Self::Length(length) => Phrase::new("refused-web-address-length").with("length", *length),
            Self::Character(character) => {
                Phrase::new("refused-web-address-character").with("character", character.to_string())
            }
            Self::Dash => Phrase::new("refused-web-address-dash"),
            Self::Reserved(name) => Phrase::new("refused-web-address-reserved").with("name", name),
        }
    }
}
