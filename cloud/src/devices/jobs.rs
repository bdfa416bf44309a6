//! Background work on devices: delivering commands, closing the connections of devices that lost their right.

use std::sync::Arc;

use gatelodge_proto::DeviceId;
use serde::Deserialize;

use super::{commands, doubled, revocations};
use crate::{
    jobs::{Handler, Job, JobError},
    kits::Kits,
};

pub(super) const DELIVER: &str = "device_deliver";
pub(super) const DISCONNECT: &str = "device_disconnect";
pub(super) const DOUBLED: &str = "device_mail_doubled";

#[derive(Deserialize)]
struct Payload {
    device: DeviceId,
}

/// The kinds of job and who does them.
pub fn jobs(kits: &Kits) -> Vec<(&'static str, Handler)> {
    let (delivering, disconnecting) = (kits.clone(), kits.clone());
    let deliver: Handler = Arc::new(move |job| {
        let kits = delivering.clone();
        Box::pin(async move { Ok(commands::deliver(&kits, device(job)?).await?) })
    });
    let disconnect: Handler = Arc::new(move |job| {
        let kits = disconnecting.clone();
        Box::pin(async move {
            // First the list: a device that is thrown out comes back at once.
            revocations::list(&kits).await.map_err(|error| JobError::Retry(error.to_string()))?;
            kits.endpoint.disconnect(device(job)?).await;
            Ok(())
        })
    });
    vec![(DELIVER, deliver), (DISCONNECT, disconnect)]
}

/// The kinds of job that send mails.
pub fn mails(kits: &Kits) -> Vec<(&'static str, Handler)> {
    let kits = kits.clone();
    let tell: Handler = Arc::new(move |job| {
        let kits = kits.clone();
        Box::pin(async move {
            let id = job.id;
            doubled::mail(&kits, device(job)?, id).await
        })
    });
    vec![(DOUBLED, tell)]
}

fn device(job: Job) -> Result<DeviceId, JobError> {
    let payload: Payload = serde_json::from_value(job.payload).map_err(|error| JobError::Fail(error.to_string()))?;
    Ok(payload.device)
}
