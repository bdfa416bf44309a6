//! The cloud's settings: one documented file, the environment on top, unknown keys refused.

mod gateway;
mod keys;

use std::{net::SocketAddr, num::NonZeroU64, path::PathBuf, time::Duration};

pub use self::gateway::{BlindFiles, Gateway, PortRange};
pub use gatelodge_proto::settings::SettingsError;
use gatelodge_proto::settings::{self};
use serde::Deserialize;
use url::Url;

use crate::db::DbUrl;

/// The prefix of environment variables.
pub const ENVIRONMENT: &str = "GATELODGE";

/// Everything that can be set, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Keys, the SQLite file and `addresses.json`.
    pub data_dir: PathBuf,
    /// The portal's address as browsers reach it.
    pub public_url: Url,
    /// The address under which agents and the technician's program reach enrolment, API and relay.
    pub device_url: Url,
    /// How the portal listens.
    pub http: Http,
    /// How devices are heard.
    pub mqtt: Mqtt,
    /// Where rows are kept.
    pub database: DbUrl,
    /// Room kept beside an SQLite file for what must work on a full disk, in MiB.
    pub reserve_mib: u32,
    /// How mail leaves.
    pub mail: Mail,
    /// Limits of sessions.
    pub sessions: Sessions,
    /// Where panels' web pages are.
    pub gateway: Gateway,
    /// Recordings of terminals.
    pub recordings: Recordings,
}

/// How the portal listens.
#[derive(Debug, Clone, Deserialize)]
pub struct Http {
    /// Where.
    pub listen: SocketAddr,
    /// Where the certificate comes from.
    pub tls: HttpTls,
    /// PEM chain, with `files`.
    pub cert_file: Option<PathBuf>,
    /// PEM key, with `files`.
    pub key_file: Option<PathBuf>,
    /// A second, plain listener on loopback, so that a browser on this machine shows no certificate warning.
    pub loopback: Option<SocketAddr>,
}

/// Where the portal's certificate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpTls {
    /// From the cloud's own CA.
    Own,
    /// From files.
    Files,
}

/// How devices are heard.
#[derive(Debug, Clone, Deserialize)]
pub struct Mqtt {
    /// Whether this program is the endpoint, or somebody else's broker is.
    pub endpoint: Endpoint,
    /// Where the embedded endpoint listens.
    pub listen: SocketAddr,
    /// `host:port` as devices reach it; from `public_url` and the port in use when unset.
    pub public: Option<String>,
    /// `host:port` of an external broker, for the registrar.
    pub broker: Option<String>,
    /// PEM CA of an external broker's certificate; the cloud's own CA when unset.
    pub broker_ca_file: Option<PathBuf>,
}

/// Who the MQTT endpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// This program.
    Embedded,
    /// A broker.
    External,
}

/// How mail leaves.
#[derive(Debug, Clone, Deserialize)]
pub struct Mail {
    /// `smtp://user:password@host:port` or `smtps://...`; the built-in mailbox when unset.
    pub smtp_url: Option<String>,
    /// The sender.
    pub from: String,
    /// Whom mails name for questions.
    pub support: String,
    /// The vendor's name in mails and pages.
    pub vendor_name: String,
}

/// Limits of sessions.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Sessions {
    /// The longest session that can be asked for, in minutes.
    pub max_minutes: u32,
    /// The longest with all its extensions, in minutes.
    pub longest_minutes: u32,
    /// Ends a session without traffic, in minutes.
    pub idle_minutes: u32,
    /// How long a customer has to answer, in minutes.
    pub ask_minutes: u32,
    /// Whether a technician needs a second factor.
    pub second_factor: SecondFactor,
    /// For how long a second factor that was shown counts, in hours.
    pub second_factor_hours: u32,
    /// Whether sessions may be carried on raw connections.
    pub raw_carriers: bool,
    /// Waiting and open sessions of one installer at most.
    pub live_per_organisation: u32,
    /// Bytes a second that one session carries each way at most.
    pub rate_per_session: Option<NonZeroU64>,
    /// The same for all sessions with one device together.
    pub rate_per_device: Option<NonZeroU64>,
    /// The same for all sessions of one installer together.
    pub rate_per_organisation: Option<NonZeroU64>,
}

/// Who needs a second factor before asking for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactor {
    /// Everybody.
    Required,
    /// Whoever has set one up.
    WhenSetUp,
}

impl Sessions {
    /// For how long a second factor that was shown counts.
    pub fn second_factor(&self) -> Duration {
        Duration::from_secs(u64::from(self.second_factor_hours) * 3_600)
    }

    /// How long a customer has to answer.
    pub fn ask(&self) -> Duration {
        Duration::from_secs(u64::from(self.ask_minutes) * 60)
    }
}

/// Recordings of terminals.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Recordings {
    /// How long one is kept, in days.
    pub keep_days: u32,
    /// The largest, in MiB.
    pub max_mib: u32,
}

#[derive(Deserialize)]
struct Raw {
    data_dir: PathBuf,
    public_url: Url,
    device_url: Option<Url>,
    http: Http,
    mqtt: Mqtt,
    database: RawDatabase,
    mail: Mail,
    sessions: Sessions,
    gateway: gateway::Raw,
    recordings: Recordings,
}

#[derive(Deserialize)]
struct RawDatabase {
    url: Option<String>,
    reserve_mib: u32,
}

impl Config {
    /// Reads `file` (the defaults when `None`) and the environment.
    pub fn load(
        file: Option<&std::path::Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let raw: Raw = settings::load(ENVIRONMENT, keys::KEYS, file, environment)?;
        let database = match &raw.database.url {
            Some(url) => url.parse().map_err(|error| SettingsError::Value(format!("{error}")))?,
            None => DbUrl::Sqlite(raw.data_dir.join("gatelodge.db")),
        };
        if raw.http.tls == HttpTls::Files && (raw.http.cert_file.is_none() || raw.http.key_file.is_none()) {
            return Err(SettingsError::Value(
                "`http.tls = \"files\"` needs `http.cert_file` and `http.key_file`".into(),
            ));
        }
        if let Some(loopback) = raw.http.loopback
            && !loopback.ip().is_loopback()
        {
            return Err(SettingsError::Value(format!(
                "`http.loopback` is {loopback}, which others can reach without TLS; give an address like 127.0.0.1:8080"
            )));
        }
        if raw.mqtt.endpoint == Endpoint::External && (raw.mqtt.broker.is_none() || raw.mqtt.public.is_none()) {
            return Err(SettingsError::Value(
                "`mqtt.endpoint = \"external\"` needs `mqtt.broker` for the registrar and `mqtt.public` for devices"
                    .into(),
            ));
        }
        let Sessions { max_minutes, longest_minutes, .. } = raw.sessions;
        if longest_minutes < max_minutes {
            return Err(SettingsError::Value(format!(
                "`sessions.longest_minutes` is {longest_minutes}, and `sessions.max_minutes` lets a technician ask for \
                 {max_minutes} at once; give it {max_minutes} at least"
            )));
        }
        if max_minutes == 0 {
            return Err(SettingsError::Value(
                "`sessions.max_minutes` is 0, so that nobody could ask for a session; give it 1 at least".into(),
            ));
        }
        if raw.sessions.second_factor_hours == 0 {
            return Err(SettingsError::Value(
                "`sessions.second_factor_hours` is 0, so that nobody would ever count as confirmed; give it 1 at least"
                    .into(),
            ));
        }
        let device_url = raw.device_url.unwrap_or_else(|| raw.public_url.clone());
        if device_url.scheme() != "https" {
            return Err(SettingsError::Value(format!(
                "agents speak HTTPS only and `device_url` is {device_url}; set it to the https:// address of `http.listen`"
            )));
        }
        let gateway = Gateway::read(raw.gateway, &raw.public_url)?;
        Ok(Self {
            data_dir: raw.data_dir,
            public_url: raw.public_url,
            device_url,
            http: raw.http,
            mqtt: raw.mqtt,
            database,
            reserve_mib: raw.database.reserve_mib,
            mail: raw.mail,
            sessions: raw.sessions,
            gateway,
            recordings: raw.recordings,
        })
    }

    /// The default file with its comments.
    pub fn default_file() -> String {
        settings::print_default(
            "Gatelodge cloud. Every value shown is the default; a line that starts with # is not set.",
            ENVIRONMENT,
            keys::KEYS,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Result<Config, SettingsError> {
        Config::load(None, pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn the_defaults_stand_alone_on_one_machine() {
        let config = with(&[]).unwrap();
        assert_eq!(config.database, DbUrl::Sqlite(config.data_dir.join("gatelodge.db")));
        assert_eq!(config.mqtt.endpoint, Endpoint::Embedded);
        assert_eq!(config.mail.smtp_url, None);
    }

    #[test]
    fn the_printed_file_is_the_default() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), Config::default_file()).unwrap();
        let read = Config::load(Some(file.path()), []).unwrap();
        assert_eq!(format!("{read:?}"), format!("{:?}", with(&[]).unwrap()));
    }

    #[test]
    fn half_settings_are_refused_with_what_is_missing() {
        let message = |pairs: &[(&str, &str)]| with(pairs).unwrap_err().to_string();
        assert!(message(&[("GATELODGE__HTTP__TLS", "files")]).contains("needs `http.cert_file`"));
        assert!(message(&[("GATELODGE__PUBLIC_URL", "http://localhost:8080")]).contains("agents speak HTTPS only"));
        assert!(message(&[("GATELODGE__HTTP__LOOPBACK", "0.0.0.0:80")]).contains("without TLS"));
        assert!(message(&[("GATELODGE__MQTT__ENDPOINT", "external")]).contains("needs `mqtt.broker`"));
        let shorter = [("GATELODGE__SESSIONS__LONGEST_MINUTES", "30"), ("GATELODGE__SESSIONS__MAX_MINUTES", "60")];
        assert!(message(&shorter).contains("`sessions.longest_minutes` is 30"), "{}", message(&shorter));
        assert!(with(&[shorter[0], (shorter[1].0, "30")]).is_ok());
        assert!(message(&[("GATELODGE__SESSIONS__MAX_MINUTES", "0")]).contains("1 at least"));
        assert!(message(&[("GATELODGE__SESSIONS__SECOND_FACTOR_HOURS", "0")]).contains("1 at least"));
        assert!(message(&[("GATELODGE__GATEWAY__PORTS", "9000")]).contains("`gateway.ports`"));
        assert!(message(&[("GATELODGE__GATEWAY__BASE_DOMAIN", "https://web.example")]).contains("like web.example"));
        assert!(message(&[("GATELODGE__DATABASE__URL", "mysql://x")]).contains("must start with sqlite:"));
    }
}
