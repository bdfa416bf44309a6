//! What devices and registrar say to each other over the endpoint: reports and receipts, presence, commands.

use std::time::Duration;

use gatelodge_proto::{
    link::{Event, Outgoing, PublishError, Will},
    payload::{self, Command, Order, Receipt, Status},
    topics::{Down, Topic, Up},
};
use gatelodge_tests::wait::wait_until;

use super::{Running, SOON, connected, next, service};
use crate::devices::{device, names};

#[tokio::test]
async fn a_report_gets_its_receipt_when_it_is_committed_and_not_before() {
    let cloud = Running::start().await;
    let device_1 = cloud.device(1).await;
    let (link, mut events) = cloud.connect(&device_1);
    connected(&mut events).await;
    // While somebody else holds the database nothing can be committed.
    let held = cloud.kits().db.write().await.unwrap();
    let (position, report) = device_1.report(1);
    link.publish(report).await.expect("the endpoint acknowledges at once; that is no receipt");
    let early = tokio::time::timeout(Duration::from_millis(500), events.next()).await;
    assert!(early.is_err(), "a receipt came before the commit: {early:?}");
    drop(held);
    let Event::Message(message) = next(&mut events).await else { panic!("the receipt comes") };
    let receipt: Receipt = payload::decode(&message.payload).unwrap();
    assert_eq!(receipt, Receipt { boot_id: position.boot_id, seq: 1, parked: None });
    assert_eq!(message.parsed_correlation(), Some(position.into()));
    assert!(device(cloud.kits(), &names(1)).await.reported_at.is_some());
}

/// Report, receipt, presence and a command, whoever the endpoint is.
async fn message_story(cloud: &Running) {
    let kits = cloud.kits();
    let device_1 = cloud.device(1).await;
    let (link, mut events) = cloud.connect(&device_1);
    connected(&mut events).await;
    let (position, report) = device_1.report(1);
    for _ in 0..2 {
        link.publish(report.clone()).await.unwrap();
        let Event::Message(message) = next(&mut events).await else { panic!("the receipt comes") };
        assert_eq!(message.parsed_correlation(), Some(position.into()));
        message.acknowledgement.acknowledge();
    }
    let online = Status { online: true, boot_id: position.boot_id };
    link.publish(Outgoing::json(Topic::Up(device_1.id(), Up::Status), payload::encode(&online))).await.unwrap();
    let mut orders = Vec::new();
    while !orders.contains(&Order::RenewOnSiteCode) {
        if orders.len() == 1 {
            // The first is where the device stands; now that it is there, another one comes at once.
            let mut tx = kits.db.write().await.unwrap();
            let deadline = kits.now() + Duration::from_secs(60);
            service::send(&mut tx, kits.now(), &kits.random, device_1.id(), Order::RenewOnSiteCode, deadline)
                .await
                .unwrap();
            tx.commit().await.unwrap();
            kits.jobs.ring();
        }
        let Event::Message(message) = next(&mut events).await else { panic!("the command comes") };
        let command: Command = payload::decode(&message.payload).unwrap();
        message.acknowledgement.acknowledge();
        orders.push(command.order);
    }
    assert!(matches!(orders[0], Order::State(_)), "{orders:?}");
    let foreign = Outgoing { topic: Topic::Down(device_1.id(), Down::Command).to_string(), ..report };
    let outcome = link.publish(foreign).await;
    assert!(matches!(outcome, Err(PublishError::Refused { .. })), "{outcome:?}");
}

#[tokio::test]
async fn the_message_story_on_the_embedded_endpoint() {
    message_story(&Running::start().await).await;
}

#[tokio::test]
async fn the_message_story_on_mosquitto() {
    let Some(cloud) = Running::on_mosquitto().await else { return };
    message_story(&cloud).await;
}

#[tokio::test]
async fn a_vanished_device_is_shown_offline_by_its_last_will() {
    let cloud = Running::start().await;
    let one = cloud.device(1).await;
    let payload = payload::encode(&Status { online: false, boot_id: uuid::Uuid::from_u128(5) }).into();
    let will = Will { topic: Topic::Up(one.id(), Up::Status), payload, delay: Duration::ZERO };
    let (link, mut events) = cloud.open(one.id(), cloud.tls(&one), |settings| settings.will = Some(will));
    connected(&mut events).await;
    let online = Status { online: true, boot_id: uuid::Uuid::from_u128(5) };
    link.publish(Outgoing::json(Topic::Up(one.id(), Up::Status), payload::encode(&online))).await.unwrap();
    let is_online = async |wanted: bool| {
        let reached = wait_until(format!("presence is {wanted}"), SOON, async || {
            Ok((device(cloud.kits(), &names(1)).await.online == wanted).then_some(()))
        });
        reached.await.unwrap();
    };
    is_online(true).await;
    drop(events);
    is_online(false).await;
}
