//! Mails about devices and sessions.

use std::time::Duration;

use gatelodge_proto::{
    identity::IdCode,
    payload::{Consent, Feature, TicketNumber},
};

use super::Mail;
use crate::{i18n::Phrase, render::pages::Call};

/// A device as its people name it.
#[derive(Debug, Clone)]
pub struct DeviceNamed {
    /// What it is called.
    pub name: String,
    /// The product's name.
    pub product: String,
    /// Its ID code.
    pub id_code: IdCode,
    /// Who registered it.
    pub installer: String,
}

impl DeviceNamed {
    fn phrase(&self, key: &'static str) -> Phrase {
        Phrase::new(key).with("name", &self.name).with("product", &self.product).with("installer", &self.installer)
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        vec![
            ("column-device", format!("{} ({})", self.name, self.product)),
            ("field-id-code", self.id_code.to_string()),
            ("column-installer", self.installer.clone()),
        ]
    }
}

/// What became of the customer's key on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyNews {
    /// Somebody at the device has pinned it.
    Pinned,
    /// It is gone by its own word.
    Released,
    /// Somebody at the device has removed it.
    Removed,
}

/// A session that waits for the customer's word.
#[derive(Debug, Clone)]
pub struct SessionAsked {
    /// Who asks.
    pub technician: String,
    /// For which organisation.
    pub organisation: String,
    /// Why.
    pub reason: Option<String>,
    /// To which services.
    pub services: Vec<String>,
    /// To which networks as a whole, like `192.168.1.0/24`.
    pub networks: Vec<String>,
    /// Who may call the technician's computer.
    pub calls: Vec<Call>,
    /// What it may do beside that.
    pub features: Vec<Feature>,
    /// Under which number the installer keeps the work.
    pub ticket_number: Option<TicketNumber>,
    /// For how long.
    pub length: Duration,
}

/// What a customer is told of a feature, by its key.
const fn covers(feature: Feature) -> &'static str {
    match feature {
        Feature::Terminal => "session-feature-terminal",
        Feature::Files => "session-feature-files",
        Feature::Discovery => "session-feature-discovery",
        Feature::Web => "session-feature-web",
        Feature::WebBlind => "session-feature-web-blind",
    }
}

/// What a customer is asked about a session, by its keys.
struct Asking {
    subject: &'static str,
    what: &'static str,
    network: &'static str,
    call: &'static str,
    button: &'static str,
    nothing: &'static str,
}

const TO_ENTER: Asking = Asking {
    subject: "mail-session-subject",
    what: "mail-session-what",
    network: "session-network-asked",
    call: "session-call-asked",
    button: "mail-session-button",
    nothing: "mail-session-nothing",
};

const TO_STAY: Asking = Asking {
    subject: "mail-extension-subject",
    what: "mail-extension-what",
    network: "session-network",
    call: "session-call",
    button: "mail-extension-button",
    nothing: "mail-extension-nothing",
};

impl Mail {
    /// To the customer: a device waits to be confirmed.
    pub fn activation_link(name: Option<&str>, device: &DeviceNamed, url: &str, life: Duration) -> Self {
        Self {
            subject: device.phrase("mail-activation-subject"),
            name: name.map(ToOwned::to_owned),
            what: vec![device.phrase("mail-activation-what"), Phrase::new("mail-activation-next")],
            facts: device.facts(),
            button: Phrase::new("mail-activation-button"),
            url: url.to_owned(),
            life: Some(life),
            nothing: Phrase::new("mail-activation-nothing"),
            why: Phrase::new("mail-why-registered"),
        }
    }

    /// To the customer: it is done; `url` is the device's page.
    pub fn activated_customer(name: &str, device: &DeviceNamed, consent: Consent, url: &str) -> Self {
        let consent = match consent {
            Consent::Ask => "state-consent-to-customer-ask",
            Consent::Always => "state-consent-to-customer-always",
            Consent::Never => "state-consent-to-customer-never",
        };
        Self {
            subject: device.phrase("mail-activated-customer-subject"),
            name: Some(name.to_owned()),
            what: vec![device.phrase("mail-activated-customer-what"), Phrase::new(consent)],
            facts: device.facts(),
            button: Phrase::new("to-the-device"),
            url: url.to_owned(),
            life: None,
            nothing: Phrase::new("mail-activated-customer-nothing"),
            why: Phrase::new("mail-why-confirmed"),
        }
    }

    /// To the installer: the customer has confirmed.
    pub fn activated_installer(name: &str, device: &DeviceNamed, customer: &str, url: &str) -> Self {
        let mut facts = device.facts();
        facts.push(("column-customer", customer.to_owned()));
        Self {
            subject: device.phrase("mail-activated-installer-subject"),
            name: Some(name.to_owned()),
            what: vec![device.phrase("mail-activated-installer-what")],
            facts,
            button: Phrase::new("to-the-device"),
            url: url.to_owned(),
            life: None,
            nothing: Phrase::new("mail-nothing-to-do"),
            why: Phrase::new("mail-why-your-device"),
        }
    }

    /// To the installer: two machines hold the key of one device.
    pub fn doubled(name: &str, device: &DeviceNamed, url: &str) -> Self {
        Self {
            subject: device.phrase("mail-doubled-subject"),
            name: Some(name.to_owned()),
            what: vec![device.phrase("mail-doubled-what"), Phrase::new("mail-doubled-next")],
            facts: device.facts(),
            button: Phrase::new("to-the-device"),
            url: url.to_owned(),
            life: None,
            nothing: Phrase::new("mail-doubled-nothing"),
            why: Phrase::new("mail-why-your-device"),
        }
    }

    /// To the customer: somebody asks to enter; `url` is the page of requests.
    pub fn session_request(name: &str, device: &DeviceNamed, session: &SessionAsked, url: &str) -> Self {
        Self::asking(&TO_ENTER, name, device, session, url)
    }

    /// To the customer: who is inside asks for more time; `url` is the page of requests.
    pub fn session_extension(name: &str, device: &DeviceNamed, session: &SessionAsked, url: &str) -> Self {
        Self::asking(&TO_STAY, name, device, session, url)
    }

    fn asking(words: &Asking, name: &str, device: &DeviceNamed, session: &SessionAsked, url: &str) -> Self {
        let minutes = session.length.as_secs() / 60;
        let who = |key: &'static str| {
            device
                .phrase(key)
                .with("technician", &session.technician)
                .with("organisation", &session.organisation)
                .with("minutes", minutes)
        };
        let mut what = vec![who(words.what)];
        what.extend(session.networks.iter().map(|network| Phrase::new(words.network).with("network", network)));
        let call = |call: &Call| Phrase::new(words.call).with("from", &call.from).with("port", &call.port);
        what.extend(session.calls.iter().map(call));
        what.extend(session.features.iter().map(|feature| Phrase::new(covers(*feature))));
        let mut facts = vec![("column-device", format!("{} ({})", device.name, device.product))];
        if !session.services.is_empty() {
            facts.push(("column-services", session.services.join(", ")));
        }
        if !session.networks.is_empty() {
            facts.push(("column-networks", session.networks.join(", ")));
        }
        if let Some(number) = &session.ticket_number {
            facts.push(("column-ticket", number.to_string()));
        }
        match &session.reason {
            Some(reason) => facts.insert(0, ("mail-session-reason", reason.clone())),
            None => what.push(Phrase::new("session-no-reason")),
        }
        Self {
            subject: who(words.subject),
            name: Some(name.to_owned()),
            what,
            facts,
            button: Phrase::new(words.button),
            url: url.to_owned(),
            life: None,
            nothing: Phrase::new(words.nothing),
            why: Phrase::new("mail-why-ask"),
        }
    }

    /// To the device's owner, or to those who lead the organisation that entered: somebody is inside who was not let in,
    /// as was agreed for emergencies; `url` is the session, where it is stopped.
    pub fn break_glass(name: &str, device: &DeviceNamed, session: &SessionAsked, owner: bool, url: &str) -> Self {
        let told = Asking {
            subject: "mail-break-glass-subject",
            what: if owner { "mail-break-glass-what" } else { "mail-break-glass-what-installer" },
            network: "session-network",
            call: "session-call",
            button: "mail-break-glass-button",
            nothing: if owner { "mail-break-glass-nothing" } else { "mail-nothing-to-do" },
        };
        let why = if owner { "mail-why-ask" } else { "mail-why-your-device" };
        Self { why: Phrase::new(why), ..Self::asking(&told, name, device, session, url) }
    }

    /// To those who lead an organisation: the vendor has stopped sessions; `url` is the list of sessions.
    pub fn emergency_stop(name: &str, reason: &str, url: &str) -> Self {
        Self {
            subject: Phrase::new("mail-emergency-subject"),
            name: Some(name.to_owned()),
            what: vec![Phrase::new("mail-emergency-what")],
            facts: vec![("mail-session-reason", reason.to_owned())],
            button: Phrase::new("mail-emergency-button"),
            url: url.to_owned(),
            life: None,
            nothing: Phrase::new("mail-emergency-nothing"),
            why: Phrase::new("mail-why-emergency"),
        }
    }

    /// To whom a customer has asked to be their installer from now on; the address may be nobody's here yet.
    pub fn take_over_link(device: &DeviceNamed, customer: &str, url: &str, life: Duration) -> Self {
        let said = |key| device.phrase(key).with("customer", customer);
        Self {
            subject: said("mail-take-over-subject"),
            name: None,
            what: vec![said("mail-take-over-what"), Phrase::new("mail-take-over-next")],
            facts: device.facts(),
            button: Phrase::new("mail-take-over-button"),
            url: url.to_owned(),
            life: Some(life),
            nothing: Phrase::new("mail-take-over-nothing"),
            why: said("mail-why-take-over"),
        }
    }

    /// To the customer whose device has another installer; `url` is the device's page.
    pub fn handed_over_customer(name: &str, device: &DeviceNamed, url: &str) -> Self {
        Self {
            subject: device.phrase("mail-handed-over-customer-subject"),
            name: Some(name.to_owned()),
            what: vec![device.phrase("mail-handed-over-customer-what"), Phrase::new("mail-handed-over-customer-next")],
            facts: device.facts(),
            button: Phrase::new("mail-handed-over-button"),
            url: url.to_owned(),
            life: None,
            nothing: Phrase::new("mail-handed-over-customer-nothing"),
            why: Phrase::new("mail-why-handed-over"),
        }
    }

    /// To the installer whose right has ended; `url` is the list of devices.
    pub fn handed_over_installer(name: &str, device: &DeviceNamed, url: &str) -> Self {
        Self {
            subject: device.phrase("mail-handed-over-installer-subject"),
            name: Some(name.to_owned()),
            what: vec![device.phrase("mail-handed-over-installer-what")],
            facts: device.facts(),
            button: Phrase::new("mail-to-your-devices"),
            url: url.to_owned(),
            life: None,
            nothing: Phrase::new("mail-nothing-to-do"),
            why: Phrase::new("mail-why-your-device"),
        }
    }

    /// To the customer's people: what became of the key with these digits; `url` is its page.
    pub fn key(name: &str, device: &DeviceNamed, news: KeyNews, digits: &str, url: &str) -> Self {
        let pinned = news == KeyNews::Pinned;
        let what = match news {
            KeyNews::Pinned => "mail-key-pinned-what",
            KeyNews::Released => "mail-key-released-what",
            KeyNews::Removed => "mail-key-removed-what",
        };
        let mut facts = device.facts();
        facts.push(("key-digits", digits.to_owned()));
        Self {
            subject: device.phrase(if pinned { "mail-key-pinned-subject" } else { "mail-key-gone-subject" }),
            name: Some(name.to_owned()),
            what: if pinned {
                vec![device.phrase(what)]
            } else {
                vec![device.phrase(what), Phrase::new("mail-key-gone-next")]
            },
            facts,
            button: Phrase::new("mail-key-button"),
            url: url.to_owned(),
            life: None,
            nothing: Phrase::new(if pinned { "mail-key-pinned-nothing" } else { "mail-key-gone-nothing" }),
            why: Phrase::new("mail-why-handed-over"),
        }
    }

    /// To the owner who has released a device; `url` is the list of devices.
    pub fn released_customer(name: &str, device: &DeviceNamed, url: &str) -> Self {
        Self {
            subject: device.phrase("mail-released-subject"),
            name: Some(name.to_owned()),
            what: vec![device.phrase("mail-released-customer-what")],
            facts: device.facts(),
            button: Phrase::new("mail-to-your-devices"),
            url: url.to_owned(),
            life: None,
            nothing: Phrase::new("mail-released-customer-nothing"),
            why: Phrase::new("mail-why-released"),
        }
    }

    /// To the installer of a device that its owner has released.
    pub fn released_installer(name: &str, device: &DeviceNamed, url: &str) -> Self {
        Self {
            subject: device.phrase("mail-released-subject"),
            name: Some(name.to_owned()),
            what: vec![device.phrase("mail-released-installer-what")],
            facts: device.facts(),
            button: Phrase::new("mail-to-your-devices"),
            url: url.to_owned(),
            life: None,
            nothing: Phrase::new("mail-nothing-to-do"),
            why: Phrase::new("mail-why-your-device"),
        }
    }
}
