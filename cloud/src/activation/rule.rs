//! What the customer changes on an active device: the rule for remote access, and the name of the device's own pages.

use std::time::Duration;

use gatelodge_proto::{
    DeviceId, OrganisationId, Timestamp,
    identity::WebAddress,
    opening::{BreakGlass, MOST_WINDOWS, OpenHours, Opening},
    payload::Consent,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    machine::{Active, Found, Refusal, Registration},
    record::record,
    store,
};
use crate::{
    accounts::rights::CustomerMember,
    db::{DbError, Tx},
    kits::Kits,
};

/// How often openings are looked through.
const ROUND: Duration = Duration::from_secs(5);

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RuleRefusal {
    /// No such device, or it is another customer's: both look the same.
    #[error("there is no such device among yours")]
    Unknown,
    /// Not active.
    #[error(transparent)]
    State(#[from] Refusal),
    /// More hours than anybody reads.
    #[error("a rule has {MOST_WINDOWS} windows at most: put days with the same hours together")]
    Windows,
    /// The device has another installer than the one of whom the customer read.
    #[error("the device has another installer by now: look who, and then say again whom to let in")]
    OtherInstaller,
    /// Another device has it.
    #[error("this web address is in use: choose another")]
    WebAddressInUse,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// One change of the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleChange {
    /// Another consent, with the hours of *always*.
    Consent(Consent, Option<OpenHours>),
    /// Open from now on for a while, or closed again.
    Open(Option<OpenFor>),
    /// Who may enter in an emergency.
    BreakGlass(Option<BreakGlass>),
    /// None: the rule that stands is to be signed.
    None,
}

impl RuleChange {
    /// Whether it lets anybody in who was not.
    pub const fn opens(&self) -> bool {
        matches!(self, Self::Consent(Consent::Always, _) | Self::Open(Some(_)) | Self::BreakGlass(Some(_)) | Self::None)
    }

    fn of(&self, active: Registration<Active>, now: Timestamp) -> Registration<Active> {
        match self {
            Self::Consent(consent, hours) => active.set_rule(*consent, hours.clone()),
            Self::Open(length) => active.open_until(length.map(|length| now + length.length())),
            Self::BreakGlass(who) => active.set_break_glass(*who),
            Self::None => active,
        }
    }
}

/// What became another, as the history tells it.
fn told(before: &Active, after: &Active, now: Timestamp) -> Vec<(&'static str, Value)> {
    let (mut rows, consent, hours) = (Vec::new(), after.consent, &after.opening.hours);
    let rule_changed = (before.consent, &before.opening.hours) != (consent, hours);
    if rule_changed {
        let zone = hours.as_ref().map(|hours| hours.zone.to_string());
        let what = if zone.is_some() { "consent_hours_changed" } else { "consent_changed" };
        rows.push((what, json!({ "consent": consent.word(), "zone": zone, "hours": hours })));
    }
    if before.opening.open_until != after.opening.open_until {
        match after.opening.open_until {
            Some(until) => {
                let hours = until.since(now).as_secs().div_ceil(3_600);
                rows.push(("device_opened", json!({ "until": until.to_string(), "hours_open": hours })));
            }
            // Another rule ends an opening without a word of its own.
            None if rule_changed => {}
            None => rows.push(("device_closed", json!({}))),
        }
    }
    if before.opening.break_glass != after.opening.break_glass {
        rows.push(match after.opening.break_glass {
            Some(role) => ("break_glass_agreed", json!({ "role": role.word() })),
            None => ("break_glass_withdrawn", json!({})),
        });
    }
    rows
}

/// The whole rule.
#[derive(Debug, Clone)]
pub struct WholeRule {
    /// To whom it is said.
    pub installer: OrganisationId,
    /// The consent.
    pub consent: Consent,
    /// What it says beside that.
    pub opening: Opening,
}

/// What the rule would say after a change that is said to that installer.
pub async fn after(
    kits: &Kits,
    by: &CustomerMember,
    device: DeviceId,
    to: OrganisationId,
    change: &RuleChange,
) -> Result<WholeRule, RuleRefusal> {
    let mut tx = kits.db.read().await?;
    let found = store::live(&mut tx, device).await?;
    let after = change.of(of_customer(found, by.member().organisation_id)?, kits.now());
    if after.tie.installer != to {
        return Err(RuleRefusal::OtherInstaller);
    }
    let Active { consent, opening, .. } = after.state;
    Ok(WholeRule { installer: to, consent, opening })
}

/// Writes what the customer's key has signed: the whole rule, and to whom it is said.
pub async fn set_signed(
    kits: &Kits,
    by: &CustomerMember,
    device: DeviceId,
    WholeRule { installer, consent, opening }: WholeRule,
) -> Result<(), RuleRefusal> {
    let tx = kits.db.write().await?;
    put(kits, by, device, tx, Some(installer), |active| active.set_whole(consent, opening)).await
}

/// Changes the rule; what lets somebody in is said to this installer, where the customer has read which one it is. What
/// takes a right away is written even where the disk is full, and sessions that the new rule does not allow end within
/// seconds.
pub async fn set(
    kits: &Kits,
    by: &CustomerMember,
    device: DeviceId,
    to: Option<OrganisationId>,
    change: &RuleChange,
) -> Result<(), RuleRefusal> {
    if let RuleChange::Consent(_, Some(hours)) = change
        && hours.windows.len() > MOST_WINDOWS
    {
        return Err(RuleRefusal::Windows);
    }
    let opens = change.opens();
    // Withdrawing it must work when nothing else does.
    let tx = if opens { kits.db.write().await? } else { kits.db.write_on_reserve().await? };
    let now = kits.now();
    put(kits, by, device, tx, to.filter(|_| opens), |active| change.of(active, now)).await
}

/// Changes the rule for remote access, at any hour. Sessions that the new rule does not allow end within seconds.
pub async fn set_consent(
    kits: &Kits,
    by: &CustomerMember,
    device: DeviceId,
    consent: Consent,
) -> Result<(), RuleRefusal> {
    set_rule(kits, by, device, consent, None).await
}

/// The same with the hours of *always*; outside of them the customer is asked. Ends an opening that runs.
pub async fn set_rule(
    kits: &Kits,
    by: &CustomerMember,
    device: DeviceId,
    consent: Consent,
    hours: Option<OpenHours>,
) -> Result<(), RuleRefusal> {
    set(kits, by, device, None, &RuleChange::Consent(consent, hours)).await
}

/// Opens the device from now on for so long, whatever the rule says; afterwards the rule holds again.
pub async fn open_for(
    kits: &Kits,
    by: &CustomerMember,
    device: DeviceId,
    to: Option<OrganisationId>,
    hours: OpenFor,
) -> Result<(), RuleRefusal> {
    set(kits, by, device, to, &RuleChange::Open(Some(hours))).await
}

/// Ends an opening before its time.
pub async fn close(kits: &Kits, by: &CustomerMember, device: DeviceId) -> Result<(), RuleRefusal> {
    set(kits, by, device, None, &RuleChange::Open(None)).await
}

/// Agrees that this role of the installer and those above it may enter in an emergency without an answer; with nobody,
/// sessions that were opened so end within seconds.
pub async fn set_break_glass(
    kits: &Kits,
    by: &CustomerMember,
    device: DeviceId,
    who: Option<BreakGlass>,
) -> Result<(), RuleRefusal> {
    set(kits, by, device, None, &RuleChange::BreakGlass(who)).await
}

/// For how long a device is opened by one press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenFor {
    /// Two hours: while the technician is on the telephone.
    TwoHours,
    /// A day and a night.
    Day,
}

impl OpenFor {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::TwoHours, Self::Day];

    /// In hours.
    pub const fn hours(self) -> u32 {
        match self {
            Self::TwoHours => 2,
            Self::Day => 24,
        }
    }

    /// The one of so many hours.
    pub fn of_hours(hours: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.hours() == hours)
    }

    fn length(self) -> Duration {
        Duration::from_secs(u64::from(self.hours()) * 3_600)
    }
}

async fn put(
    kits: &Kits,
    by: &CustomerMember,
    device: DeviceId,
    mut tx: Tx,
    to: Option<OrganisationId>,
    changed: impl FnOnce(Registration<Active>) -> Registration<Active>,
) -> Result<(), RuleRefusal> {
    let member = by.member();
    let active = held(&mut tx, member.organisation_id, device).await?;
    if to.is_some_and(|installer| installer != active.tie.installer) {
        return Err(RuleRefusal::OtherInstaller);
    }
    let changed = changed(active.clone());
    if changed == active {
        return Ok(());
    }
    store::set_rule(&mut tx, &changed).await?;
    for (what, details) in told(&active.state, &changed.state, kits.now()) {
        let readers = vec![active.tie.installer, active.state.customer];
        record(&mut tx, kits, member, device, what, details, readers).await?;
    }
    super::service::tell(&mut tx, kits, &Found::Active(changed)).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}

/// Closes what was opened for a while and whose time is over: the device is told the rule that holds again. Gives how many.
pub async fn close_lapsed(kits: &Kits) -> Result<usize, DbError> {
    let due = store::closing(&mut kits.db.read().await?, kits.now()).await?;
    for device in &due {
        let mut tx = kits.db.write_on_reserve().await?;
        let Some(Found::Active(active)) = store::hold_live(&mut tx, *device).await? else { continue };
        if active.state.opening.open_until.is_none_or(|until| kits.now() < until) {
            continue;
        }
        let closed = active.open_until(None);
        store::set_rule(&mut tx, &closed).await?;
        super::service::tell(&mut tx, kits, &Found::Active(closed)).await?;
        tx.commit().await?;
        kits.jobs.ring();
    }
    Ok(due.len())
}

/// [`close_lapsed`], again and again until told to stop.
pub async fn watch(kits: Kits, stop: CancellationToken) {
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = rounds.tick() => {}
        }
        if let Err(error) = close_lapsed(&kits).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "openings could not be looked through");
        }
    }
}

/// Gives the device's own pages another name.
pub async fn set_web_address(
    kits: &Kits,
    by: &CustomerMember,
    device: DeviceId,
    web_address: WebAddress,
) -> Result<(), RuleRefusal> {
    let member = by.member();
    let mut tx = kits.db.write().await?;
    let active = held(&mut tx, member.organisation_id, device).await?;
    if active.tie.web_address == web_address {
        return Ok(());
    }
    let readers = vec![active.tie.installer, active.state.customer];
    let changed = active.set_web_address(web_address);
    match store::set_web_address(&mut tx, &changed).await {
        Err(error) if error.is_taken("web_address") => return Err(RuleRefusal::WebAddressInUse),
        outcome => outcome?,
    }
    let details = json!({ "web_address": changed.tie.web_address.as_str() });
    record(&mut tx, kits, member, device, "web_address_changed", details, readers).await?;
    super::service::tell(&mut tx, kits, &Found::Active(changed)).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(())
}

pub(super) async fn held(
    tx: &mut Tx,
    customer: OrganisationId,
    device: DeviceId,
) -> Result<Registration<Active>, RuleRefusal> {
    of_customer(store::hold_live(tx, device).await?, customer)
}

fn of_customer(found: Option<Found>, customer: OrganisationId) -> Result<Registration<Active>, RuleRefusal> {
    match found {
        Some(Found::Active(active)) if active.state.customer == customer => Ok(active),
        Some(Found::Active(_) | Found::Open(_) | Found::Ended(_)) | None => Err(RuleRefusal::Unknown),
    }
}
