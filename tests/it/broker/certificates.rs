//! Certificates over their life at the embedded endpoint: taken back, and renewed.

use std::{sync::Arc, time::Duration};

use gatelodge_proto::{
    link::{Event, Outgoing, Refusal, Trouble},
    payload::{self, Placed, Position},
    topics::{Topic, Up},
};
use rustls::client::Resumption;

use super::{Key, Running, connected, next, refused};

#[tokio::test]
async fn a_revoked_device_is_closed_within_seconds_and_stays_out() {
    let cloud = Running::start().await;
    let one = cloud.device(1).await;
    // With resumption on, so that the endpoint could take the old handshake for good.
    let mut tls = Arc::unwrap_or_clone(cloud.tls(&one));
    tls.resumption = Resumption::default();
    let (_link, mut events) = cloud.open(one.id(), Arc::new(tls), |_| {});
    connected(&mut events).await;
    cloud.release(one.id()).await;
    let closed = tokio::time::timeout(Duration::from_secs(5), events.next()).await.expect("closed within 5 s");
    assert!(matches!(closed, Some(Event::Disconnected { .. } | Event::Refused { .. })), "{closed:?}");
    for _ in 0..3 {
        match next(&mut events).await {
            Event::Refused { refusal, .. } => assert_eq!(refusal, Refusal::NotAuthorized),
            Event::Disconnected { trouble: Trouble::Lost(_) | Trouble::Closed(_), .. } => {}
            other => panic!("it came back: {other:?}"),
        }
    }
    assert_eq!(refused(&mut events).await, Refusal::NotAuthorized);
}

#[tokio::test]
async fn the_old_certificate_is_good_until_the_new_one_connects() {
    let cloud = Running::start().await;
    let one = cloud.device(1).await;
    let (link, mut events) = cloud.connect(&one);
    connected(&mut events).await;
    let next_key = Key::make();
    let position = Position { boot: 1, boot_id: uuid::Uuid::from_u128(5), seq: 9 };
    let renew = Placed { position, body: payload::Renew { csr: next_key.csr() } };
    link.publish(Outgoing::json(Topic::Up(one.id(), Up::Renew), payload::encode(&renew))).await.unwrap();
    let chain = loop {
        if let Event::Message(message) = next(&mut events).await
            && message.topic.ends_with("/down/certificate")
        {
            break payload::decode::<payload::Certificate>(&message.payload).unwrap().chain;
        }
    };
    link.close().await;
    let (again, mut at_again) = cloud.connect(&one);
    connected(&mut at_again).await;
    again.close().await;
    let (_renewed, mut at_renewed) = cloud.open(one.id(), cloud.tls_with(Some((&chain, &next_key.0))), |_| {});
    connected(&mut at_renewed).await;
    let (_old, mut at_old) = cloud.connect(&one);
    assert_eq!(refused(&mut at_old).await, Refusal::NotAuthorized);
}
