//! Which registrar of a share gets the next message: the online ones in turn. rmqtt has the trait and no
//! implementation, and without one every message to a share is dropped.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use rmqtt::{
    context::ServerContext,
    subscribe::SharedSubscription,
    types::{ClientId, Id, IsOnline, NodeId, SharedGroup, SubscriptionIdentifier, SubscriptionOptions, TopicName},
};

#[derive(Default)]
pub(super) struct InTurn(AtomicUsize);

type Member = (NodeId, ClientId, SubscriptionOptions, Option<Vec<SubscriptionIdentifier>>, Option<IsOnline>);

#[async_trait]
impl SharedSubscription for InTurn {
    fn is_supported(&self) -> bool {
        true
    }

    async fn choice(
        &self,
        context: &ServerContext,
        _group: &SharedGroup,
        _publisher: &Id,
        _topic: &TopicName,
        members: &[Member],
    ) -> Option<(usize, IsOnline)> {
        let first = self.0.fetch_add(1, Ordering::Relaxed);
        for place in (0..members.len()).map(|step| first.wrapping_add(step) % members.len()) {
            let (node, client, _, _, online) = members.get(place)?;
            let online = if let Some(online) = online {
                *online
            } else {
                context.extends.shared().await.entry(Id::from(*node, client.clone())).is_connected().await
            };
            if online {
                return Some((place, true));
            }
        }
        None
    }
}
