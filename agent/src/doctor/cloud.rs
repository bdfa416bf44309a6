//! Does the cloud answer over HTTPS?

use super::Finding;
use crate::{
    clock::Clock,
    cloud::{CloudClient, CloudError},
    config,
};

const NAME: &str = "cloud";

/// The finding, and the cloud's `Date` when it answered.
pub(super) async fn check(settings: &config::Cloud) -> (Finding, Option<Option<String>>) {
    let asked = async { CloudClient::new(&settings.url, settings.ca_file.as_deref(), &Clock::system())?.date().await };
    match asked.await {
        Ok(date) => (Finding::good(NAME, format!("{} answers", settings.url)), Some(date)),
        Err(error) => {
            let next = match &error {
                CloudError::Unreachable { reason, .. } if reason.contains("certificate") => {
                    "set cloud.ca_file to the CA of this cloud, or check this device's clock"
                }
                CloudError::Unreachable { .. } => "check name service, network and firewall on the way to this address",
                CloudError::Trust(_) => "check cloud.ca_file",
                CloudError::Refused { .. } | CloudError::Answer(_) => "check cloud.url",
            };
            (Finding::bad(NAME, error.to_string(), next), None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[tokio::test]
    async fn an_address_where_nobody_listens_is_named() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let settings = config::Cloud { url: format!("https://{free}").parse().unwrap(), ca_file: None };
        let (finding, date) = check(&settings).await;
        assert!(matches!(finding.verdict, Verdict::Bad { .. }) && finding.found.contains(&free.to_string()));
        assert!(date.is_none());
    }
}
