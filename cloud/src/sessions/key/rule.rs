//! The customer's whole rule, signed by their key: by it the device lets in whom the rule lets in, without asking each
//! time. One stands at a time. The portal keeps it to send it along with each session that it covers.

use std::time::Duration;

use gatelodge_proto::{
    DeviceId, OrganisationId, Timestamp,
    consent::{Challenge, LONGEST_TEXT, SignedRule, StandingRule},
    opening::Opening,
    payload::{Consent, Order, ServiceName},
};
use serde_json::{Value, json};

use super::{
    model::{KeyRefusal, Ruled},
    signing, store,
};
use crate::{
    accounts::rights::CustomerMember,
    audit::{self, Entry},
    devices::service as devices,
    kits::Kits,
    sessions::{record::actor, store as sessions},
};

/// After so long a rule has to be signed again.
const GOOD_FOR: Duration = Duration::from_secs(365 * 86_400);
/// Between the question and the signature.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// How long the word waits for a device that is away; one that comes later hears of the rule with the next session.
const WORD_LIFE: Duration = Duration::from_secs(24 * 3_600);

/// What a customer says to everybody of their installer.
#[derive(Debug, Clone)]
pub struct RuleWords {
    /// Of whom.
    pub installer: OrganisationId,
    /// The rule.
    pub consent: Consent,
    /// What it says beside that.
    pub opening: Opening,
}

impl Ruled {
    /// Whether this is the rule that stands in the portal.
    pub fn says(&self, words: &RuleWords, now: Timestamp) -> bool {
        let said = &self.said;
        let open = |opening: &Opening| opening.open_until.filter(|until| now < *until);
        let same = said.opening.hours == words.opening.hours
            && said.opening.break_glass == words.opening.break_glass
            && open(&said.opening) == open(&words.opening);
        same && said.consent == words.consent && said.installer == words.installer && now < said.valid_until
    }
}

/// The rule as it is to be signed, for everything that the device offers now, and what the browser is to ask the passkey.
pub async fn begin(
    kits: &Kits,
    by: &CustomerMember,
    device: DeviceId,
    words: RuleWords,
) -> Result<(String, Value), KeyRefusal> {
    let now = kits.now();
    let mut tx = kits.db.read().await?;
    let ground = sessions::own_ground(&mut tx, now, by.member().organisation_id, device).await?;
    let ground = ground.ok_or(KeyRefusal::Unknown)?;
    let pinned = store::pinned(&mut tx, device).await?.ok_or(KeyRefusal::NoKey)?;
    let names = |names: Vec<&ServiceName>| names.into_iter().cloned().collect();
    let RuleWords { installer, consent, opening } = words;
    let rule = StandingRule {
        device,
        epoch: ground.epoch,
        pin: pinned.pin,
        made_at: now,
        installer,
        services: names(ground.services.iter().map(|service| &service.name).collect()),
        networks: names(ground.networks.iter().map(|network| &network.name).collect()),
        listens: names(ground.listens.iter().map(|listen| &listen.name).collect()),
        features: ground.features,
        consent,
        opening,
        longest_minutes: kits.config.sessions.longest_minutes,
        valid_until: now + GOOD_FOR,
    };
    let text = rule.text();
    if text.len() > LONGEST_TEXT {
        return Err(KeyRefusal::TooLong);
    }
    let options = signing::options(&kits.config, &Challenge::of_rule(&text), &pinned.key)?;
    Ok((text, options))
}

/// Takes the rule that the passkey has signed, and tells the device. Gives what it says.
pub async fn sign(
    kits: &Kits,
    by: &CustomerMember,
    device: DeviceId,
    text: &str,
    credential: &str,
) -> Result<StandingRule, KeyRefusal> {
    let now = kits.now();
    let mut tx = kits.db.write().await?;
    let ground = sessions::hold_own_ground(&mut tx, now, by.member().organisation_id, device).await?;
    let ground = ground.ok_or(KeyRefusal::Unknown)?;
    let pinned = store::pinned(&mut tx, device).await?.ok_or(KeyRefusal::NoKey)?;
    let assertion = signing::signed(credential, &Challenge::of_rule(text), &pinned.key)?;
    let rule = SignedRule { text: text.to_owned(), assertion };
    let said = rule.read().map_err(|_| KeyRefusal::Late)?;
    let fresh = said.made_at <= now && now.since(said.made_at) <= PATIENCE;
    if !fresh || (said.device, said.epoch, said.pin) != (device, ground.epoch, pinned.pin) {
        return Err(KeyRefusal::Late);
    }
    if !store::ruled(&mut tx, device, pinned.pin, &rule).await? {
        return Err(KeyRefusal::Late);
    }
    let readers = devices::readers(&mut tx, device).await?;
    let details =
        json!({ "consent": said.consent.word(), "valid_until": said.valid_until.date_time().date().to_string() });
    let actor = actor(by.member());
    let entry = Entry { actor, what: "standing_rule_signed", device: Some(device), session: None, details, readers };
    audit::write(&mut tx, now, &kits.random, entry).await?;
    devices::send(&mut tx, now, &kits.random, device, Order::StandingRule { rule }, now + WORD_LIFE).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(said)
}
