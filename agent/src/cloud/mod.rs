//! How the agent speaks to its cloud besides MQTT: HTTPS with JSON, and whom it trusts. Never anything about a feature.

mod client;
mod trust;
mod way;

pub(crate) use client::parse_date;
pub use client::{About, Asked, CloudClient, CloudError};
pub(crate) use trust::provider;
pub use trust::{SwappableCertificate, TrustError, endpoint_tls, https_tls};
pub(crate) use way::proxy_to;
pub use way::{ProxyUnreadable, endpoint_dial};
