//! Which device of the inventory a request names.

use gatelodge_proto::enrol::Request;

use crate::{
    db::{DbError, Tx},
    devices::{model::Device, store},
};

/// What the names come to.
pub(super) enum Named {
    One(Box<Device>),
    Nobody,
    /// Names of different devices, or of one device only in part.
    Contradiction,
}

pub(super) async fn find(tx: &mut Tx, request: &Request) -> Result<Named, DbError> {
    let id_code = request.id_code.map(|code| code.compact());
    let found = store::inventory::by_any_name(tx, id_code.as_deref(), request.mac, &request.serial.folded()).await?;
    let same = |device: &Device| {
        device.names.mac == request.mac
            && device.names.serial == request.serial
            && request.id_code.is_none_or(|code| code == device.names.id_code)
    };
    // The same serial under another product is no contradiction: serials are unique within a product only.
    let others =
        found.iter().any(|device| device.names.mac == request.mac || request.id_code == Some(device.names.id_code));
    Ok(match found.into_iter().find(same) {
        Some(device) => Named::One(Box::new(device)),
        None if others => Named::Contradiction,
        None => Named::Nobody,
    })
}
