//! What pages show of devices, sessions and history, and the lines that people repeat on the phone.

use std::time::Duration;

use gatelodge_proto::{
    DeviceId, SessionId, Timestamp,
    api::{ExtensionState, ExtensionView, Presence, SessionState},
    consent::ConsentKind,
    identity::{IdCode, MacAddress, SerialNumber, WebAddress},
    payload::{Consent, EndReason, Feature, Life, NotLonger, Preset, ServiceKind},
};

use crate::{
    i18n::{Argument, Phrase},
    render::{Page, Side, Tone},
};

/// What a state looks like beside its word.
pub trait Shown {
    /// Its colour and shape.
    fn tone(&self) -> Tone;
}

impl Shown for Life {
    fn tone(&self) -> Tone {
        match self {
            Self::Manufactured | Self::Released => Tone::Quiet,
            Self::Enrolled => Tone::Info,
            Self::Registered => Tone::Waits,
            Self::Active => Tone::Done,
            Self::Retired => Tone::Refused,
        }
    }
}

impl Shown for SessionState {
    fn tone(&self) -> Tone {
        match self {
            Self::Waiting => Tone::Waits,
            Self::Open => Tone::Done,
            Self::Refused => Tone::Refused,
            Self::Ended => Tone::Quiet,
        }
    }
}

/// One device in a list.
#[derive(Debug, Clone)]
pub struct DeviceRow {
    /// Its id.
    pub id: DeviceId,
    /// What to call it: its web address, else its product.
    pub name: String,
    /// Its ID code.
    pub id_code: IdCode,
    /// The product's name.
    pub product: String,
    /// Where it stands.
    pub life: Life,
    /// Whether it is there.
    pub presence: Presence,
    /// For whom; the e-mail address until the customer has confirmed.
    pub customer: Option<String>,
    /// By which installer.
    pub installer: Option<String>,
}

/// One device on its own page.
#[derive(Debug, Clone)]
pub struct DeviceFacts {
    /// Its id.
    pub id: DeviceId,
    /// What to call it: its web address, else its product.
    pub name: String,
    /// The product's name.
    pub product: String,
    /// Its ID code.
    pub id_code: IdCode,
    /// Its MAC address.
    pub mac: MacAddress,
    /// Its serial number.
    pub serial: SerialNumber,
    /// Where it stands.
    pub life: Life,
    /// Since when.
    pub life_since: Timestamp,
    /// Whether it is there.
    pub presence: Presence,
    /// Its web address.
    pub web_address: Option<WebAddress>,
    /// Where its own web pages are reached, as a URL.
    pub web_url: Option<String>,
    /// For whom; the e-mail address until the customer has confirmed.
    pub customer: Option<String>,
    /// By which installer.
    pub installer: Option<String>,
    /// The consent in force.
    pub consent: Option<Consent>,
    /// The firmware it reported.
    pub firmware: Option<String>,
    /// The agent's version it reported.
    pub agent_version: Option<String>,
    /// Its addresses in its own network.
    pub addresses: Vec<String>,
    /// What there is to pick, so that nobody needs to know ports.
    pub presets: Vec<PresetFacts>,
    /// What sessions may reach: `panel-web (tcp 192.168.1.50:80)`.
    pub services: Vec<String>,
    /// What sessions may reach as a whole: `lan (192.168.1.0/24)`.
    pub networks: Vec<String>,
    /// Where the installation calls a technician's computer: `event-receiver (tcp 9000 from 192.168.1.0/24)`.
    pub calls: Vec<String>,
    /// When it last reported.
    pub reported_at: Option<Timestamp>,
    /// Whether two machines seem to hold its key.
    pub doubled: bool,
}

/// Some services under one name.
#[derive(Debug, Clone)]
pub struct PresetFacts {
    /// The name.
    pub name: String,
    /// What it is for, where nobody has named it.
    pub kind: Option<ServiceKind>,
    /// How it is typed.
    pub typed: String,
}

impl From<Preset> for PresetFacts {
    fn from(Preset { name, kind, .. }: Preset) -> Self {
        Self { typed: name.typed(), kind, name: name.to_string() }
    }
}

impl PresetFacts {
    /// What people read.
    pub fn label(&self, page: &Page) -> String {
        match self.kind {
            Some(kind) => page.t(&format!("kind-{}", kind.word())),
            None => self.name.clone(),
        }
    }
}

impl DeviceFacts {
    /// What a technician may type after `gatelodge forward`.
    pub fn example(&self) -> &str {
        let typed = self.presets.iter().map(|preset| preset.typed.as_str()).find(|typed| !typed.is_empty());
        typed.unwrap_or("8080:panel-web")
    }

    /// The line on top: where it stands, whether it is there, who may enter.
    pub fn state(&self, page: &Page) -> Vec<String> {
        let since = page.date(self.life_since);
        let mut line = vec![page.t1(&format!("state-{}", self.life.word()), "date", since.as_str())];
        line.push(presence(page, &self.presence));
        if self.doubled {
            line.push(page.t("state-doubled"));
        }
        let side = page.who.as_ref().map(|who| who.side);
        if let (Life::Active, Some(consent)) = (self.life, self.consent) {
            let key = match side {
                Some(Side::Installer | Side::Reseller) => format!("state-consent-to-installer-{}", consent.word()),
                Some(Side::Customer) => format!("state-consent-to-customer-{}", consent.word()),
                Some(Side::Vendor) | None => return line,
            };
            line.push(page.t(&key));
        }
        line
    }

    /// The colour and shape of that line.
    pub fn tone(&self) -> Tone {
        match self.life {
            _ if self.doubled => Tone::Refused,
            Life::Active if !self.presence.online => Tone::Waits,
            life => life.tone(),
        }
    }
}

/// `Online since 12 minutes ago`, as a sentence.
fn presence(page: &Page, presence: &Presence) -> String {
    match (presence.online, presence.since) {
        (true, _) => page.t("state-online"),
        (false, Some(since)) => page.t1("state-offline-since", "ago", page.ago(since).as_str()),
        (false, None) => page.t("state-never-seen"),
    }
}

/// On whose word a session was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProvenBy {
    /// The customer allowed this one in the portal.
    Asked,
    /// The customer's rule in the portal.
    Rule,
    /// What the customer has agreed to for emergencies.
    BreakGlass,
    /// The device's own proof, for its customer's key is pinned there.
    Device(ConsentKind),
}

impl ProvenBy {
    /// The word in locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::BreakGlass => "agreed-emergency",
            Self::Rule | Self::Device(ConsentKind::Cloud) => "rule",
            Self::Device(ConsentKind::Passkey) => "passkey",
            Self::Device(ConsentKind::StandingRule) => "standing-rule",
            Self::Device(ConsentKind::BreakGlass) => "break-glass",
            Self::Device(ConsentKind::Pressed) => "pressed",
        }
    }
}

/// A port of a device at which its installation may call the technician's computer, as people read it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who may call: `192.168.1.0/24`.
    pub from: String,
    /// Where: `tcp 9000 (event-receiver)`.
    pub port: String,
}

/// One session in a list or on a card.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Its id.
    pub id: SessionId,
    /// The device.
    pub device: DeviceId,
    /// What the device is called.
    pub device_name: String,
    /// Who asked.
    pub technician: String,
    /// For which organisation.
    pub organisation: String,
    /// To which services.
    pub services: Vec<String>,
    /// To which networks as a whole: `192.168.1.0/24`.
    pub networks: Vec<String>,
    /// Who may call the technician's computer.
    pub calls: Vec<Call>,
    /// What it may do beside that.
    pub features: Vec<Feature>,
    /// Under which number the installer keeps the work.
    pub ticket_number: Option<String>,
    /// Why, when the technician said so.
    pub reason: Option<String>,
    /// Whether it was opened in an emergency without an answer.
    pub break_glass: bool,
    /// For how long.
    pub minutes: u32,
    /// Where it stands.
    pub state: SessionState,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// From when it was open.
    pub opened_at: Option<Timestamp>,
    /// Until when it may last.
    pub until: Option<Timestamp>,
    /// Whether the device's own settings end it then.
    pub longest: bool,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it ended.
    pub end_reason: Option<EndReason>,
    /// Bytes in both directions.
    pub bytes: u64,
    /// On which ground it was opened.
    pub proven_by: Option<ProvenBy>,
    /// While it is open: the latest wish that it may last longer.
    pub extension: Option<ExtensionView>,
    /// Whether a yes of the reader's is signed by their passkey, which is pinned on the device.
    pub signs: bool,
    /// Whether the reader may stop it.
    pub may_stop: bool,
    /// By how many minutes the reader may let it last longer without being asked.
    pub may_extend: Option<u32>,
    /// Whether the reader may allow or refuse it.
    pub may_decide: bool,
}

impl SessionRow {
    /// Whether somebody waits for the customer's word: to enter, or for more time.
    pub fn waits(&self) -> bool {
        self.state == SessionState::Waiting || self.wished().is_some()
    }

    /// For how many minutes more somebody waits.
    pub fn wished(&self) -> Option<u32> {
        self.extension.filter(|wish| wish.state == ExtensionState::Asked).map(|wish| wish.minutes)
    }

    /// Whether more time was asked for and not given.
    pub fn was_declined(&self) -> bool {
        self.extension.is_some_and(|wish| wish.state == ExtensionState::Declined)
    }

    /// Why the device lets it last no longer, once it has said so.
    pub fn not_longer(&self) -> Option<NotLonger> {
        self.extension.and_then(|wish| wish.refusal).or_else(|| self.longest.then_some(NotLonger::Longest))
    }

    /// By how many minutes a press lets it last longer: what was wished, else what the reader may give.
    pub fn extends_by(&self) -> Option<u32> {
        self.may_extend.map(|unasked| self.wished().unwrap_or(unasked))
    }

    /// How long it was open.
    pub fn lasted(&self) -> Option<Duration> {
        self.opened_at.zip(self.ended_at).map(|(from, to)| to.since(from))
    }

    /// How long it was asked for.
    pub fn asked(&self) -> Duration {
        Duration::from_secs(u64::from(self.minutes) * 60)
    }
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct HistoryRow {
    /// When.
    pub at: Timestamp,
    /// Who did it, as named at that moment.
    pub actor: String,
    /// What, in a sentence without the actor.
    pub what: Phrase,
    /// Colour and shape.
    pub tone: Tone,
    /// On which device, when the list is not of one device.
    pub device: Option<String>,
}

impl HistoryRow {
    /// From an audit row: `what` is its stable word, `details` its data. The sentence is the locale key
    /// `audit-` + the word with dashes, its arguments are the details' texts and whole numbers.
    pub fn of(at: Timestamp, actor: String, what: &str, details: &serde_json::Value) -> Self {
        let arguments = NAMED
            .iter()
            .filter_map(|name| match details.get(name)? {
                serde_json::Value::String(text) => Some((*name, Argument::from(text))),
                serde_json::Value::Number(number) => Some((*name, Argument::from(number.as_i64()?))),
                _ => None,
            })
            .collect();
        let word = what.replace('_', "-");
        let told = Phrase { key: format!("audit-{word}").into(), arguments };
        // A detail that may be left out has a sentence without it.
        let bare = Phrase { key: format!("audit-{word}-bare").into(), arguments: told.arguments.clone() };
        // A word of a neighbouring version, or a row with less data, is still shown.
        let what_happened = [told, bare]
            .into_iter()
            .find(Phrase::is_complete)
            .unwrap_or_else(|| Phrase::new("audit-other").with("what", what.replace('_', " ")));
        Self { at, actor, what: what_happened, tone: tone(what), device: None }
    }
}

/// The colour and shape of what happened.
fn tone(what: &str) -> Tone {
    let ends = |words: &[&str]| words.iter().any(|word| what.ends_with(word));
    if ends(&[
        "refused",
        "by_rule",
        "conflict",
        "doubled",
        "flood",
        "retired",
        "revoked",
        "declined",
        "session_break_glass",
    ]) {
        Tone::Refused
    } else if ends(&["registered", "requested", "extension_asked", "link_sent"]) {
        Tone::Waits
    } else if ends(&["activated", "allowed", "enrolled", "session_opened", "session_extended", "approved"]) {
        Tone::Done
    } else {
        Tone::Quiet
    }
}

/// The details a sentence of the history may name.
const NAMED: [&str; 27] = [
    "added",
    "asked",
    "before",
    "browsers",
    "by",
    "consent",
    "days",
    "email",
    "factor",
    "fingerprint",
    "hours_open",
    "installer",
    "label",
    "left",
    "minutes",
    "network",
    "organisation",
    "outcome",
    "reason",
    "refused",
    "role",
    "scope",
    "services",
    "target",
    "valid_until",
    "web_address",
    "zone",
];
