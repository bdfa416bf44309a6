//! The device on the stage beside its model: each act is done to both, and both must tell the same.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use gatelodge_cloud::{
    accounts::rights::{InstallerMember, VendorAdministrator},
    activation::release,
    audit::Actor,
    devices::{
        enrol::{self, EnrolError},
        ingest::Registrar,
        model::{CertificateState, EnrolmentState},
        presence::AllowList,
        service::{self, ChangeError},
    },
    kits::Kits,
    mqtt::{Doorkeeper as _, Incoming, Intake as _},
    pki::Csr,
    run,
    sessions::ingest::Ear,
};
use gatelodge_proto::{
    CertificateSerial, EnrolmentId, Timestamp,
    enrol::{Answer, Proof, Wait},
    payload::{self, Certificate, Consent, Life, Placed, Position, Receipt, Renew, Report},
    topics::{Topic, Up},
};
use uuid::Uuid;

use super::{
    super::{Paths, key, prop},
    Act, DAY, Model, Told,
};
use crate::{
    cast::{Cast, Prop},
    devices::{HEADER, NETWORK, names, row, serial_of},
};

/// The device on the stage, beside its model.
struct Scene<'a> {
    cast: &'a Cast,
    prop: Prop,
    model: Model,
    registrar: Registrar,
    vendor: VendorAdministrator,
    marc: InstallerMember,
    paths: &'a Paths,
}

impl Scene<'_> {
    fn kits(&self) -> &Kits {
        self.cast.kits()
    }

    async fn play(&mut self, act: &Act) -> anyhow::Result<()> {
        let now = self.kits().now();
        let next = match act {
            Act::On => self.model.next(),
            other => other.clone(),
        };
        match next {
            // What comes next is never this.
            Act::On => {}
            Act::Import => {
                let file = format!("{HEADER}\n{}\n", row(&names(1), "factory_secret"));
                let done = service::import(self.kits(), Actor::Cloud, file.as_bytes(), false).await?;
                ensure!((done.added, done.unchanged) == (0, 1), "{done:?}");
            }
            Act::Enrol { key, right } => self.enrol(key, right, now).await?,
            Act::Connect { key } => self.connect(key, now).await?,
            Act::Report { by, boot, seq } => self.report(by, boot, seq).await?,
            Act::Renew { key, next } => self.renew(key, next, now).await?,
            Act::Approve { key } => self.approve(key, now).await?,
            Act::Refuse { key } => {
                let Some(id) = self.enrolment(key).await? else { return Ok(()) };
                let outcome = service::refuse(self.kits(), &self.vendor, id).await;
                ensure!(outcome.is_ok() == (self.model.keys[key] == Some(EnrolmentState::Conflict)), "{outcome:?}");
                if outcome.is_ok() {
                    self.model.keys[key] = Some(EnrolmentState::Refused);
                    self.paths.reach("refused");
                }
            }
            Act::Own => self.own().await?,
            Act::GiveBack => self.give_back().await?,
            Act::Revoke => {
                let outcome = service::revoke(self.kits(), &self.vendor, self.prop.id).await;
                ensure!(outcome.is_ok() == (self.model.life != Life::Retired), "{outcome:?}");
                self.model.shut_out();
            }
            Act::Retire => {
                let outcome = service::retire(self.kits(), &self.vendor, self.prop.id).await;
                ensure!(outcome.is_ok() == (self.model.life != Life::Retired), "{outcome:?}");
                if outcome.is_ok() {
                    self.model.shut_out();
                    self.model.epoch += 1;
                    (self.model.life, self.model.report) = (Life::Retired, None);
                }
            }
            Act::Pass { days } => self.kits().clock.advance(DAY * days),
        }
        Ok(())
    }

    async fn enrol(&mut self, place: usize, right: bool, now: Timestamp) -> anyhow::Result<()> {
        let expected = self.model.enrols(place, right, now);
        let (names, key) = (names(1), key(place));
        let mut proof = key.secret_proof(self.kits(), &names).await;
        if let (Proof::FactorySecret { answer, .. }, false) = (&mut proof, right) {
            *answer = "00".repeat(32);
        }
        let (told, serial) = match enrol::enrol(self.kits(), NETWORK, &key.request(&names, proof)).await {
            Ok(Answer::Enrolled(credentials)) => {
                let serial = serial_of(&credentials.chain);
                let known = self.model.papers.iter().any(|paper| paper.serial == serial);
                (Told::Certificate(known.then(|| serial.clone())), Some(serial))
            }
            Ok(Answer::Waiting { wait: Wait::Conflict, .. }) => (Told::Conflict, None),
            Err(EnrolError::KeyOver) => (Told::KeyOver, None),
            Err(EnrolError::Retired(_)) => (Told::Retired, None),
            Err(EnrolError::WrongProof) => (Told::WrongProof, None),
            other => anyhow::bail!("{other:?}, expected {expected:?}"),
        };
        ensure!(told == expected, "{told:?}, expected {expected:?}");
        let path = match (&expected, self.model.keys[place]) {
            (Told::Certificate(Some(_)), _) => "enrol Again".to_owned(),
            (Told::Certificate(None), Some(EnrolmentState::Enrolled)) => "enrol Renewed".to_owned(),
            (Told::Certificate(None), _) => "enrol New".to_owned(),
            (other, _) => format!("enrol {other:?}"),
        };
        self.paths.reach(path);
        match (expected, self.model.keys[place]) {
            (Told::Certificate(None), Some(EnrolmentState::Enrolled)) => {
                self.model.issued(place, serial.context("no certificate")?, now);
            }
            (Told::Certificate(None), _) => self.model.accepted(place, serial.context("no certificate")?, now),
            (Told::Conflict, _) => self.model.keys[place] = Some(EnrolmentState::Conflict),
            _ => {}
        }
        Ok(())
    }

    async fn connect(&mut self, key: usize, now: Timestamp) -> anyhow::Result<()> {
        let Some(paper) = self.model.newest(key).cloned() else { return Ok(()) };
        let admitted = AllowList::new(self.kits().clone()).admits(self.prop.id, &paper.serial).await;
        let expected = self.model.lets_in(&paper, now);
        ensure!(admitted == expected, "admitted is {admitted}, expected {expected}");
        self.paths.reach(if admitted { "let in" } else { "kept out" });
        if admitted {
            for older in &mut self.model.papers {
                if older.state == CertificateState::Current && older.issued < paper.issued {
                    older.state = CertificateState::Superseded;
                }
            }
        }
        Ok(())
    }

    /// Says something by the newest certificate of a key; gives what became of it.
    async fn says<T: serde::Serialize>(
        &self,
        by: Option<usize>,
        kind: Up,
        position: Position,
        body: T,
    ) -> anyhow::Result<(Told, Option<String>)> {
        let certificate = by.and_then(|key| self.model.newest(key)).map(|paper| paper.serial.clone());
        let message = Incoming::Message {
            topic: Topic::Up(self.prop.id, kind).to_string(),
            payload: payload::encode(&Placed { position, body }).into(),
            correlation: Some(position.into()),
            certificate,
        };
        let outgoing = self.registrar.take(&[message]).await?;
        let (mut told, mut chain) = (Told::Silence, None);
        for message in outgoing {
            if message.topic.ends_with("/down/receipt") {
                let receipt: Receipt = payload::decode(&message.payload)?;
                ensure!((receipt.boot_id, receipt.seq) == (position.boot_id, position.seq), "{receipt:?}");
                told = if receipt.parked.is_some() { Told::Parked } else { Told::Taken };
            } else if message.topic.ends_with("/down/certificate") {
                chain = Some(payload::decode::<Certificate>(&message.payload)?.chain);
            }
        }
        Ok((told, chain))
    }

    async fn report(&mut self, by: Option<usize>, boot: u64, seq: u64) -> anyhow::Result<()> {
        if by.is_some_and(|key| self.model.newest(key).is_none()) {
            return Ok(());
        }
        let names = names(1);
        let report = Report {
            id_code: Some(names.id_code),
            mac: names.mac,
            serial: names.serial,
            serial_source: "factory".into(),
            model: "AX".into(),
            firmware: format!("{boot}.{seq}"),
            agent_version: "0.1.0".into(),
            observed_at: self.kits().now(),
            epoch: self.model.epoch,
            interfaces: Vec::new(),
            services: Vec::new(),
            networks: Vec::new(),
            listens: Vec::new(),
            features: Vec::new(),
            profiles: Vec::new(),
        };
        let (told, _) = self.says(by, Up::Report, position(boot, seq), report).await?;
        let expected = match self.model.life {
            Life::Retired => Told::Silence,
            _ if self.model.speaks(by) => Told::Taken,
            _ => Told::Parked,
        };
        ensure!(told == expected, "{told:?}, expected {expected:?}");
        self.paths.reach(format!("report {told:?}"));
        if told == Told::Taken {
            if !self.model.seen.insert((boot, seq)) {
                self.paths.reach("same report");
            } else if self.model.report > Some((boot, seq)) {
                self.paths.reach("older report");
            } else {
                self.model.report = Some((boot, seq));
            }
        }
        Ok(())
    }

    async fn renew(&mut self, by: usize, next: usize, now: Timestamp) -> anyhow::Result<()> {
        if self.model.newest(by).is_none() {
            return Ok(());
        }
        self.model.messages += 1;
        let place = (9, self.model.messages);
        let renew = Renew { csr: key(next).csr() };
        let (told, chain) = self.says(Some(by), Up::Renew, position(place.0, place.1), renew).await?;
        if self.model.life == Life::Retired {
            ensure!(told == Told::Silence, "{told:?}");
            return Ok(());
        }
        let speaks = self.model.speaks(Some(by));
        let may = speaks && self.model.newest(by).is_some_and(|paper| self.model.lets_in(paper, now));
        let again = self.model.newest(next).filter(|paper| {
            paper.issued + DAY * 7 > now && paper.epoch == self.model.epoch && paper.state == CertificateState::Current
        });
        let again = again.map(|paper| paper.serial.clone());
        // A key that is known otherwise than as the one let in is nobody's next key.
        let known = self.model.keys[next].is_some_and(|state| state != EnrolmentState::Enrolled);
        let expected = if may && (again.is_some() || !known) { Told::Taken } else { Told::Parked };
        ensure!(told == expected, "{told:?}, expected {expected:?}");
        self.paths.reach(format!("renew {told:?}"));
        if speaks && !(may && again.is_none() && known) {
            self.model.seen.insert(place);
        }
        if told == Told::Parked {
            return Ok(());
        }
        let serial = serial_of(&chain.context("a renewal without a certificate")?);
        if let Some(again) = again {
            ensure!(serial == again, "{serial:?}, expected {again:?}");
            self.paths.reach("renewed again");
            return Ok(());
        }
        ensure!(!self.model.papers.iter().any(|paper| paper.serial == serial), "an old certificate as a new one");
        for key in &mut self.model.keys {
            key.take_if(|state| *state == EnrolmentState::Enrolled);
        }
        self.model.keys[next] = Some(EnrolmentState::Enrolled);
        self.model.issued(next, serial, now);
        Ok(())
    }

    async fn approve(&mut self, place: usize, now: Timestamp) -> anyhow::Result<()> {
        let Some(id) = self.enrolment(place).await? else { return Ok(()) };
        let outcome = service::approve(self.kits(), &self.vendor, id).await;
        match (&outcome, self.model.keys[place]) {
            (Err(ChangeError::Refused(_)), _) if self.model.life == Life::Retired => {}
            (Ok(()), Some(EnrolmentState::Conflict)) => {
                let papers = self.papers().await?;
                let serial = papers.into_iter().map(|(serial, ..)| serial);
                let new = serial.filter(|serial| !self.model.papers.iter().any(|paper| paper.serial == *serial));
                let [new] = &new.collect::<Vec<_>>()[..] else { anyhow::bail!("not one new certificate") };
                self.model.accepted(place, new.clone(), now);
                self.paths.reach("approved");
            }
            (Err(ChangeError::Missing), state) if state != Some(EnrolmentState::Conflict) => {}
            (_, state) => anyhow::bail!("{outcome:?} for a key that is {state:?}"),
        }
        Ok(())
    }

    /// An installer registers the device, and the customer confirms.
    async fn own(&mut self) -> anyhow::Result<()> {
        let free = self.model.life == Life::Enrolled && self.model.speaks(None);
        if self.model.speaks(None) {
            // The code that the device shows is a message, too.
            self.model.messages += 1;
            self.model.seen.insert((0, self.model.messages));
        }
        let registered = self.cast.registers(&self.marc, self.prop, "villa-rosa", "rosa@example.com").await;
        ensure!(registered.is_ok() == free, "{registered:?}");
        if let Ok(registration) = registered {
            self.cast.confirms(registration, "rosa@example.com", Consent::Ask).await?;
            (self.model.life, self.model.owned) = (Life::Active, true);
            self.paths.reach("owned");
        }
        Ok(())
    }

    async fn give_back(&mut self) -> anyhow::Result<()> {
        if !self.model.owned {
            return Ok(());
        }
        let rosa = self.cast.user("rosa@example.com").await?.try_into()?;
        release::release(self.kits(), &rosa, self.prop.id, "villa-rosa").await?;
        self.model.owned = false;
        self.paths.reach(if self.model.life == Life::Active { "given back" } else { "given back though retired" });
        if self.model.life == Life::Active {
            self.model.shut_out();
            self.model.epoch += 1;
            (self.model.life, self.model.report) = (Life::Released, None);
        }
        Ok(())
    }

    async fn enrolment(&self, place: usize) -> anyhow::Result<Option<EnrolmentId>> {
        let thumbprint = Csr::parse(&key(place).csr())?.thumbprint_hex();
        let mut tx = self.kits().db.read().await?;
        let id = run!(&mut tx, c => sqlx::query_scalar::<_, Uuid>("SELECT id FROM enrolment WHERE key_thumbprint = $1")
            .bind(thumbprint)
            .fetch_optional(c))?;
        Ok(id.map(EnrolmentId::from_uuid))
    }

    /// The allow-list: serial, epoch and state.
    async fn papers(&self) -> anyhow::Result<Vec<(CertificateSerial, u64, CertificateState)>> {
        let mut tx = self.kits().db.read().await?;
        let rows = run!(&mut tx, c => sqlx::query_as::<_, (String, i64, String)>(
            "SELECT serial, epoch, state FROM certificate",
        )
        .fetch_all(c))?;
        let paper = |(serial, epoch, state): (String, i64, String)| {
            Ok((serial.parse()?, u64::try_from(epoch)?, CertificateState::from_word(&state).context("no state")?))
        };
        rows.into_iter().map(paper).collect()
    }

    /// Rows and model say the same.
    async fn compare(&self) -> anyhow::Result<()> {
        let mut tx = self.kits().db.read().await?;
        let device = service::device(&mut tx, self.prop.id).await?.context("the device is gone")?;
        let messages =
            run!(&mut tx, c => sqlx::query_scalar::<_, i64>("SELECT count(*) FROM device_message").fetch_one(c))?;
        drop(tx);
        let model = &self.model;
        ensure!((device.life, device.epoch) == (model.life, model.epoch), "{:?} in {}", device.life, device.epoch);
        let shown = device.report.map(|report| report.firmware);
        let newest = model.report.map(|(boot, seq)| format!("{boot}.{seq}"));
        ensure!(shown == newest, "shown is {shown:?}, the newest is {newest:?}");
        ensure!(usize::try_from(messages)? == model.seen.len(), "{messages} messages, not {}", model.seen.len());
        let mut papers = self.papers().await?;
        let mut expected: Vec<_> =
            model.papers.iter().map(|paper| (paper.serial.clone(), paper.epoch, paper.state)).collect();
        papers.sort_by(|one, other| one.0.as_str().cmp(other.0.as_str()));
        expected.sort_by(|one, other| one.0.as_str().cmp(other.0.as_str()));
        ensure!(papers == expected, "certificates are {papers:?}, not {expected:?}");
        Ok(())
    }
}

const fn position(boot: u64, seq: u64) -> Position {
    Position { boot, boot_id: Uuid::from_u128(100 + boot as u128), seq }
}

pub(super) async fn lives(cast: &Cast, acts: &[Act], paths: &Paths) -> anyhow::Result<()> {
    let registrar = Registrar::new(cast.kits().clone(), Arc::new(Ear));
    let (vendor, marc) = (cast.vendor().await?, cast.installer("marc@example.com").await?);
    let mut scene = Scene { cast, prop: prop(cast, 1).await, model: Model::new(), registrar, vendor, marc, paths };
    for (place, act) in acts.iter().enumerate() {
        // No two acts in one moment: the newest certificate is the one issued last.
        cast.pass(1);
        scene.play(act).await.with_context(|| format!("act {place}, {act:?}, from {:?}", scene.model))?;
        scene.compare().await.with_context(|| format!("after act {place}, {act:?}: {:?}", scene.model))?;
    }
    Ok(())
}
