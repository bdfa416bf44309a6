//! The real parts, driven: the customer's hold on the device, what an agent asks and what a session's process asks again.

use super::*;

pub(super) struct Scene {
    keeper: Keeper,
    customer: Passkey,
    cloud: Passkey,
    collected: HashMap<Draft, Proof>,
    rule: Option<Proof>,
    forged_rule: Option<Proof>,
    rules: u32,
    pins: u64,
    shown: Option<Draft>,
    live: HashMap<u32, Terms>,
    key: PrivateKey,
    credentials: Credentials,
}

fn cloud_key() -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[5; 32])
}

fn service(name: &str) -> Service {
    Service { name: name.parse().unwrap(), protocol: Protocol::Tcp, host: "192.168.1.50".into(), port: 80 }
}

fn grant(draft: Draft) -> Grant {
    let (random, own) = (Random::seeded(u64::from(draft.session) + 1), Random::seeded(0));
    let (services, features) = SHAPES[draft.shape];
    Grant {
        session: SessionId::make(NOW, &random),
        device: DeviceId::make(NOW, &own),
        epoch: 3,
        technician: Technician {
            user: UserId::make(NOW, &own),
            name: "Marc Petit".into(),
            organisation: OrganisationId::make(NOW, &own),
            organisation_name: "Petit Alarmes".into(),
        },
        key_thumbprint: "00".repeat(32),
        services: services.iter().map(|name| service(name)).collect(),
        networks: Vec::new(),
        listens: Vec::new(),
        features: features.to_vec(),
        recording: Vec::new(),
        from: NOW,
        until: NOW + MINUTE * draft.minutes(),
        lifetime_s: draft.minutes() * 60,
        idle_s: 900,
        consent: Consent::Ask,
        reason: None,
        ticket_number: None,
        break_glass: false,
    }
}

fn signed(draft: Draft) -> SignedGrant {
    SignedGrant::sign(&grant(draft), &cloud_key())
}

fn device() -> DeviceId {
    grant(Draft { session: 0, shape: 0, longer: 0 }).device
}

fn signature(key: &Passkey, draft: Draft) -> Proof {
    Proof::Passkey { assertion: key.sign(&Challenge::of_grant(&signed(draft))) }
}

impl Scene {
    pub(super) fn new() -> Self {
        let key = PrivateKey::make().unwrap();
        let credentials = Credentials {
            device: device(),
            epoch: 3,
            chain: String::new(),
            device_ca: String::new(),
            session_ca: String::new(),
            grant_key: GrantKey::of(&cloud_key()).to_string(),
            mqtt: String::new(),
        };
        Self {
            keeper: Keeper::default(),
            customer: Passkey::make("lodge.example"),
            cloud: Passkey::make("lodge.example"),
            collected: HashMap::new(),
            rule: None,
            forged_rule: None,
            rules: 0,
            pins: 100,
            shown: None,
            live: HashMap::new(),
            key,
            credentials,
        }
    }

    fn proof(&self, draft: Draft, with: With) -> Option<Proof> {
        match with {
            With::Nothing => None,
            With::Forged => Some(signature(&self.cloud, draft)),
            With::Collected => self.collected.get(&draft).or_else(|| self.collected.values().next()).cloned(),
            With::Rule => self.rule.clone(),
            With::ForgedRule => self.forged_rule.clone(),
        }
    }

    /// As the agent gives it to the process.
    fn start(&self, draft: Draft, proof: Option<&Proof>) -> Start {
        let grant = signed(draft);
        Start {
            gate: self.keeper.gate(&grant),
            order: SessionOrder {
                grant,
                proof: proof.cloned().map(Box::new),
                relay: String::new(),
                ticket: String::new(),
                recording: None,
            },
            key: self.key.clone(),
            credentials: self.credentials.clone(),
            epoch: 3,
            services: ["panel-web", "nas"].map(service).to_vec(),
            limits: Limits::default(),
            networks: Vec::new(),
            listens: Vec::new(),
            features: OFFERED.to_vec(),
            terminal: None,
            places: Places::default(),
            folders: Vec::new(),
            looks: Looks::default(),
            proxy: None,
            ca_file: None,
            clock_lacks_us: 0,
            page: None,
        }
    }

    fn open(&mut self, model: &mut Model, draft: Draft, with: With) -> Result<(), TestCaseError> {
        if model.live.contains_key(&draft.session) {
            return Ok(());
        }
        let (now, proof) = (NOW + MINUTE * model.minutes, self.proof(draft, with));
        let start = self.start(draft, proof.as_ref());
        let terms = start.terms(now).ok();
        prop_assert_eq!(terms.is_some(), model.may_run(draft, with).is_some(), "the session's own process");
        let opened = start.grant(now).ok().and_then(|grant| {
            self.keeper.open(&start.order.grant, &grant, start.order.proof.as_deref(), Moments::of(now, 0)).ok()
        });
        prop_assert_eq!(opened, model.may_open(draft, with));
        let (Some(kind), Some(terms)) = (opened, terms) else { return Ok(()) };
        self.live.insert(draft.session, terms);
        model.live.insert(draft.session, draft);
        if kind != ConsentKind::Cloud {
            model.opened.insert(draft.session);
            model.pressed.retain(|pressed| pressed.session != draft.session);
        }
        self.shown = self.shown.filter(|shown| shown.session != draft.session);
        Ok(())
    }

    fn extend(&mut self, model: &mut Model, draft: Draft, with: With) -> Result<(), TestCaseError> {
        let proof = self.proof(draft, with).map(Box::new);
        let Some(terms) = self.live.get_mut(&draft.session) else { return Ok(()) };
        let grant = signed(draft);
        let newer = Newer { gate: self.keeper.gate(&grant), grant, proof };
        let moments = Moments::of(NOW + MINUTE * model.minutes, 0);
        let longer = newer.agreed(terms, &self.credentials.grant_key, moments).ok().flatten();
        prop_assert_eq!(longer.is_some(), model.may_extend(draft, with));
        let Some((longer, by)) = longer else { return Ok(()) };
        *terms = longer.moved_by(by);
        self.keeper.gone(terms.grant.session);
        self.shown = self.shown.filter(|shown| shown.session != draft.session);
        model.live.insert(draft.session, draft);
        Ok(())
    }

    pub(super) fn play(&mut self, model: &mut Model, act: &Act) -> Result<(), TestCaseError> {
        match *act {
            Act::Offer { key } => {
                let key = [&self.customer, &self.cloud][key].public();
                prop_assert_eq!(self.keeper.take_offer(key).is_ok(), !model.pinned);
            }
            Act::Compare => {
                // What a person compares with is the customer's own key.
                self.pins += 1;
                let random = Random::seeded(self.pins);
                let theirs = self.customer.public().fingerprint();
                let offered = self.keeper.offer().is_some_and(|key| key.fingerprint() == theirs);
                let pinned = self.keeper.confirm(&theirs, &random, NOW).is_some();
                prop_assert_eq!(pinned, offered && !model.pinned);
                model.pinned |= pinned;
                if pinned {
                    model.pressed.clear();
                    self.shown = None;
                }
            }
            Act::Want(draft) => {
                self.keeper.want(signed(draft), grant(draft));
                self.shown = Some(draft);
            }
            Act::Press { allowed } => {
                let Some(draft) = self.shown.take() else { return Ok(()) };
                if self.keeper.answer(Challenge::of_grant(&signed(draft)), allowed).is_some() && allowed {
                    model.pressed.push_back(draft);
                    if model.pressed.len() > PRESSES {
                        model.pressed.pop_front();
                    }
                }
            }
            Act::Sign(draft) => {
                self.collected.insert(draft, signature(&self.customer, draft));
                model.signed.insert(draft);
            }
            Act::SignRule => self.sign_rule(model),
            Act::TakeBack => {
                self.rules += 1;
                prop_assert_eq!(self.keeper.take_rules_back(NOW + MINUTE * self.rules), model.pinned);
                model.rule &= !model.pinned;
            }
            Act::Open(draft, with) => self.open(model, draft, with)?,
            Act::Extend(draft, with) => self.extend(model, draft, with)?,
            Act::Stop(session) => {
                model.live.remove(&session);
                self.live.remove(&session);
            }
            Act::FalseRelease | Act::Release | Act::Forget => self.take_key_away(model, act)?,
            Act::Restart => {
                let (pin, book) = (self.keeper.pin(), self.keeper.book());
                let pin = pin.map(|pin| serde_json::from_slice(&serde_json::to_vec(pin).unwrap()).unwrap());
                let book = serde_json::from_slice(&serde_json::to_vec(book).unwrap()).unwrap();
                self.keeper = Keeper::new(pin, book);
            }
            Act::Pass(minutes) => {
                model.minutes += minutes;
                let over = NOW + MINUTE * model.minutes;
                model.live.retain(|_, draft| model.minutes < draft.minutes());
                self.live.retain(|_, terms| over < terms.until);
            }
        }
        prop_assert_eq!(self.keeper.pin().is_some(), model.pinned);
        if let Some(pin) = self.keeper.pin() {
            prop_assert_eq!(pin.key.fingerprint(), self.customer.public().fingerprint());
        }
        let ends: HashMap<_, _> = self.live.iter().map(|(session, terms)| (*session, terms.until)).collect();
        let expected = model.live.iter().map(|(session, draft)| (*session, NOW + MINUTE * draft.minutes()));
        prop_assert_eq!(ends, expected.collect(), "no session is live, or for longer, that nobody allowed");
        Ok(())
    }

    fn sign_rule(&mut self, model: &mut Model) {
        let Some(pin) = self.keeper.pin() else { return };
        self.rules += 1;
        let rule = StandingRule {
            device: device(),
            epoch: 3,
            pin: pin.id,
            made_at: NOW + MINUTE * self.rules,
            installer: grant(Draft { session: 0, shape: 0, longer: 0 }).technician.organisation,
            services: vec!["panel-web".parse().unwrap()],
            networks: Vec::new(),
            listens: Vec::new(),
            features: vec![Feature::Web],
            consent: Consent::Always,
            opening: Opening::default(),
            longest_minutes: LONGEST_BY_RULE,
            valid_until: NOW + MINUTE * 60 * 24,
        };
        self.forged_rule = Some(Proof::Standing { rule: self.cloud.rule(&rule) });
        self.rule = Some(Proof::Standing { rule: self.customer.rule(&rule) });
        model.rule = true;
    }

    fn take_key_away(&mut self, model: &mut Model, act: &Act) -> Result<(), TestCaseError> {
        let Some(pin) = self.keeper.pin().map(|pin| pin.id) else { return Ok(()) };
        let statement = Challenge::of_release(device(), pin);
        match act {
            Act::FalseRelease => {
                prop_assert!(self.keeper.release(&self.cloud.sign(&statement), device()).is_err());
                return Ok(());
            }
            Act::Release => prop_assert!(self.keeper.release(&self.customer.sign(&statement), device()).is_ok()),
            _ => prop_assert!(self.keeper.forget(pin)),
        }
        model.unpin();
        Ok(())
    }
}
