//! Which device a person means: by name, web address, ID code or its beginning. Never guesses between two.

use gatelodge_proto::{api::DeviceView, identity::IdCode};

use crate::{
    output::{Exit, Failure},
    sentences,
};

/// The one device that `wanted` names.
pub fn device<'a>(devices: &'a [DeviceView], wanted: &str) -> Result<&'a DeviceView, Failure> {
    let by =
        |matches: &dyn Fn(&DeviceView) -> bool| devices.iter().filter(|device| matches(device)).collect::<Vec<_>>();
    let folded = wanted.trim().to_lowercase();
    let code: Option<IdCode> = wanted.parse().ok();
    let exact = by(&|device| {
        Some(device.id_code) == code
            || device.id.to_string() == folded
            || device.name.to_lowercase() == folded
            || device.web_address.as_ref().is_some_and(|address| address.as_str() == folded)
    });
    let found = if exact.is_empty() && folded.len() >= 3 {
        by(&|device| device.name.to_lowercase().starts_with(&folded))
    } else {
        exact
    };
    match found[..] {
        [one] => Ok(one),
        [] => Err(Failure::new(Exit::Refused, sentences::no_device(wanted), sentences::NEXT_LIST_DEVICES)),
        _ => {
            let names: Vec<_> = found.iter().map(|device| format!("{} ({})", device.name, device.id_code)).collect();
            let next = format!("name it by its ID code, like {}", found[0].id_code);
            Err(Failure::new(Exit::Usage, sentences::several_devices(wanted), next).about("devices", names.join(", ")))
        }
    }
}

/// The device as it is named on the command line.
pub fn named(device: &DeviceView) -> String {
    device.web_address.as_ref().map_or_else(|| device.id_code.to_string(), |address| address.as_str().into())
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::{
        DeviceId, Random, Timestamp,
        api::Presence,
        payload::{Consent, Life},
    };

    use super::*;

    fn view(seed: u64, name: &str) -> DeviceView {
        let random = Random::seeded(seed);
        DeviceView {
            id: DeviceId::make(Timestamp::from_seconds(1), &random),
            id_code: IdCode::make(&random),
            name: name.into(),
            product: "Alarm server".into(),
            life: Life::Active,
            presence: Presence { online: true, since: None },
            web_address: name.parse().ok(),
            customer: None,
            consent: Some(Consent::Ask),
            opening: gatelodge_proto::opening::Opening::default(),
            services: vec![],
            networks: Vec::new(),
            listens: Vec::new(),
            features: Vec::new(),
            presets: Vec::new(),
        }
    }

    #[test]
    fn a_device_has_several_names_and_a_beginning_is_enough_when_it_is_one() {
        let devices = [view(1, "villa-rosa"), view(2, "villa-blanca"), view(3, "villa")];
        let picked = |wanted: &str| device(&devices, wanted).map(|device| device.name.as_str());
        assert_eq!(picked("villa-rosa"), Ok("villa-rosa"));
        assert_eq!(picked("Villa-R"), Ok("villa-rosa"));
        assert_eq!(picked("villa"), Ok("villa"), "an exact name is not ambiguous");
        assert_eq!(picked(&devices[1].id_code.to_string().to_lowercase()), Ok("villa-blanca"));
        assert_eq!(picked(&devices[1].id.to_string()), Ok("villa-blanca"));
    }

    #[test]
    fn an_ambiguous_or_unknown_name_is_refused_with_the_next_step() {
        let devices = [view(1, "villa-rosa"), view(2, "villa-blanca")];
        let ambiguous = device(&devices, "villa").unwrap_err();
        assert_eq!(ambiguous.exit, Exit::Usage);
        assert!(ambiguous.lines().contains("villa-rosa (") && ambiguous.lines().contains("villa-blanca ("));
        assert_eq!(device(&devices, "nas").unwrap_err().what, "there is no device `nas` among yours");
    }
}
