//! What the forms of the customer's rule post.

use gatelodge_proto::{
    OrganisationId,
    opening::{BreakGlass, Day, InvalidTimeOfDay, OpenHours, TimeOfDay, Window},
    payload::Consent,
};
use serde::Deserialize;

use super::rule::{OpenFor, RuleChange};
use crate::{render::flashes, web::Fault};

/// Whichever of the rule's forms was posted; where the customer's key is pinned on the device, with what it has signed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RuleForm {
    /// Which: `consent`, `open`, `break-glass`, or none of them to sign what stands.
    pub what: String,
    /// Of which installer the page told.
    installer: String,
    consent: String,
    zone: String,
    days0: Vec<String>,
    from0: String,
    until0: String,
    days1: Vec<String>,
    from1: String,
    until1: String,
    days2: Vec<String>,
    from2: String,
    until2: String,
    hours: String,
    who: String,
    /// The rule that was signed.
    pub ceremony: String,
    /// The signature, as the browser made it.
    pub credential: String,
}

impl RuleForm {
    /// The installer to whom the customer says it; needed for what lets somebody in.
    pub fn to(&self, change: &RuleChange) -> Result<Option<OrganisationId>, Fault> {
        let installer = self.installer.parse().ok();
        if installer.is_none() && change.opens() { Err(Fault::bad_form()) } else { Ok(installer) }
    }

    /// What it asks for. The page lets nobody type anything else.
    pub fn change(&self, what: &str) -> Result<RuleChange, Fault> {
        match what {
            "consent" => {
                let consent = Consent::from_word(&self.consent).ok_or_else(Fault::bad_form)?;
                Ok(RuleChange::Consent(consent, self.open_hours()?))
            }
            "open" => match self.hours.parse().map_err(|_| Fault::bad_form())? {
                0 => Ok(RuleChange::Open(None)),
                hours => Ok(RuleChange::Open(Some(OpenFor::of_hours(hours).ok_or_else(Fault::bad_form)?))),
            },
            "break-glass" if self.who.is_empty() => Ok(RuleChange::BreakGlass(None)),
            "break-glass" => {
                Ok(RuleChange::BreakGlass(Some(BreakGlass::from_word(&self.who).ok_or_else(Fault::bad_form)?)))
            }
            "" => Ok(RuleChange::None),
            _ => Err(Fault::bad_form()),
        }
    }

    /// The hours of *always*: the rows in which a day is ticked.
    fn open_hours(&self) -> Result<Option<OpenHours>, Fault> {
        let rows = [
            (&self.days0, &self.from0, &self.until0),
            (&self.days1, &self.from1, &self.until1),
            (&self.days2, &self.from2, &self.until2),
        ];
        let mut windows = Vec::new();
        for (days, from, until) in rows.into_iter().filter(|(days, ..)| !days.is_empty()) {
            let days: Option<Vec<Day>> = days.iter().map(|day| Day::from_word(day)).collect();
            let (Some(days), Ok(from), Ok(until)) = (days, time(from), time(until)) else {
                return Err(Fault::bad_form());
            };
            windows.push(Window { days, from, until });
        }
        if windows.is_empty() {
            return Ok(None);
        }
        let zone = self.zone.parse().map_err(|_| Fault::bad_form())?;
        Ok(Some(OpenHours { zone, windows }))
    }
}

/// A time that was left empty is midnight: from the day's beginning, or until its end.
fn time(text: &str) -> Result<TimeOfDay, InvalidTimeOfDay> {
    if text.is_empty() { "00:00".parse() } else { text.parse() }
}

/// What the person reads when it is done.
pub const fn said(change: &RuleChange) -> &'static str {
    match change {
        RuleChange::Consent(..) => flashes::CONSENT_SAVED,
        RuleChange::Open(Some(_)) => flashes::DEVICE_OPENED,
        RuleChange::Open(None) => flashes::DEVICE_CLOSED,
        RuleChange::BreakGlass(Some(_)) => flashes::BREAK_GLASS_AGREED,
        RuleChange::BreakGlass(None) => flashes::BREAK_GLASS_WITHDRAWN,
        RuleChange::None => flashes::RULE_SIGNED,
    }
}
