//! What a technician picks instead of ports: the vendor names presets for a product, and where it has named none, a
//! device's own settings do.

use std::{fmt, str::FromStr};

use gatelodge_proto::payload::{Preset, Profile, Report, ServiceKind, ServiceName, Title};
use serde::{Deserialize, Serialize};

use super::store;
use crate::{db::DbError, kits::Kits};

/// Presets of one product.
const MOST: usize = 12;
/// Services and kinds of one preset.
const MOST_PARTS: usize = 16;

/// A preset of a product, as the vendor named it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductPreset {
    /// What people pick.
    pub name: Title,
    /// What is in it.
    pub parts: Vec<PresetPart>,
}

/// A service by its name, or all of a kind: `panel-web` or `kind:web`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PresetPart {
    /// The one of that name.
    Service(ServiceName),
    /// Those that the device's own settings say this of.
    Kind(ServiceKind),
}

/// The text is no part of a preset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a service's name like panel-web nor kind:programming, kind:web or kind:video")]
pub struct InvalidPart(String);

impl FromStr for PresetPart {
    type Err = InvalidPart;
    fn from_str(text: &str) -> Result<Self, InvalidPart> {
        let read = match text.strip_prefix("kind:") {
            Some(word) => ServiceKind::from_word(word).map(Self::Kind),
            None => text.parse().ok().map(Self::Service),
        };
        read.ok_or_else(|| InvalidPart(text.chars().take(60).collect()))
    }
}

impl fmt::Display for PresetPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(name) => name.fmt(f),
            Self::Kind(kind) => write!(f, "kind:{}", kind.word()),
        }
    }
}

impl TryFrom<String> for PresetPart {
    type Error = InvalidPart;
    fn try_from(text: String) -> Result<Self, InvalidPart> {
        text.parse()
    }
}

impl From<PresetPart> for String {
    fn from(part: PresetPart) -> Self {
        part.to_string()
    }
}

/// Why a preset was not written.
#[derive(Debug, thiserror::Error)]
pub enum PresetError {
    /// Not in the catalogue.
    #[error("`{0}` is not in the catalogue; add it first with `gatelodge-cloud product add`")]
    Product(String),
    /// Another preset is typed the same.
    #[error(
        "`{given}` and `{there}` are typed the same, `{typed}`; choose another name, or remove the other one first"
    )]
    Typed {
        /// As given.
        given: Title,
        /// The one there is.
        there: Title,
        /// How both are typed.
        typed: String,
    },
    /// Too many.
    #[error("a product has {MOST} presets at most, each with {MOST_PARTS} services at most")]
    Many,
    /// No such preset.
    #[error("the product has no preset `{0}`")]
    Unknown(Title),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Names a preset of a product, in the place of the one with that name; without parts the preset goes. Gives what the
/// product has now.
pub async fn set_preset(
    kits: &Kits,
    reference: &str,
    name: Title,
    parts: Vec<PresetPart>,
) -> Result<Vec<ProductPreset>, PresetError> {
    let mut tx = kits.db.write().await?;
    let held = store::inventory::hold_presets(&mut tx, reference).await?;
    let mut presets = held.ok_or_else(|| PresetError::Product(reference.chars().take(60).collect()))?;
    let place = presets.iter().position(|preset| preset.name == name);
    let typed = name.typed();
    let same = presets.iter().find(|preset| preset.name != name && !typed.is_empty() && preset.name.typed() == typed);
    match (place, parts.is_empty()) {
        (None, true) => return Err(PresetError::Unknown(name)),
        (Some(place), true) => drop(presets.remove(place)),
        (_, false) if same.is_some() => {
            let there = same.map_or_else(|| name.clone(), |same| same.name.clone());
            return Err(PresetError::Typed { given: name, there, typed });
        }
        (None, false) if presets.len() >= MOST => return Err(PresetError::Many),
        (_, false) if parts.len() > MOST_PARTS => return Err(PresetError::Many),
        (Some(place), false) => presets[place].parts = parts,
        (None, false) => presets.push(ProductPreset { name, parts }),
    }
    store::inventory::put_presets(&mut tx, reference, &presets).await?;
    tx.commit().await?;
    Ok(presets)
}

/// What there is to pick on a device of that product.
pub fn presets(of_product: &[ProductPreset], report: Option<&Report>) -> Vec<Preset> {
    let Some(report) = report else { return Vec::new() };
    let reported = |name: &ServiceName| report.services.iter().any(|service| service.name == *name);
    let profiles: Vec<_> = report.profiles.iter().filter(|profile| reported(&profile.service)).collect();
    let mut presets = if of_product.is_empty() { own(&profiles) } else { Vec::new() };
    for ProductPreset { name, parts } in of_product {
        let services = parts.iter().flat_map(|part| match part {
            PresetPart::Service(name) => Vec::from_iter(reported(name).then(|| name.clone())),
            PresetPart::Kind(kind) => of_kind(&profiles, *kind),
        });
        add(&mut presets, name.clone(), None, services.collect());
    }
    presets
}

/// A service's own title names it, else its kind does.
fn own(profiles: &[&Profile]) -> Vec<Preset> {
    let mut presets = Vec::new();
    for kind in ServiceKind::ALL {
        let untitled: Vec<_> = profiles.iter().copied().filter(|profile| profile.title.is_none()).collect();
        if let Ok(name) = kind.title().parse() {
            add(&mut presets, name, Some(kind), of_kind(&untitled, kind));
        }
    }
    for profile in profiles {
        if let Some(title) = &profile.title {
            add(&mut presets, title.clone(), None, vec![profile.service.clone()]);
        }
    }
    presets
}

fn of_kind(profiles: &[&Profile], kind: ServiceKind) -> Vec<ServiceName> {
    let is = |profile: &&&Profile| profile.kind == Some(kind);
    profiles.iter().filter(is).map(|profile| profile.service.clone()).collect()
}

/// What is of one name is one preset; one without a service is none.
fn add(presets: &mut Vec<Preset>, name: Title, kind: Option<ServiceKind>, services: Vec<ServiceName>) {
    let place = presets.iter().position(|preset| preset.name == name);
    let mut preset = match place {
        Some(place) => presets.remove(place),
        None => Preset { name, kind, services: Vec::new() },
    };
    for service in services {
        if !preset.services.contains(&service) {
            preset.services.push(service);
        }
    }
    if !preset.services.is_empty() {
        presets.insert(place.unwrap_or(presets.len()), preset);
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::payload::{Protocol, Service};

    use super::*;

    fn service(name: &str) -> Service {
        Service { name: name.parse().unwrap(), protocol: Protocol::Tcp, host: "192.168.1.50".into(), port: 80 }
    }

    fn profile(service: &str, title: Option<&str>, kind: Option<ServiceKind>) -> Profile {
        let title = title.map(|title| title.parse().unwrap());
        Profile { service: service.parse().unwrap(), title, kind, scheme: None, web_host: None }
    }

    fn report(profiles: Vec<Profile>) -> Report {
        Report {
            id_code: None,
            mac: "00:1B:44:11:3A:B7".parse().unwrap(),
            serial: "SN-1".parse().unwrap(),
            serial_source: "factory".into(),
            model: String::new(),
            firmware: String::new(),
            agent_version: String::new(),
            observed_at: gatelodge_proto::Timestamp::from_micros(0),
            epoch: 1,
            interfaces: Vec::new(),
            services: ["panel", "panel-web", "bus", "cam"].map(service).into(),
            networks: Vec::new(),
            listens: Vec::new(),
            features: Vec::new(),
            profiles,
        }
    }

    fn told(presets: &[Preset]) -> Vec<String> {
        let names = |preset: &Preset| preset.services.iter().map(ToString::to_string).collect::<Vec<_>>().join("+");
        presets.iter().map(|preset| format!("{}={}", preset.name, names(preset))).collect()
    }

    #[test]
    fn what_the_vendor_names_stands_before_what_the_device_says() {
        let own = report(vec![
            profile("panel", None, Some(ServiceKind::Programming)),
            profile("bus", None, Some(ServiceKind::Programming)),
            profile("panel-web", Some("Keypad"), Some(ServiceKind::Web)),
            profile("gone", Some("Gone"), None),
        ]);
        assert_eq!(told(&presets(&[], Some(&own))), ["Programming=panel+bus", "Keypad=panel-web"]);
        let preset = |name: &str, parts: &[&str]| ProductPreset {
            name: name.parse().unwrap(),
            parts: parts.iter().map(|part| part.parse().unwrap()).collect(),
        };
        let vendor = [
            preset("Set up", &["panel", "kind:programming", "absent"]),
            preset("Pages", &["kind:web"]),
            preset("Cameras", &["kind:video"]),
        ];
        assert_eq!(told(&presets(&vendor, Some(&own))), ["Set up=panel+bus", "Pages=panel-web"]);
        assert_eq!(presets(&vendor, None), []);
    }

    #[test]
    fn a_part_is_a_service_or_a_known_kind() {
        for text in ["panel-web", "kind:programming", "kind:web"] {
            assert_eq!(text.parse::<PresetPart>().unwrap().to_string(), text);
        }
        for bad in ["", "Panel", "kind:", "kind:bus", "kind:Web"] {
            assert_eq!(bad.parse::<PresetPart>(), Err(InvalidPart(bad.into())), "{bad}");
        }
    }
}
