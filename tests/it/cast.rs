//! The people and the device of a story, on the real services: an installer with a technician, customers by their
//! e-mail address, and a device that speaks through the registrar.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::extract::FromRequestParts as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatelodge_cloud::{
    accounts::{
        SignedIn, api_token,
        model::{Network, OrganisationKind, Role},
        recording_key::{self, FEWEST_ROUNDS, WrappedKey},
        rights::{CustomerMember, InstallerMember, OrganisationAdministrator, VendorAdministrator},
        service as accounts,
        tokens::{self, Purpose, Secret},
    },
    activation::{
        confirm::{self, Confirmation, Owner},
        model::{Claim, CustomerData, Presence},
        register,
    },
    change,
    db::Ts,
    devices::ingest::Registrar,
    i18n::Language,
    kits::Kits,
    mqtt::{Incoming, Intake as _},
    run,
    sessions::ingest::Ear,
};
use gatelodge_proto::{
    CommandId, DeviceId, OrganisationId, RegistrationId, UserId,
    identity::{EmailAddress, IdCode, MacAddress, OnSiteCode},
    payload::{
        self, Command, CommandResult, Consent, Event, Happening, Order, Outcome, Placed, Position, Protocol, Report,
        Service,
    },
    topics::{Topic, Up},
};
use gatelodge_tests::kits::TestKits;
use uuid::Uuid;

/// A story's stage: fresh kits, one vendor's product, nobody yet.
pub(crate) struct Cast {
    pub(crate) test: TestKits,
    product: Uuid,
    count: AtomicU64,
}

/// A device on the stage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prop {
    pub(crate) id: DeviceId,
    pub(crate) id_code: IdCode,
    pub(crate) mac: MacAddress,
}

/// On each kind of database.
pub(crate) async fn on_each() -> anyhow::Result<Vec<Cast>> {
    let mut all = Vec::new();
    for test in TestKits::on_each().await? {
        all.push(Cast::on(test).await?);
    }
    Ok(all)
}

pub(crate) fn network() -> Network {
    std::net::IpAddr::from([192, 0, 2, 7]).into()
}

pub(crate) fn data(name: &str) -> CustomerData {
    CustomerData {
        name: name.into(),
        company: None,
        phone: Some("+33 4 78 00 00 00".into()),
        address: "12 rue des Lilas".into(),
        postcode: "69003".into(),
        city: "Lyon".into(),
        country: "France".into(),
    }
}

impl Cast {
    pub(crate) async fn on(test: TestKits) -> anyhow::Result<Self> {
        let product = CommandId::make(test.kits.now(), &test.kits.random).uuid();
        let mut tx = test.kits.db.write().await?;
        change!(&mut tx, c => sqlx::query(
            "INSERT INTO product (id, reference, name, kind, warranty_months, label_help, created_at) \
             VALUES ($1, 'AS-1', 'Alarm server', 'alarm', 24, 'Under the cover.', $2)",
        )
        .bind(product)
        .bind(Ts::from(test.kits.now()))
        .execute(c))?;
        tx.commit().await?;
        Ok(Self { test, product, count: AtomicU64::new(1) })
    }

    pub(crate) fn kits(&self) -> &Kits {
        &self.test.kits
    }

    fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::SeqCst)
    }

    /// Somebody of a new organisation.
    pub(crate) async fn somebody(&self, kind: OrganisationKind, role: Role, email: &str) -> anyhow::Result<SignedIn> {
        let kits = self.kits();
        let organisation = OrganisationId::make(kits.now(), &kits.random);
        let mut tx = kits.db.write().await?;
        change!(&mut tx, c => sqlx::query("INSERT INTO organisation (id, kind, name, created_at) VALUES ($1, $2, $3, $4)")
            .bind(organisation.uuid())
            .bind(kind.word())
            .bind(format!("{kind} of {email}"))
            .bind(Ts::from(kits.now()))
            .execute(c))?;
        tx.commit().await?;
        self.member(organisation, role, email).await
    }

    /// One more of an organisation.
    pub(crate) async fn member(
        &self,
        organisation: OrganisationId,
        role: Role,
        email: &str,
    ) -> anyhow::Result<SignedIn> {
        let kits = self.kits();
        let user = UserId::make(kits.now(), &kits.random);
        let mut tx = kits.db.write().await?;
        change!(&mut tx, c => sqlx::query(
            "INSERT INTO user_account (id, email, email_folded, name, language, password_hash, sign_ins, created_at) \
             VALUES ($1, $2, $2, $3, 'en', '$argon2id$none', 0, $4)",
        )
        .bind(user.uuid())
        .bind(email)
        .bind(email.split('@').next().unwrap_or_default())
        .bind(Ts::from(kits.now()))
        .execute(c))?;
        change!(&mut tx, c => sqlx::query(
            "INSERT INTO membership (user_id, organisation_id, role, created_at) VALUES ($1, $2, $3, $4)",
        )
        .bind(user.uuid())
        .bind(organisation.uuid())
        .bind(role.word())
        .bind(Ts::from(kits.now()))
        .execute(c))?;
        tx.commit().await?;
        self.sign_in(user, organisation).await
    }

    /// Signs a member in, as a program does.
    pub(crate) async fn sign_in(&self, user: UserId, organisation: OrganisationId) -> anyhow::Result<SignedIn> {
        let token = self.token(user, organisation).await?;
        let (mut parts, ()) =
            http::Request::get("/api/v1/me").header("authorization", format!("Bearer {token}")).body(())?.into_parts();
        SignedIn::from_request_parts(&mut parts, self.kits()).await.map_err(|nobody| anyhow::anyhow!("{nobody:?}"))
    }

    /// A bearer token of a member.
    pub(crate) async fn token(&self, user: UserId, organisation: OrganisationId) -> anyhow::Result<String> {
        let kits = self.kits();
        let mut tx = kits.db.write().await?;
        let member = accounts::membership(&mut tx, user, organisation).await?.expect("a member");
        let (token, _) = api_token::issue(&mut tx, kits, kits.now(), &member, "a test", Some(kits.now())).await?;
        tx.commit().await?;
        Ok(token.expose())
    }

    pub(crate) async fn installer(&self, email: &str) -> anyhow::Result<InstallerMember> {
        Ok(self.somebody(OrganisationKind::Installer, Role::Technician, email).await?.try_into()?)
    }

    /// Gives an organisation a key for recordings, by an administrator of its own.
    pub(crate) async fn keyed(&self, organisation: OrganisationId, email: &str) -> anyhow::Result<()> {
        let administrator = self.member(organisation, Role::Administrator, email).await?;
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let key = WrappedKey {
            public_key: text(&[&[4], &self.kits().random.bytes::<64>()[..]].concat()).parse()?,
            salt: text(&[1; 16]),
            rounds: FEWEST_ROUNDS,
            nonce: text(&[2; 12]),
            wrapped: text(&[3; 154]),
        };
        Ok(recording_key::set(self.kits(), &OrganisationAdministrator::try_from(administrator)?, key).await?)
    }

    /// The user of an e-mail address, signed in for their first organisation.
    pub(crate) async fn user(&self, email: &str) -> anyhow::Result<SignedIn> {
        let mut tx = self.kits().db.read().await?;
        let id = run!(&mut tx, c => sqlx::query_scalar::<_, Uuid>("SELECT id FROM user_account WHERE email_folded = $1")
            .bind(email)
            .fetch_one(c))?;
        let user = UserId::from_uuid(id);
        let first = accounts::memberships(&mut tx, user).await?.swap_remove(0);
        drop(tx);
        self.sign_in(user, first.organisation_id).await
    }

    /// An enrolled device that shows no code yet.
    pub(crate) async fn device(&self) -> anyhow::Result<Prop> {
        self.device_in("enrolled", None).await
    }

    pub(crate) async fn device_in(&self, life: &str, batch: Option<&str>) -> anyhow::Result<Prop> {
        let kits = self.kits();
        let place = u8::try_from(self.next())?;
        let prop = Prop {
            id: DeviceId::make(kits.now(), &kits.random),
            id_code: IdCode::make(&kits.random),
            mac: MacAddress::from_bytes([2, 0x42, 0, 0, 0, place])?,
        };
        let mut tx = kits.db.write().await?;
        change!(&mut tx, c => sqlx::query(
            "INSERT INTO device (id, id_code, mac, serial, serial_folded, product_id, proof, batch, life, epoch, \
             state_version, created_at, online) VALUES ($1, $2, $3, $4, $4, $5, 'on_site_code', $6, $7, 1, 0, $8, $9)",
        )
        .bind(prop.id.uuid())
        .bind(prop.id_code.compact())
        .bind(prop.mac.to_string())
        .bind(format!("SN-{place}"))
        .bind(self.product)
        .bind(batch)
        .bind(life)
        .bind(Ts::from(kits.now()))
        .bind(true)
        .execute(c))?;
        tx.commit().await?;
        if life == "enrolled" {
            self.lets_in(prop.id).await?;
        }
        Ok(prop)
    }

    /// The device enrols and gets a certificate for its present owner; the rest of its life stays as it is.
    pub(crate) async fn lets_in(&self, device: DeviceId) -> anyhow::Result<()> {
        let kits = self.kits();
        let mut tx = kits.db.write().await?;
        change!(&mut tx, c => sqlx::query(
            "UPDATE device SET life = 'enrolled' WHERE id = $1 AND life IN ('manufactured', 'released')",
        )
        .bind(device.uuid())
        .execute(c))?;
        change!(&mut tx, c => sqlx::query(
            "INSERT INTO certificate (serial, device_id, epoch, key_thumbprint, chain, state, not_before, not_after, \
             issued_at) SELECT $2, id, epoch, $2, 'x', 'current', $3, $4, $3 FROM device WHERE id = $1",
        )
        .bind(device.uuid())
        .bind(format!("{:X}{:X}", self.next(), device.uuid().as_u128()))
        .bind(Ts::from(kits.now()))
        .bind(Ts::from(kits.now() + Duration::from_secs(90 * 86_400)))
        .execute(c))?;
        Ok(tx.commit().await?)
    }

    /// Somebody who decides for the vendor.
    pub(crate) async fn vendor(&self) -> anyhow::Result<VendorAdministrator> {
        let somebody = self.somebody(OrganisationKind::Vendor, Role::Administrator, "vendor@example.com").await?;
        Ok(VendorAdministrator::try_from(somebody)?)
    }

    /// Gives the number of the message.
    async fn says<T: serde::Serialize>(&self, device: DeviceId, kind: Up, body: T) -> anyhow::Result<u64> {
        let position = Position { boot: 1, boot_id: Uuid::from_u128(1), seq: self.next() };
        let message = Incoming::Message {
            topic: Topic::Up(device, kind).to_string(),
            payload: payload::encode(&Placed { position, body }).into(),
            correlation: Some(position.into()),
            certificate: None,
        };
        Registrar::new(self.kits().clone(), Arc::new(Ear)).take(&[message]).await?;
        Ok(position.seq)
    }

    /// The device tells that something happened.
    pub(crate) async fn happens(&self, device: DeviceId, what: Happening) -> anyhow::Result<()> {
        self.says(device, Up::Event, Event { at: self.kits().now(), what }).await.map(drop)
    }

    /// The device answers the latest order to open a session.
    pub(crate) async fn answers_open(&self, device: DeviceId, outcome: Outcome) -> anyhow::Result<()> {
        let mut tx = self.kits().db.read().await?;
        let rows = run!(&mut tx, c => sqlx::query_scalar::<_, sqlx::types::Json<Command>>(
            "SELECT command FROM command ORDER BY id DESC",
        )
        .fetch_all(c))?;
        drop(tx);
        let opens = |command: &sqlx::types::Json<Command>| matches!(command.order, Order::OpenSession(_));
        let command = rows.into_iter().find(opens).expect("the device was called").id;
        self.says(device, Up::Result, CommandResult { command, outcome }).await.map(drop)
    }

    /// The device shows a code.
    pub(crate) async fn shows_code(&self, device: DeviceId) -> anyhow::Result<OnSiteCode> {
        let code = OnSiteCode::make(&self.kits().random);
        self.happens(device, Happening::OnSiteCodeShown { code }).await?;
        Ok(code)
    }

    /// The device reports itself with these services; gives the number of the report.
    pub(crate) async fn reports(&self, prop: Prop, services: &[&str]) -> anyhow::Result<u64> {
        let mut tx = self.kits().db.read().await?;
        let serial = run!(&mut tx, c => sqlx::query_scalar::<_, String>("SELECT serial FROM device WHERE id = $1")
            .bind(prop.id.uuid())
            .fetch_one(c))?;
        drop(tx);
        let service = |name: &&str| Service {
            name: name.parse().expect("a service name"),
            protocol: Protocol::Tcp,
            host: "127.0.0.9".into(),
            port: 80,
        };
        let report = Report {
            id_code: Some(prop.id_code),
            mac: prop.mac,
            serial: serial.parse()?,
            serial_source: "factory".into(),
            model: "AS-1".into(),
            firmware: "test".into(),
            agent_version: "0.1.0".into(),
            observed_at: self.kits().now(),
            epoch: 1,
            interfaces: Vec::new(),
            services: services.iter().map(service).collect(),
            networks: vec![payload::Network { name: "lan".parse()?, subnet: "192.168.1.0/24".parse()? }],
            listens: vec![payload::Listen {
                name: "event-receiver".parse()?,
                protocol: Protocol::Tcp,
                port: 9000,
                from: "192.168.1.0/24".parse()?,
            }],
            features: vec![payload::Feature::Terminal, payload::Feature::Web],
            profiles: Vec::new(),
        };
        self.says(prop.id, Up::Report, report).await
    }

    pub(crate) fn claim(prop: Prop, code: OnSiteCode, web_address: &str, email: &str) -> Claim {
        Claim {
            id_code: prop.id_code,
            mac: prop.mac,
            web_address: web_address.parse().expect("a web address"),
            email: email.parse().expect("an e-mail address"),
            presence: Presence::OnSiteCode(code),
        }
    }

    /// An installer registers a device for an e-mail address.
    pub(crate) async fn registers(
        &self,
        by: &InstallerMember,
        prop: Prop,
        web_address: &str,
        email: &str,
    ) -> anyhow::Result<RegistrationId> {
        let code = self.shows_code(prop.id).await?;
        let claim = Self::claim(prop, code, web_address, email);
        Ok(register::save(self.kits(), by, &network(), &claim, None, Language::En).await?)
    }

    /// The link that a mail would carry.
    pub(crate) async fn link(&self, registration: RegistrationId) -> anyhow::Result<Secret> {
        let kits = self.kits();
        let (purpose, mut tx) = (Purpose::Activation, kits.db.write().await?);
        let secret =
            tokens::issue(&mut tx, kits.now(), &kits.random, purpose, registration.uuid(), purpose.life()).await?;
        tx.commit().await?;
        Ok(secret)
    }

    pub(crate) fn confirmation(consent: Consent) -> Confirmation {
        Confirmation { data: data("Rosa Bianchi"), consent, owner: Owner::Usual }
    }

    /// The customer confirms, and comes back as the one who decides.
    pub(crate) async fn confirms(
        &self,
        registration: RegistrationId,
        email: &str,
        consent: Consent,
    ) -> anyhow::Result<CustomerMember> {
        let (link, customer) = (self.link(registration).await?, self.user(email).await?);
        confirm::confirm(self.kits(), &customer, &link, Self::confirmation(consent)).await?;
        Ok(self.user(email).await?.try_into()?)
    }

    /// A registered, confirmed device that reports `panel-web`.
    pub(crate) async fn active(
        &self,
        by: &InstallerMember,
        web_address: &str,
        email: &str,
        consent: Consent,
    ) -> anyhow::Result<(Prop, CustomerMember)> {
        let prop = self.device().await?;
        let registration = self.registers(by, prop, web_address, email).await?;
        let customer = self.confirms(registration, email, consent).await?;
        self.reports(prop, &["panel-web", "panel-tcp"]).await?;
        Ok((prop, customer))
    }

    /// What the cloud asks of a device and has not heard the end of, the oldest first.
    pub(crate) async fn orders(&self, device: DeviceId) -> anyhow::Result<Vec<Order>> {
        let mut tx = self.kits().db.read().await?;
        let rows = run!(&mut tx, c => sqlx::query_scalar::<_, sqlx::types::Json<Command>>(
            "SELECT command FROM command WHERE device_id = $1 AND ended_at IS NULL ORDER BY id",
        )
        .bind(device.uuid())
        .fetch_all(c))?;
        Ok(rows.into_iter().map(|command| command.0.order).collect())
    }

    /// The stable words of what an organisation may read of a device, the oldest first.
    pub(crate) async fn history(&self, organisation: OrganisationId, device: DeviceId) -> anyhow::Result<Vec<String>> {
        let mut tx = self.kits().db.read().await?;
        let mut rows = gatelodge_cloud::audit::read(&mut tx, organisation, Some(device), None, 100).await?;
        rows.reverse();
        Ok(rows.into_iter().map(|row| row.what).collect())
    }

    /// What was written down, under its stable word, where an organisation may read it.
    pub(crate) async fn details(
        &self,
        organisation: OrganisationId,
        device: DeviceId,
        what: &str,
    ) -> anyhow::Result<Vec<serde_json::Value>> {
        let mut tx = self.kits().db.read().await?;
        let rows = gatelodge_cloud::audit::read(&mut tx, organisation, Some(device), None, 100).await?;
        Ok(rows.into_iter().filter(|row| row.what == what).map(|row| row.details.0).collect())
    }

    /// The kinds of jobs that wait.
    pub(crate) async fn jobs(&self) -> anyhow::Result<Vec<String>> {
        let mut tx = self.kits().db.read().await?;
        Ok(run!(&mut tx, c => sqlx::query_scalar::<_, String>("SELECT kind FROM job ORDER BY id").fetch_all(c))?)
    }

    /// How many rows a table has.
    pub(crate) async fn count(&self, statement: &'static str) -> anyhow::Result<i64> {
        let mut tx = self.kits().db.read().await?;
        Ok(run!(&mut tx, c => sqlx::query_scalar::<_, i64>(statement).fetch_one(c))?)
    }

    /// Does to the database what no person can.
    pub(crate) async fn change(&self, statement: &'static str) -> anyhow::Result<()> {
        let mut tx = self.kits().db.write().await?;
        change!(&mut tx, c => sqlx::query(statement).execute(c))?;
        Ok(tx.commit().await?)
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.test.pass(Duration::from_secs(seconds));
    }

    pub(crate) fn email(text: &str) -> EmailAddress {
        text.parse().expect("an e-mail address")
    }
}
