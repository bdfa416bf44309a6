//! The way out of this computer's network, as it was named at the sign-in: by a proxy, or by none whatever the
//! environment says. Without a word at the sign-in the environment has its say.

use std::str::FromStr;

use gatelodge_proto::session::carrier::{InvalidProxy, Proxy};
use serde::{Deserialize, Serialize};
use url::Url;

/// The word for no proxy.
const NONE: &str = "none";

/// How servers are reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Way {
    /// Without a proxy.
    Direct,
    /// Through this one.
    Proxy(Proxy),
}

impl Way {
    /// The proxy on the way to a server: as was named, else as the environment says.
    pub fn proxy_to(
        named: Option<&Self>,
        server: &Url,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Proxy>, InvalidProxy> {
        match named {
            Some(Self::Proxy(proxy)) => Ok(Some(proxy.clone())),
            Some(Self::Direct) => Ok(None),
            None => Proxy::of_environment(server, variable),
        }
    }
}

impl FromStr for Way {
    type Err = InvalidProxy;
    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        if text == NONE { Ok(Self::Direct) } else { text.parse().map(Self::Proxy) }
    }
}

impl TryFrom<String> for Way {
    type Error = InvalidProxy;
    fn try_from(text: String) -> Result<Self, InvalidProxy> {
        text.parse()
    }
}

impl From<Way> for String {
    fn from(way: Way) -> Self {
        match way {
            Way::Direct => NONE.to_owned(),
            Way::Proxy(proxy) => proxy.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_kept_as_it_was_named() {
        for text in ["none", "http://10.0.0.2:3128"] {
            let way: Way = text.parse().unwrap();
            let again: Way = serde_json::from_str(&serde_json::to_string(&way).unwrap()).unwrap();
            assert_eq!(again, way);
        }
        assert!("ftp://10.0.0.2".parse::<Way>().is_err());
    }

    #[test]
    fn what_was_named_goes_before_the_environment_and_none_is_none() {
        let variable = |name: &str| (name == "HTTPS_PROXY").then(|| "http://10.0.0.1:8080".to_owned());
        let to = |named: Option<&str>| {
            let named = named.map(|named| named.parse::<Way>().unwrap());
            let server = "https://portal.example".parse().unwrap();
            Way::proxy_to(named.as_ref(), &server, variable).unwrap().map(|proxy| proxy.to_string())
        };
        assert_eq!(to(None).as_deref(), Some("10.0.0.1:8080"));
        assert_eq!(to(Some("http://10.0.0.2:3128")).as_deref(), Some("10.0.0.2:3128"));
        assert_eq!(to(Some("none")), None);
    }
}
