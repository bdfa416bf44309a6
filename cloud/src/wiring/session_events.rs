//! What devices say about sessions, handed to the sessions feature.

use futures_util::future::BoxFuture;
use gatelodge_proto::{DeviceId, payload::Event};

use crate::{
    db::{DbError, Tx},
    devices::service::SessionEvents,
    kits::Kits,
};

pub(super) struct ToSessions;

impl SessionEvents for ToSessions {
    fn happened<'a>(
        &'a self,
        _tx: &'a mut Tx,
        _kits: &'a Kits,
        device: DeviceId,
        event: &'a Event,
    ) -> BoxFuture<'a, Result<(), DbError>> {
        tracing::debug!(%device, at = %event.at, "a device told of a session");
        Box::pin(std::future::ready(Ok(())))
    }
}
