//! What people read of registrations, and the word a device gets about its own.

use gatelodge_proto::{
    DeviceId, RegistrationId, Timestamp,
    api::{DeviceView, Presence},
};

use super::{
    machine::Found,
    model::{RegistrationView, State},
    store::{self, Wanted},
};
use crate::{
    accounts::{
        model::{Member, OrganisationKind},
        service as accounts,
        tokens::{self, Purpose},
    },
    db::{DbError, Tx},
    devices::service::{self as devices, Registrant},
    kits::Kits,
};

/// The member's devices, the newest first. A customer's are the active ones.
pub async fn list(kits: &Kits, member: &Member, wanted: &Wanted) -> Result<Vec<RegistrationView>, DbError> {
    let mut tx = kits.db.read().await?;
    match member.kind {
        OrganisationKind::Installer => store::list_of_installer(&mut tx, member.organisation_id, wanted).await,
        OrganisationKind::Customer => {
            store::list_of_customer(&mut tx, member.organisation_id, wanted.before, wanted.limit).await
        }
        OrganisationKind::Vendor | OrganisationKind::Reseller => Ok(Vec::new()),
    }
}

/// One of the member's devices; `None` when there is none or it is somebody else's.
pub async fn one(kits: &Kits, member: &Member, device: DeviceId) -> Result<Option<RegistrationView>, DbError> {
    let mut tx = kits.db.read().await?;
    match member.kind {
        OrganisationKind::Installer => store::of_installer(&mut tx, member.organisation_id, device).await,
        OrganisationKind::Customer => store::of_customer(&mut tx, member.organisation_id, device).await,
        OrganisationKind::Vendor | OrganisationKind::Reseller => Ok(None),
    }
}

/// A registration by its id, as its maker gets it back.
pub async fn registration(kits: &Kits, id: RegistrationId) -> Result<Option<RegistrationView>, DbError> {
    let mut tx = kits.db.read().await?;
    store::by_id(&mut tx, id).await
}

/// When the activation link of a registration left and until when it is good; `None` while the mail is on its way.
pub async fn link_times(kits: &Kits, id: RegistrationId) -> Result<Option<(Timestamp, Timestamp)>, DbError> {
    let mut tx = kits.db.read().await?;
    tokens::newest(&mut tx, Purpose::Activation, id.uuid()).await
}

/// How many live registrations an installer has in each state.
pub async fn counts(kits: &Kits, member: &Member) -> Result<Vec<(State, u64)>, DbError> {
    let mut tx = kits.db.read().await?;
    store::count_of_installer(&mut tx, member.organisation_id).await
}

/// What waits for this member's confirmation.
pub async fn waiting_for(kits: &Kits, member: &Member) -> Result<Vec<RegistrationView>, DbError> {
    let mut tx = kits.db.read().await?;
    store::waiting_for(&mut tx, member.user_id).await
}

/// A registration as the API shows it.
pub fn device_view(view: RegistrationView) -> DeviceView {
    let active = view.state == State::Active;
    let (services, networks, listens, features) = view
        .report
        .map(|report| (report.services, report.networks, report.listens, report.features))
        .unwrap_or_default();
    DeviceView {
        id: view.device,
        id_code: view.id_code,
        name: view.web_address.to_string(),
        product: view.product,
        life: view.life,
        presence: Presence { online: view.online, since: view.presence_since },
        web_address: Some(view.web_address),
        customer: view.customer_name.or_else(|| Some(view.email.to_string())),
        consent: active.then_some(view.consent),
        opening: view.opening,
        services,
        networks,
        listens,
        features,
        presets: view.presets,
    }
}

/// Tells the device, with the next commit, whose it is now. Call it after the change of the device's life.
pub(super) async fn tell(tx: &mut Tx, kits: &Kits, found: &Found) -> Result<(), DbError> {
    let tie = found.tie();
    let installer = accounts::organisation(tx, tie.installer).await?.map(|organisation| organisation.name);
    let web_address = Some(tie.web_address.clone());
    let registrant = match found {
        Found::Open(_) => Registrant { installer, web_address, ..Registrant::NOBODY },
        Found::Active(active) => {
            let customer = accounts::organisation(tx, active.state.customer).await?;
            let customer = customer.map(|organisation| organisation.name);
            let opening = active.state.opening.clone();
            Registrant { customer, installer, web_address, consent: active.told(kits.now()), opening }
        }
        Found::Ended(_) => Registrant::NOBODY,
    };
    devices::tell_state(tx, kits.now(), &kits.random, tie.device, registrant).await?;
    Ok(())
}
