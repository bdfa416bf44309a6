//! The names of a session: `SERVICE.DEVICE.gatelodge`, and which address each has.

use std::net::IpAddr;

use gatelodge_proto::api::DeviceView;

use super::Plan;

/// The domain of all names. No public domain has it, and none is asked for it.
pub const TOP: &str = "gatelodge";
/// Longest label of a name (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;

/// The device's label: its web address, else what can be said of its name in letters, digits and dashes. A label that
/// another session has gets a number.
pub fn label(device: &DeviceView, taken: &[String]) -> String {
    let plain = match &device.web_address {
        Some(address) => address.as_str().to_owned(),
        None => slug(&device.name).unwrap_or_else(|| device.id_code.to_string().to_lowercase()),
    };
    let numbered = (2..).map(|number: u32| format!("{plain}-{number}"));
    std::iter::once(plain.clone()).chain(numbered).find(|label| !taken.contains(label)).unwrap_or(plain)
}

fn slug(name: &str) -> Option<String> {
    let mut slug = String::new();
    for letter in name.to_lowercase().chars() {
        match letter {
            letter if letter.is_ascii_alphanumeric() => slug.push(letter),
            _ if slug.ends_with('-') || slug.is_empty() => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(MAX_LABEL - "-99".len());
    let slug = slug.trim_end_matches('-');
    (!slug.is_empty()).then(|| slug.to_owned())
}

impl Plan {
    /// What every name of this session ends with, like `villa-rosa.gatelodge`.
    pub fn domain(&self) -> String {
        format!("{}.{TOP}", self.label)
    }

    /// Every name with its address.
    pub fn names(&self) -> impl Iterator<Item = (String, IpAddr)> {
        self.services().map(|(service, address)| (format!("{}.{}.{TOP}", service.name, self.label), address))
    }
}
