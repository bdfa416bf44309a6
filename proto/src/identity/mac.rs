//! Hardware addresses.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A unicast EUI-48 hardware address, shown as `AA:BB:CC:DD:EE:FF`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(value_type = String, example = "02:42:AC:11:00:02"))]
pub struct MacAddress([u8; 6]);

/// Why a text is no MAC address of a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMacAddress {
    /// Not twelve hexadecimal digits.
    #[error("a MAC address has 12 digits from 0 to 9 and A to F, like 02:42:AC:11:00:02; this one does not")]
    Shape,
    /// A group address, or no address at all.
    #[error("{0} is not the address of one device; take the MAC address from the label")]
    NotOneDevice(String),
}

impl MacAddress {
    /// From the six bytes in transmission order.
    pub fn from_bytes(bytes: [u8; 6]) -> Result<Self, InvalidMacAddress> {
        let address = Self(bytes);
        if bytes[0] & 1 == 1 || bytes == [0; 6] {
            return Err(InvalidMacAddress::NotOneDevice(address.to_string()));
        }
        Ok(address)
    }

    /// The six bytes in transmission order.
    pub const fn bytes(&self) -> [u8; 6] {
        self.0
    }

    /// The twelve digits without colons, as in the label's QR.
    pub fn compact(&self) -> String {
        self.to_string().replace(':', "")
    }
}

impl FromStr for MacAddress {
    type Err = InvalidMacAddress;
    /// Reads colons, dashes, dots (`0242.ac11.0002`), spaces or none of them, in either case.
    fn from_str(text: &str) -> Result<Self, InvalidMacAddress> {
        let mut bytes = [0u8; 6];
        let mut count = 0;
        for c in text.trim().chars().filter(|c| !matches!(c, ':' | '-' | '.' | ' ')) {
            let digit = c.to_digit(16).and_then(|d| u8::try_from(d).ok()).ok_or(InvalidMacAddress::Shape)?;
            let byte = bytes.get_mut(count / 2).ok_or(InvalidMacAddress::Shape)?;
            *byte = *byte << 4 | digit;
            count += 1;
        }
        if count == 12 { Self::from_bytes(bytes) } else { Err(InvalidMacAddress::Shape) }
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{g:02X}")
    }
}

crate::canonical_text!(MacAddress);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_spelling_gives_the_same_address(mut bytes: [u8; 6]) {
            bytes[0] &= 0xfe;
            prop_assume!(bytes != [0; 6]);
            let address = MacAddress::from_bytes(bytes).unwrap();
            let text = address.to_string();
            prop_assert_eq!(text.parse::<MacAddress>().unwrap(), address);
            prop_assert_eq!(text.replace(':', "-").to_lowercase().parse::<MacAddress>().unwrap(), address);
            prop_assert_eq!(address.compact().parse::<MacAddress>().unwrap(), address);
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = text.parse::<MacAddress>();
        }
    }

    #[test]
    fn only_addresses_of_one_device_pass() {
        assert_eq!("0242.ac11.0002".parse::<MacAddress>().unwrap().to_string(), "02:42:AC:11:00:02");
        for group in ["FF:FF:FF:FF:FF:FF", "01:00:5E:00:00:01", "00:00:00:00:00:00"] {
            assert_eq!(group.parse::<MacAddress>(), Err(InvalidMacAddress::NotOneDevice(group.into())));
        }
        for bad in ["", "02:42:AC:11:00", "02:42:AC:11:00:02:03", "02:42:AC:11:00:0G"] {
            assert_eq!(bad.parse::<MacAddress>(), Err(InvalidMacAddress::Shape), "{bad}");
        }
    }
}
