//! A database that real services have written, with something of everything that rules speak of.

use std::time::Duration;

use gatelodge_cloud::{
    activation::{amend, release},
    devices::service as devices,
    sessions::{
        carry::{self, Rows},
        decide, end, join,
        model::{Side, Ticket, Traffic},
        relay::{Admission as _, Report},
    },
};
use gatelodge_proto::{
    DeviceId, FlowId,
    payload::{Consent, EndReason, FlowOutcome, Happening},
};
use gatelodge_tests::{
    database::{Database, Kind},
    kits::TestKits,
};

use crate::{
    cast::{Cast, Prop},
    devices::{Key, catalogue, device, enrolled, import, names, row},
    sessions::asked,
};

/// How long the story lasts, at least.
pub(super) const LENGTH: Duration = Duration::from_secs(60);

pub(super) struct Sound {
    pub(super) database: Database,
    /// A device and the number of a report of it.
    pub(super) reported: (DeviceId, u64),
    /// A link of a mail that is still good.
    pub(super) link: String,
    /// A ticket that is still good.
    pub(super) ticket: String,
}

/// A device that is imported and has enrolled by the secret of its factory.
async fn comes(cast: &Cast, n: u8) -> Prop {
    let (kits, names) = (cast.kits(), names(n));
    import(kits, &[row(&names, "factory_secret")]).await;
    enrolled(Key::make().enrol_by_secret(kits, &names).await.unwrap());
    Prop { id: device(kits, &names).await.id, id_code: names.id_code, mac: names.mac }
}

impl Sound {
    pub(super) async fn on(kind: Kind) -> anyhow::Result<Option<Self>> {
        let Some(test) = TestKits::on(kind).await? else { return Ok(None) };
        let cast = Cast::on(test).await?;
        let kits = cast.kits();
        catalogue(kits).await;
        let (marc, vendor) = (cast.installer("marc@example.com").await?, cast.vendor().await?);

        // One device is in use, with sessions of every state.
        let villa = comes(&cast, 1).await;
        let registration = cast.registers(&marc, villa, "villa-rosa", "rosa@example.com").await?;
        let rosa = cast.confirms(registration, "rosa@example.com", Consent::Ask).await?;
        let reported = cast.reports(villa, &["panel-web", "panel-tcp"]).await?;
        let used = asked(&cast, &marc, villa).await?.id;
        decide::approve(kits, &rosa, used).await?;
        let ticket: Ticket = join::join(kits, &marc, used).await?.ticket.parse()?;
        carry::admit(kits, &ticket, Side::Technician).await?;
        Rows(kits.clone()).report(Report::Paired { session: used }).await?;
        let flow = FlowId::make(kits.now(), &kits.random);
        let outcome = FlowOutcome::Opened;
        let opened = Happening::FlowOpened { session: used, flow, target: "127.0.0.9:80".into(), outcome };
        cast.happens(villa.id, opened).await?;
        cast.pass(20);
        carry::ended(kits, used, EndReason::Technician, Traffic { up: 10, down: 20 }).await?;
        let refused = asked(&cast, &marc, villa).await?.id;
        decide::refuse(kits, &rosa, refused).await?;
        asked(&cast, &marc, villa).await?;
        let open = asked(&cast, &marc, villa).await?.id;
        decide::approve(kits, &rosa, open).await?;
        let ticket = join::join(kits, &marc, open).await?.ticket;

        // One was given back, and one is registered again after it was taken back.
        let old = comes(&cast, 2).await;
        let registration = cast.registers(&marc, old, "old-mill", "rosa@example.com").await?;
        let owner = cast.confirms(registration, "rosa@example.com", Consent::Always).await?;
        cast.reports(old, &["panel-web"]).await?;
        release::release(kits, &owner, old.id, "old-mill").await?;
        let barn = comes(&cast, 3).await;
        cast.registers(&marc, barn, "barn", "blu@example.com").await?;
        amend::cancel(kits, &marc, barn.id).await?;
        cast.pass(20);
        let registration = cast.registers(&marc, barn, "barn", "blu@example.com").await?;
        let link = cast.link(registration).await?.expose();

        // One is retired, one is enrolled and one was never heard of.
        let broken = comes(&cast, 4).await;
        devices::retire(kits, &vendor, broken.id).await?;
        comes(&cast, 5).await;
        import(kits, &[row(&names(6), "on_site_code")]).await;
        cast.pass(20);
        end::sweep(kits).await?;

        let Cast { test: TestKits { kits, database, .. }, .. } = cast;
        kits.db.close().await;
        Ok(Some(Self { database, reported: (villa.id, reported), link, ticket }))
    }
}
