//! Where a request comes from: its network and what the browser calls itself.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::{header, request::Parts};

use super::{model::Network, portal_session::Browser};

impl<S: Sync> FromRequestParts<S> for Network {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(network(parts))
    }
}

impl<S: Sync> FromRequestParts<S> for Browser {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self { user_agent: user_agent.unwrap_or_default().to_owned(), network: network(parts) })
    }
}

/// Whoever cannot be placed shares one network, so that limits hold for them too.
fn network(parts: &Parts) -> Network {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).into()
}
