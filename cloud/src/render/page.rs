//! The frame every page shares: language, theme, who is signed in, where they are, what just happened.

use std::time::Duration;

use gatelodge_proto::Timestamp;

use super::{assets, paths};
use crate::i18n::{self, Argument, Language, Phrase};

/// What each template takes as its field `page`.
#[derive(Debug, Clone)]
pub struct Page {
    /// The reader's language.
    pub language: Language,
    /// The reader's choice of light and dark.
    pub theme: Theme,
    /// Path and query of this page, for the navigation and for coming back.
    pub path: String,
    /// Who is signed in.
    pub who: Option<Who>,
    /// What just happened, shown once.
    pub notice: Option<Notice>,
    /// When the page was made.
    pub now: Timestamp,
}

/// Who is signed in, as far as the frame shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The person's name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
    /// For which organisation they act.
    pub organisation: String,
    /// What kind of organisation that is; it decides the navigation.
    pub side: Side,
    /// What they may do in it.
    pub role: Role,
    /// How many session requests wait for them.
    pub waiting: u32,
    /// Whether the portal keeps its mails itself (the vendor's mailbox page exists).
    pub mailbox: bool,
}

/// The kind of organisation a person acts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The maker.
    Vendor,
    /// An installer.
    Installer,
    /// A reseller.
    Reseller,
    /// A customer.
    Customer,
}

impl Side {
    /// The stable word of locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Vendor => "vendor",
            Self::Installer => "installer",
            Self::Reseller => "reseller",
            Self::Customer => "customer",
        }
    }
}

/// A membership's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything.
    Administrator,
    /// Everything but the organisation itself.
    Supervisor,
    /// Devices and sessions.
    Technician,
    /// Looking only.
    Basic,
}

impl Role {
    /// The stable word of locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Supervisor => "supervisor",
            Self::Technician => "technician",
            Self::Basic => "basic",
        }
    }
}

/// Light and dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Theme {
    /// As the reader's system says.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    /// All choices.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The stable word of cookies, forms and locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The choice with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.word() == word)
    }
}

/// A message on top of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its colour and shape.
    pub tone: Tone,
    /// What happened and what to do next.
    pub text: Phrase,
}

impl Notice {
    /// Something is done.
    pub const fn done(text: Phrase) -> Self {
        Self { tone: Tone::Done, text }
    }

    /// Something was refused.
    pub const fn refused(text: Phrase) -> Self {
        Self { tone: Tone::Refused, text }
    }
}

/// What a message or a mark on a list means; never told by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    /// Good to know.
    Info,
    /// Somebody has to act.
    Waits,
    /// No.
    Refused,
    /// Done, in order.
    Done,
    /// At rest.
    Quiet,
}

impl Tone {
    /// The class of the style sheet.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Waits => "waits",
            Self::Refused => "refused",
            Self::Done => "done",
            Self::Quiet => "quiet",
        }
    }
}

/// A small value behind any number of references, which templates add as they see fit.
pub trait Here<T> {
    /// The value.
    fn here(&self) -> T;
}

impl<T, H: Here<T> + ?Sized> Here<T> for &H {
    fn here(&self) -> T {
        (**self).here()
    }
}

macro_rules! here {
    ($($type:ty as $target:ty => $value:ident $give:expr),* $(,)?) => {$(
        impl Here<$target> for $type {
            fn here(&self) -> $target {
                let $value = self;
                $give
            }
        }
    )*};
}
here!(
    Timestamp as Timestamp => value *value,
    Duration as Duration => value *value,
    u64 as u64 => value *value,
    str as Argument => value Argument::from(value),
    String as Argument => value Argument::from(value.as_str()),
    u64 as Argument => value Argument::from(*value),
    u32 as Argument => value Argument::from(*value),
    usize as Argument => value Argument::from(*value),
);

/// One entry of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where it leads.
    pub path: &'static str,
    /// Its words.
    pub key: &'static str,
    /// Its picture in `mark.svg`'s neighbour, `icons.svg`.
    pub icon: &'static str,
}

const fn place(path: &'static str, key: &'static str, icon: &'static str) -> Place {
    Place { path, key, icon }
}

impl Page {
    /// The same page for somebody who is signed in.
    #[must_use]
    pub fn signed_in(mut self, who: Who) -> Self {
        self.who = Some(who);
        self
    }

    /// The same page with a message on top.
    #[must_use]
    pub fn with_notice(mut self, notice: Notice) -> Self {
        self.notice = Some(notice);
        self
    }

    /// A sentence.
    pub fn t(&self, key: &str) -> String {
        i18n::say(self.language, key)
    }

    /// A sentence with one piece of data.
    pub fn t1(&self, key: &str, name: &'static str, value: impl Here<Argument>) -> String {
        i18n::say_with(self.language, key, &[(name, value.here())])
    }

    /// A sentence with two pieces of data.
    pub fn t2(
        &self,
        key: &str,
        first: &'static str,
        one: impl Here<Argument>,
        second: &'static str,
        other: impl Here<Argument>,
    ) -> String {
        i18n::say_with(self.language, key, &[(first, one.here()), (second, other.here())])
    }

    /// A phrase.
    pub fn say(&self, phrase: &Phrase) -> String {
        phrase.say(self.language)
    }

    /// The label of a form's field, where its name has one.
    pub fn label(&self, field: &str) -> Option<String> {
        i18n::say_if_known(self.language, &format!("field-{}", field.replace('_', "-")))
    }

    /// A date.
    pub fn date(&self, at: impl Here<Timestamp>) -> String {
        i18n::date(self.language, at.here())
    }

    /// A date and a time.
    pub fn moment(&self, at: impl Here<Timestamp>) -> String {
        i18n::moment(self.language, at.here())
    }

    /// How long ago, or in how long.
    pub fn ago(&self, at: impl Here<Timestamp>) -> String {
        i18n::ago(self.language, at.here(), self.now)
    }

    /// A duration.
    pub fn span(&self, length: impl Here<Duration>) -> String {
        i18n::span(self.language, length.here())
    }

    /// A number of bytes.
    pub fn bytes(&self, count: impl Here<u64>) -> String {
        i18n::bytes(self.language, count.here())
    }

    /// Where an asset is.
    pub fn asset(&self, name: &str) -> String {
        assets::asset_path(name)
    }

    /// All languages, for the switch.
    pub const fn languages(&self) -> [Language; Language::ALL.len()] {
        Language::ALL
    }

    /// All themes, for the switch.
    pub const fn themes(&self) -> [Theme; Theme::ALL.len()] {
        Theme::ALL
    }

    /// The navigation of whoever is signed in; the phone's bottom bar shows the first four.
    pub fn places(&self) -> Vec<Place> {
        let Some(who) = &self.who else { return Vec::new() };
        let mut places = vec![place(paths::HOME, "nav-home", "home")];
        match who.side {
            Side::Vendor => {
                places.push(place(paths::INVENTORY, "nav-inventory", "devices"));
                places.push(place(paths::QUARANTINE, "nav-quarantine", "shield"));
                if who.mailbox {
                    places.push(place(paths::MAILBOX, "nav-mailbox", "mail"));
                }
                places.push(place(paths::AUDIT, "nav-audit", "history"));
                places.push(place(paths::EMERGENCY_STOPS, "nav-emergency", "refused"));
            }
            Side::Installer | Side::Reseller => {
                places.push(place(paths::DEVICES, "nav-devices", "devices"));
                places.push(place(paths::ADD_DEVICE, "nav-add-device", "add"));
                places.push(place(paths::SESSIONS, "nav-sessions", "session"));
            }
            Side::Customer => {
                places.push(place(paths::DEVICES, "nav-devices", "devices"));
                places.push(place(paths::REQUESTS, "nav-requests", "bell"));
                places.push(place(paths::SESSIONS, "nav-sessions", "session"));
                places.push(place(paths::HISTORY, "nav-history", "history"));
            }
        }
        places.push(place(paths::MY_DATA, "nav-my-data", "person"));
        places
    }

    /// Whether the reader is at this place or below it; of two that fit, the longer one.
    pub fn is_at(&self, place: &Place) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        let fits = |known: &str| {
            path == known || (known != "/" && path.strip_prefix(known).is_some_and(|rest| rest.starts_with('/')))
        };
        let best =
            self.places().into_iter().map(|known| known.path).filter(|known| fits(known)).max_by_key(|p| p.len());
        best == Some(place.path)
    }

    /// How many requests wait, when any do.
    pub fn waiting(&self) -> Option<u32> {
        self.who.as_ref().map(|who| who.waiting).filter(|count| *count > 0)
    }
}
