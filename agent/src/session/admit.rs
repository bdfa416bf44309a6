//! Whether a grant is good for this device now, and on which terms. Pure; the cloud's word is one side of it, the
//! device's own services are the other.

use std::time::Duration;

use gatelodge_proto::{
    DeviceId, Timestamp,
    grant::{Grant, InvalidGrant, SignedGrant},
    payload::{EndReason, Feature, KeptEnd, Listen, Network, NotLonger, Service},
    session::inner_frame::Denial,
};

use super::Start;
use crate::consent::Unproven;

/// What this device knows about itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Here<'a> {
    pub(super) device: DeviceId,
    pub(super) epoch: u64,
    pub(super) grant_key: &'a str,
    pub(super) services: &'a [Service],
    pub(super) networks: &'a [Network],
    pub(super) listens: &'a [Listen],
    pub(super) features: &'a [Feature],
}

impl<'a> Here<'a> {
    pub(super) fn of(start: &'a Start) -> Self {
        Self {
            device: start.credentials.device,
            epoch: start.epoch,
            grant_key: &start.credentials.grant_key,
            services: &start.services,
            networks: &start.networks,
            listens: &start.listens,
            features: &start.features,
        }
    }
}

/// What a good grant comes to on this device.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) grant: Grant,
    /// The grant's services that the device lists word for word.
    pub(super) services: Vec<Service>,
    /// The grant's networks that the device lists word for word.
    pub(super) networks: Vec<Network>,
    /// The grant's ports for calls that the device lists word for word.
    pub(super) listens: Vec<Listen>,
    /// The grant's features that the device's own settings have.
    pub(super) features: Vec<Feature>,
    /// From receipt to the end.
    pub(super) lifetime: Duration,
    /// The end that the device keeps, by the clock that signed the grant: the grant's, or earlier by what its own limit
    /// cuts off.
    pub(super) until: Timestamp,
    pub(super) idle: Duration,
}

/// Why a grant is not good here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub(crate) struct Denied {
    pub(super) code: Denial,
    end: EndReason,
    sentence: String,
}

impl Denied {
    /// The same as an end of the session.
    pub(crate) const fn end(&self) -> EndReason {
        self.end
    }
}

impl From<Denied> for NotLonger {
    fn from(denied: Denied) -> Self {
        match denied.end {
            EndReason::DeviceOwner => Self::Owner,
            EndReason::DeviceProof => Self::Proof,
            _ => Self::Grant,
        }
    }
}

impl From<Unproven> for Denied {
    fn from(why: Unproven) -> Self {
        denied(Denial::Consent, EndReason::DeviceProof, why.to_string())
    }
}

fn denied(code: Denial, end: EndReason, sentence: impl Into<String>) -> Denied {
    Denied { code, end, sentence: sentence.into() }
}

/// What the vendor's cloud has signed, whatever it says.
pub(crate) fn signed(grant: &SignedGrant, grant_key: &str) -> Result<Grant, Denied> {
    let no_grant = |error: InvalidGrant| denied(Denial::Grant, EndReason::Refused, error.to_string());
    grant.verify(&grant_key.parse().map_err(no_grant)?).map_err(no_grant)
}

/// Checks signature, device, ownership, time and services.
pub(super) fn admit(grant: &SignedGrant, here: &Here<'_>, now: Timestamp) -> Result<Terms, Denied> {
    let grant = signed(grant, here.grant_key)?;
    if grant.device != here.device {
        return Err(denied(Denial::Binding, EndReason::Refused, "the grant is for another device"));
    }
    if grant.epoch != here.epoch {
        let sentence = "the grant is from another ownership of this device";
        return Err(denied(Denial::Binding, EndReason::DeviceOwner, sentence));
    }
    let lifetime = lifetime(&grant, now)?;
    let services: Vec<Service> =
        grant.services.iter().filter(|service| here.services.contains(service)).cloned().collect();
    let networks: Vec<Network> =
        grant.networks.iter().filter(|network| here.networks.contains(network)).cloned().collect();
    let listens: Vec<Listen> = grant.listens.iter().filter(|listen| here.listens.contains(listen)).cloned().collect();
    let features: Vec<Feature> =
        grant.features.iter().filter(|feature| here.features.contains(feature)).copied().collect();
    // What the portal carries blindly is nothing but that: whoever joins it reads nothing beside.
    let blind = grant.features.contains(&Feature::WebBlind);
    if blind && (grant.features.len() > 1 || !grant.listens.is_empty()) {
        let sentence = "a session whose pages the portal cannot read is for those alone";
        return Err(denied(Denial::Services, EndReason::Refused, sentence));
    }
    // A browser needs a service to look at; every other feature is something to do by itself.
    let does = features.iter().any(|feature| !feature.is_for_browsers());
    if services.is_empty() && networks.is_empty() && listens.is_empty() && !does {
        return Err(denied(
            Denial::Services,
            EndReason::DeviceServices,
            "the device's own settings list nothing of what the session asks for",
        ));
    }
    let idle = Duration::from_secs(u64::from(grant.idle_s.max(1)));
    let until = grant.until;
    Ok(Terms { grant, services, networks, listens, features, lifetime, until, idle })
}

/// A device whose clock is behind counts the signed seconds; one whose clock is right ends on time, whatever came late.
fn lifetime(grant: &Grant, now: Timestamp) -> Result<Duration, Denied> {
    let signed = Duration::from_secs(u64::from(grant.lifetime_s));
    if grant.until <= grant.from || signed > grant.until.since(grant.from) {
        return Err(denied(Denial::Grant, EndReason::Refused, "the grant's times contradict each other"));
    }
    if now >= grant.until {
        let sentence = "the time of this session is over, by the device's clock";
        return Err(denied(Denial::Time, EndReason::DeviceClock, sentence));
    }
    Ok(signed.min(grant.until.since(now)))
}

impl Terms {
    /// The same, and no longer than that.
    pub(super) fn within(self, longest: Duration) -> Self {
        let cut = self.lifetime.saturating_sub(longest);
        Self { lifetime: self.lifetime.min(longest), until: self.until - cut, ..self }
    }

    /// The same, with an end that has moved.
    pub(super) fn moved_by(self, longer: Duration) -> Self {
        Self { until: self.until + longer, ..self }
    }

    /// The end that the device keeps, beside the one that was granted.
    pub(super) const fn kept(&self) -> KeptEnd {
        KeptEnd { granted: self.grant.until, until: self.until }
    }

    /// The terms under a newer grant, and by how much the session lasts longer; `None` for the grant that holds already.
    /// Nothing but the end may be another. How much is the difference of two ends that the cloud has signed: neither this
    /// device's clock nor the moment at which the grant comes has a say in it.
    pub(super) fn extended(&self, newer: &SignedGrant, grant_key: &str) -> Result<Option<(Self, Duration)>, Denied> {
        let (newer, now) = (signed(newer, grant_key)?, &self.grant);
        let unmoved = Grant { until: now.until, lifetime_s: now.lifetime_s, ..newer.clone() };
        if unmoved != *now {
            let sentence = "the grant is for another session, or for more than a later end of this one";
            return Err(denied(Denial::Binding, EndReason::Refused, sentence));
        }
        if newer == *now {
            return Ok(None);
        }
        if newer.until <= self.until || Duration::from_secs(u64::from(newer.lifetime_s)) > newer.until.since(newer.from)
        {
            let sentence = "the grant's end is not later than the one that holds";
            return Err(denied(Denial::Time, EndReason::Refused, sentence));
        }
        let longer = newer.until.since(self.until);
        Ok(Some((Self { grant: newer, ..self.clone() }, longer)))
    }

    /// The grant that the technician shows must be for the session and the key that the cloud ordered.
    pub(super) fn bound_to(self, ordered: &Self) -> Result<Self, Denied> {
        let (shown, order) = (&self.grant, &ordered.grant);
        // To the letter but for the end: what was ordered is what the customer has allowed, and a wider grant of the same
        // session would not be.
        if *shown == (Grant { until: shown.until, lifetime_s: shown.lifetime_s, ..order.clone() }) {
            // Of two ends that the cloud has signed, the earlier; the later one comes with an order of its own.
            let grant = if shown.until > order.until { order.clone() } else { self.grant };
            let (lifetime, until) = (self.lifetime.min(ordered.lifetime), self.until.min(ordered.until));
            Ok(Self { grant, lifetime, until, ..self })
        } else {
            let sentence = "the grant is for another session or another key, or for something else than was ordered";
            Err(denied(Denial::Binding, EndReason::Refused, sentence))
        }
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use gatelodge_proto::{
        OrganisationId, Random, SessionId, UserId,
        grant::{GrantKey, Technician},
        payload::{Consent, Protocol},
    };

    use super::*;

    const FROM: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn service(name: &str, host: &str, port: u16) -> Service {
        Service { name: name.parse().unwrap(), protocol: Protocol::Tcp, host: host.into(), port }
    }

    fn grant() -> Grant {
        let random = Random::seeded(9);
        Grant {
            session: SessionId::make(FROM, &random),
            device: DeviceId::make(FROM, &random),
            epoch: 3,
            technician: Technician {
                user: UserId::make(FROM, &random),
                name: "Marc Petit".into(),
                organisation: OrganisationId::make(FROM, &random),
                organisation_name: "Petit Alarmes".into(),
            },
            key_thumbprint: "00".repeat(32),
            services: vec![service("panel-web", "192.168.1.50", 80), service("panel", "192.168.1.50", 10001)],
            networks: Vec::new(),
            listens: Vec::new(),
            features: Vec::new(),
            recording: Vec::new(),
            from: FROM,
            until: FROM + Duration::from_secs(3600),
            lifetime_s: 3600,
            idle_s: 900,
            consent: Consent::Ask,
            reason: Some("yearly check".into()),
            ticket_number: None,
            break_glass: false,
        }
    }

    /// The device's own.
    fn networks() -> [Network; 2] {
        [network("lan", "192.168.1.0/24"), network("bus", "10.0.0.0/24")]
    }

    fn network(name: &str, subnet: &str) -> Network {
        Network { name: name.parse().unwrap(), subnet: subnet.parse().unwrap() }
    }

    fn listen(port: u16) -> Listen {
        let (name, from) = ("event-receiver".parse().unwrap(), "192.168.1.0/24".parse().unwrap());
        Listen { name, protocol: Protocol::Tcp, port, from }
    }

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[5; 32])
    }

    fn judge(grant: &Grant, own: &[Service], now: Timestamp) -> Result<Terms, Denied> {
        let text = GrantKey::of(&key()).to_string();
        let device = self::grant().device;
        let here = Here {
            device,
            epoch: 3,
            grant_key: &text,
            services: own,
            networks: &networks(),
            listens: &[listen(9000)],
            features: &[Feature::Terminal, Feature::Web],
        };
        admit(&SignedGrant::sign(grant, &key()), &here, now)
    }

    fn code(grant: &Grant, own: &[Service], now: Timestamp) -> Denial {
        judge(grant, own, now).unwrap_err().code
    }

    #[test]
    fn only_services_that_both_lists_name_word_for_word_are_left() {
        let own = [
            service("panel-web", "192.168.1.50", 80),
            service("panel", "192.168.1.51", 10001),
            service("nas", "192.168.1.60", 443),
        ];
        let terms = judge(&grant(), &own, FROM).unwrap();
        assert_eq!(terms.services, [service("panel-web", "192.168.1.50", 80)]);
        let none = judge(&grant(), &own[1..], FROM).unwrap_err();
        assert_eq!((none.code, none.end()), (Denial::Services, EndReason::DeviceServices));
    }

    #[test]
    fn only_networks_that_both_lists_name_word_for_word_are_left_and_they_are_enough() {
        let asked = |networks: &[(&str, &str)]| Grant {
            services: Vec::new(),
            networks: networks.iter().map(|(name, subnet)| network(name, subnet)).collect(),
            ..grant()
        };
        let both = asked(&[("lan", "192.168.1.0/24"), ("bus", "10.0.0.0/8"), ("all", "0.0.0.0/0")]);
        let terms = judge(&both, &[], FROM).unwrap();
        assert_eq!((terms.services, terms.networks), (Vec::new(), vec![network("lan", "192.168.1.0/24")]));
        for wider in
            [("lan", "192.168.0.0/16"), ("lan", "192.168.1.0/25"), ("bus", "192.168.1.0/24"), ("all", "0.0.0.0/0")]
        {
            assert_eq!(code(&asked(&[wider]), &[], FROM), Denial::Services, "{wider:?}");
        }
    }

    #[test]
    fn only_calls_that_both_lists_name_word_for_word_are_left_and_they_are_enough() {
        let asked = |listens| Grant { services: Vec::new(), listens, ..grant() };
        let wider = Listen { from: "192.168.0.0/16".parse().unwrap(), ..listen(9000) };
        let udp = Listen { protocol: Protocol::Udp, ..listen(9000) };
        let terms = judge(&asked(vec![wider.clone(), listen(9000), udp.clone()]), &[], FROM).unwrap();
        assert_eq!(terms.listens, [listen(9000)]);
        for other in [wider, udp, listen(9001)] {
            assert_eq!(code(&asked(vec![other]), &[], FROM), Denial::Services);
        }
    }

    #[test]
    fn only_features_that_the_device_s_own_settings_have_and_a_browser_needs_something_to_look_at() {
        let asked = |features: &[Feature], services: &[Service]| {
            let grant = Grant { features: features.to_vec(), services: services.to_vec(), ..grant() };
            judge(&grant, &self::grant().services, FROM)
        };
        assert_eq!(asked(&Feature::ALL[..4], &[]).unwrap().features, [Feature::Terminal, Feature::Web]);
        assert_eq!(asked(&[Feature::Files], &grant().services).unwrap().features, []);
        for nothing in [&[Feature::Files][..], &[Feature::Web], &[Feature::WebBlind], &[]] {
            assert_eq!(asked(nothing, &[]).unwrap_err().code, Denial::Services);
        }
    }

    #[test]
    fn what_the_portal_cannot_read_is_alone_in_its_session() {
        let asked = |features: &[Feature], listens: Vec<Listen>| {
            let grant = Grant { features: features.to_vec(), listens, ..grant() };
            judge(&grant, &self::grant().services, FROM)
        };
        assert!(asked(&[Feature::WebBlind], Vec::new()).is_ok());
        for beside in [Feature::Web, Feature::Terminal] {
            assert!(asked(&[beside, Feature::WebBlind], Vec::new()).is_err(), "{beside}");
        }
        assert!(asked(&[Feature::WebBlind], vec![listen(9000)]).is_err());
    }

    #[test]
    fn another_signer_device_or_ownership_is_denied() {
        let own = grant().services;
        let other = DeviceId::make(FROM, &Random::seeded(1));
        assert_eq!(code(&Grant { device: other, ..grant() }, &own, FROM), Denial::Binding);
        let sold = judge(&Grant { epoch: 2, ..grant() }, &own, FROM).unwrap_err();
        assert_eq!((sold.code, sold.end()), (Denial::Binding, EndReason::DeviceOwner));
        let forged = SignedGrant::sign(&grant(), &SigningKey::from_bytes(&[6; 32]));
        let text = GrantKey::of(&key()).to_string();
        let here = Here {
            device: grant().device,
            epoch: 3,
            grant_key: &text,
            services: &own,
            networks: &[],
            listens: &[],
            features: &[],
        };
        assert_eq!(admit(&forged, &here, FROM).unwrap_err().code, Denial::Grant);
    }

    #[test]
    fn time_is_counted_by_the_stricter_of_two_clocks() {
        let own = grant().services;
        let at = |seconds| judge(&grant(), &own, FROM + Duration::from_secs(seconds)).map(|terms| terms.lifetime);
        assert_eq!(at(0), Ok(Duration::from_secs(3600)));
        assert_eq!(at(600), Ok(Duration::from_secs(3000)), "an order that came late does not last longer");
        assert_eq!(at(3600).unwrap_err().code, Denial::Time);
        let year_behind = FROM - Duration::from_secs(365 * 86_400);
        assert_eq!(judge(&grant(), &own, year_behind).unwrap().lifetime, Duration::from_secs(3600));
        let longer = Grant { lifetime_s: 9000, ..grant() };
        assert_eq!(code(&longer, &own, FROM), Denial::Grant);
    }

    #[test]
    fn the_grant_shown_is_for_the_ordered_session_and_key() {
        let own = grant().services;
        let ordered = judge(&grant(), &own, FROM).unwrap();
        let shown = |grant: Grant| judge(&grant, &own, FROM).unwrap().bound_to(&ordered);
        assert!(shown(grant()).is_ok());
        let other = SessionId::make(FROM, &Random::seeded(1));
        assert_eq!(shown(Grant { session: other, ..grant() }).unwrap_err().code, Denial::Binding);
        assert_eq!(shown(Grant { key_thumbprint: "11".repeat(32), ..grant() }).unwrap_err().code, Denial::Binding);
        // What the customer has allowed is what was ordered.
        for changed in [
            Grant { services: own[..1].to_vec(), ..grant() },
            Grant { networks: networks().to_vec(), ..grant() },
            Grant { features: vec![Feature::Terminal], ..grant() },
            Grant { reason: Some("something else".into()), ..grant() },
            Grant { idle_s: 9000, ..grant() },
        ] {
            assert_eq!(shown(changed.clone()).unwrap_err().code, Denial::Binding, "{changed:?}");
        }
    }

    #[test]
    fn what_the_device_cuts_off_is_cut_off_the_end_that_was_signed_whatever_its_clock_says() {
        let own = grant().services;
        let hours = |count: u32| Duration::from_secs(u64::from(count) * 3600);
        for clock in [FROM, FROM - hours(48)] {
            let terms = judge(&grant(), &own, clock).unwrap();
            assert_eq!(terms.kept(), KeptEnd { granted: grant().until, until: grant().until });
            assert_eq!(terms.clone().within(hours(24)).kept(), terms.kept());
            let cut = terms.clone().within(Duration::from_secs(1000));
            assert_eq!(cut.kept(), KeptEnd { granted: grant().until, until: FROM + Duration::from_secs(1000) });
            assert_eq!(terms.bound_to(&cut).unwrap().kept(), cut.kept(), "whatever the technician shows");
            let text = GrantKey::of(&key()).to_string();
            let newer = Grant { until: grant().until + hours(1), lifetime_s: 7200, ..grant() };
            let (newer, longer) = cut.extended(&SignedGrant::sign(&newer, &key()), &text).unwrap().unwrap();
            assert_eq!(longer, Duration::from_secs(7200 - 1000), "from the end that it keeps");
            let moved = newer.moved_by(Duration::from_secs(60)).kept();
            let until = FROM + Duration::from_secs(1060);
            assert_eq!(moved, KeptEnd { granted: grant().until + hours(1), until });
        }
    }

    #[test]
    fn of_two_ends_that_were_signed_the_earlier_holds_until_an_order_moves_it() {
        let own = grant().services;
        let later = Grant { until: grant().until + Duration::from_secs(600), lifetime_s: 4200, ..grant() };
        let (first, later) = (judge(&grant(), &own, FROM).unwrap(), judge(&later, &own, FROM).unwrap());
        for (shown, ordered) in [(&first, &later), (&later, &first)] {
            let bound = shown.clone().bound_to(ordered).unwrap();
            assert_eq!((bound.kept(), bound.lifetime), (first.kept(), first.lifetime));
        }
    }

    #[test]
    fn a_newer_grant_moves_the_end_alone_and_by_what_was_signed() {
        let (own, text) = (grant().services, GrantKey::of(&key()).to_string());
        let minutes = |count: u32| Duration::from_secs(u64::from(count) * 60);
        let longer = |by: u32| Grant { until: grant().until + minutes(by), lifetime_s: 3600 + by * 60, ..grant() };
        // Whatever this device's clock says, and whenever the newer grant comes.
        for clock in [FROM, FROM + minutes(59), FROM - minutes(24 * 60)] {
            let terms = judge(&grant(), &own, clock).unwrap();
            let take = |grant: &Grant| terms.extended(&SignedGrant::sign(grant, &key()), &text);
            let (newer, by) = take(&longer(30)).unwrap().unwrap();
            assert_eq!(
                (by, newer.grant.until, newer.services),
                (minutes(30), grant().until + minutes(30), own.clone())
            );
            assert!(take(&grant()).unwrap().is_none(), "the one that holds, said twice");
        }
        let terms = judge(&longer(30), &own, FROM).unwrap();
        let refused = |grant: &Grant| terms.extended(&SignedGrant::sign(grant, &key()), &text).unwrap_err().code;
        assert_eq!(refused(&grant()), Denial::Time, "an earlier one shortens nothing");
        assert_eq!(refused(&longer(29)), Denial::Time);
        assert_eq!(refused(&Grant { lifetime_s: 99_999, ..longer(60) }), Denial::Time);
        let other = SessionId::make(FROM, &Random::seeded(1));
        let technician = Technician { name: "Somebody else".into(), ..grant().technician };
        for changed in [
            Grant { session: other, ..longer(60) },
            Grant { device: DeviceId::make(FROM, &Random::seeded(1)), ..longer(60) },
            Grant { epoch: 4, ..longer(60) },
            Grant { technician, ..longer(60) },
            Grant { key_thumbprint: "11".repeat(32), ..longer(60) },
            Grant { services: vec![service("nas", "192.168.1.60", 443)], ..longer(60) },
            Grant { networks: vec![network("lan", "192.168.1.0/24")], ..longer(60) },
            Grant { from: FROM - minutes(1), ..longer(60) },
            Grant { idle_s: 90_000, ..longer(60) },
            Grant { consent: Consent::Always, ..longer(60) },
            Grant { reason: None, ..longer(60) },
            Grant { features: vec![Feature::Terminal], ..longer(60) },
            Grant { ticket_number: Some("7".parse().unwrap()), ..longer(60) },
        ] {
            assert_eq!(refused(&changed), Denial::Binding, "{changed:?}");
        }
        let forged = SignedGrant::sign(&longer(60), &SigningKey::from_bytes(&[6; 32]));
        assert_eq!(terms.extended(&forged, &text).unwrap_err().code, Denial::Grant);
    }
}
