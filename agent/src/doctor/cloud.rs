//! Does the cloud answer over HTTPS?

use gatelodge_proto::Timestamp;

use super::Finding;
use crate::{
    clock::Clock,
    cloud::{CloudClient, CloudError, parse_date},
    config,
};

const NAME: &str = "cloud";

/// The finding and, when the cloud answered, the hour it told. A device whose clock is wrong finds no certificate good:
/// when all but the hour is right, the cloud is not what is wrong.
pub(super) async fn check(settings: &config::Cloud, time: &Clock) -> (Finding, Option<Option<Timestamp>>) {
    let client = match CloudClient::new(settings, time) {
        Ok(client) => client,
        Err(error) => return (bad(&error), None),
    };
    match client.date().await {
        Ok(date) => {
            (Finding::good(NAME, format!("{} answers", settings.url)), Some(date.as_deref().and_then(parse_date)))
        }
        Err(error) => match client.hour().await {
            Ok(hour) if is_about_trust(&error) => {
                let found = format!("{} answers, with a certificate that is right in all but the hour", settings.url);
                (Finding::good(NAME, found), Some(Some(hour)))
            }
            Ok(_) | Err(_) => (bad(&error), None),
        },
    }
}

fn is_about_trust(error: &CloudError) -> bool {
    matches!(error, CloudError::Unreachable { reason, .. } if reason.contains("certificate"))
}

fn bad(error: &CloudError) -> Finding {
    let next = match error {
        CloudError::Unreachable { .. } if is_about_trust(error) => "set cloud.ca_file to the CA of this cloud",
        CloudError::Unreachable { .. } => "check name service, network and firewall on the way to this address",
        CloudError::Trust(_) => "check cloud.ca_file",
        CloudError::Proxy(_) => "correct or unset it for the agent's service",
        CloudError::Refused { .. } | CloudError::Answer(_) => "check cloud.url",
    };
    Finding::bad(NAME, error.to_string(), next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[tokio::test]
    async fn an_address_where_nobody_listens_is_named() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("https://{free}").parse().unwrap();
        let settings = config::Cloud { url, ca_file: None, relay_url: None, proxy: None };
        let (finding, hour) = check(&settings, &Clock::system()).await;
        assert!(matches!(finding.verdict, Verdict::Bad { .. }) && finding.found.contains(&free.to_string()));
        assert!(hour.is_none());
    }
}
