//! The customer's key in the cloud: what a device that holds one is asked, and what opens with whose word; through the
//! services on both databases.

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use gatelodge_cloud::sessions::{
    decide::{self, DecideRefusal},
    end,
    extend::{self, ExtendRefusal, Given},
    join, key,
    model::hex,
    service,
};
use gatelodge_cloud::{change, db::Ts};
use gatelodge_proto::{
    DeviceId, SessionId,
    api::{ExtensionState, SessionState},
    consent::{Challenge, ConsentKind, PinId, Proof},
    grant::SignedGrant,
    payload::{Consent, EndReason, Forgot, Happening, KeptEnd, Order},
};
use gatelodge_tests::passkey::{Passkey, VERIFIED};
use serde_json::{Value, json};

use super::asked;
use crate::cast::{self, Cast};

pub(super) struct Pinned {
    pub(super) passkey: Passkey,
    pub(super) pin: PinId,
}

/// The customer's key, as the device tells of it.
pub(super) async fn pinned(cast: &Cast, device: DeviceId) -> anyhow::Result<Pinned> {
    let portal = &cast.kits().config.public_url;
    let site = portal.domain().context("the portal has a name")?;
    let passkey = Passkey::make(site, &portal.origin().ascii_serialization())?;
    let pin = PinId::make(&cast.kits().random);
    cast.happens(device, Happening::KeyPinned { pin, key: Box::new(passkey.public()?) }).await?;
    Ok(Pinned { passkey, pin })
}

/// What a browser sends when the passkey has signed what the page asked it to.
pub(super) fn signed(passkey: &Passkey, options: &Value) -> anyhow::Result<String> {
    let asked = options["publicKey"]["challenge"].as_str().context("no challenge")?;
    let made = passkey.sign(&hex(&BASE64.decode(asked)?).parse()?, VERIFIED)?;
    let response = json!({
        "authenticatorData": made.authenticator.to_string(),
        "clientDataJSON": made.client.to_string(),
        "signature": made.signature.to_string(),
    });
    Ok(json!({ "id": "AQ", "type": "public-key", "response": response }).to_string())
}

/// The drafts that the device shows, the oldest first.
async fn drafts(cast: &Cast, device: DeviceId) -> anyhow::Result<Vec<SignedGrant>> {
    let orders = cast.orders(device).await?;
    let draft = |order| if let Order::ConsentWanted { draft } = order { Some(draft) } else { None };
    Ok(orders.into_iter().filter_map(draft).collect())
}

pub(super) async fn view(cast: &Cast, id: SessionId) -> anyhow::Result<gatelodge_proto::api::SessionView> {
    let rosa = cast.user("rosa@example.com").await?;
    Ok(service::one(cast.kits(), rosa.member(), id).await?.context("no such session")?.view)
}

#[tokio::test]
async fn a_session_opens_by_the_signature_of_exactly_what_was_asked_for() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let Pinned { passkey, .. } = pinned(&cast, prop.id).await?;

        let session = asked(&cast, &marc, prop).await?;
        assert_eq!(session.state, SessionState::Waiting, "no rule of the portal's speaks for the key");
        let session = session.id;
        let draft = drafts(&cast, prop.id).await?.pop().context("the device is asked")?;
        let unsigned = decide::approve(kits, &rosa, session).await;
        assert!(matches!(unsigned, Err(DecideRefusal::Unsigned)), "{unsigned:?}");

        let options = decide::options(kits, &rosa, session).await?.context("the passkey is asked")?;
        let other = asked(&cast, &marc, prop).await?.id;
        cast.pass(60);
        let of_other = decide::options(kits, &rosa, other).await?.context("the passkey is asked")?;
        let stranger = Passkey::make("localhost", "https://localhost")?;
        for (what, credential) in [
            ("another passkey", signed(&stranger, &options)?),
            ("of another request", signed(&passkey, &of_other)?),
            ("nothing that can be read", "{}".to_owned()),
        ] {
            let refused = decide::approve_signed(kits, &rosa, session, Some(&credential)).await;
            assert!(matches!(refused, Err(DecideRefusal::NotSigned(_))), "{what}: {refused:?}");
        }
        assert_eq!(view(&cast, session).await?.state, SessionState::Waiting);

        decide::approve_signed(kits, &rosa, session, Some(&signed(&passkey, &options)?)).await?;
        let open = view(&cast, session).await?;
        assert_eq!((open.state, open.consent_kind), (SessionState::Open, Some(ConsentKind::Passkey)));
        let hour = std::time::Duration::from_secs(3600);
        assert_eq!(open.until, open.opened_at.map(|at| at + hour), "as long as was asked for, from the yes on");
        let joined = join::join(kits, &marc, session).await?;
        assert_eq!(joined.grant, draft, "to the byte what the device was shown");
        let order = cast.orders(prop.id).await?.into_iter().find_map(|order| match order {
            Order::OpenSession(order) => Some(order),
            _ => None,
        });
        let order = order.context("the device is called")?;
        let Some(Proof::Passkey { assertion }) = order.proof.as_deref() else { panic!("no proof is carried") };
        let held = key::of(kits, rosa.member(), prop.id).await?.and_then(|held| held.pinned).context("pinned")?;
        let challenge = Challenge::of_grant(&order.grant);
        assert_eq!(assertion.check(&challenge, &held.key, |_, _, _| true), Ok(()), "for this grant");

        // More time, given by a signature too. The device answers by the draft's own end, which is later than ours.
        let more = extend::give(kits, &rosa, session, 30, None).await;
        assert!(matches!(more, Err(ExtendRefusal::Unsigned)), "{more:?}");
        let options = extend::options(kits, &rosa, session, 30).await?.context("the passkey is asked")?;
        let credential = signed(&passkey, &options)?;
        let given = |minutes| Given { minutes, saw: open.until, signed: Some(&credential) };
        let longer = extend::give_signed(kits, &rosa, session, given(45)).await;
        assert!(matches!(longer, Err(ExtendRefusal::NotSigned(_))), "more than was signed: {longer:?}");
        extend::give_signed(kits, &rosa, session, given(30)).await?;
        let orders = cast.orders(prop.id).await?;
        let (grant, proof) = orders
            .into_iter()
            .find_map(|order| match order {
                Order::ExtendSession { grant, proof } => Some((grant, proof)),
                _ => None,
            })
            .context("the device is told")?;
        assert!(matches!(proof.as_deref(), Some(Proof::Passkey { .. })), "{proof:?}");
        let (was, now) = (draft.verify(&kits.pki.grant_public_key())?, grant.verify(&kits.pki.grant_public_key())?);
        assert_eq!((now.until.since(was.until), now.lifetime_s - was.lifetime_s), (hour / 2, 1800));
        let end = KeptEnd { granted: now.until, until: now.until };
        cast.happens(prop.id, Happening::SessionExtended { session, end }).await?;
        let longer = view(&cast, session).await?;
        assert_eq!(longer.until, open.until.map(|until| until + hour / 2));
        assert!(!longer.longest, "nothing was cut");
        let cut = KeptEnd { granted: now.until, until: now.until - hour / 4 };
        cast.happens(prop.id, Happening::SessionExtended { session, end: cut }).await?;
        let cut = view(&cast, session).await?;
        assert_eq!(
            (cut.until, cut.longest),
            (open.until.map(|until| until + hour / 4), true),
            "the device's own limit"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_press_on_the_device_answers_what_the_device_shows_and_nothing_else() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let early = asked(&cast, &marc, prop).await?.id;
        let shown = drafts(&cast, prop.id).await?;
        assert_eq!(shown.len(), 1, "a press answers also where no key is pinned");
        let Pinned { pin, .. } = pinned(&cast, prop.id).await?;
        let draft = drafts(&cast, prop.id).await?.pop().context("whoever waits since before is shown")?;
        assert_eq!(drafts(&cast, prop.id).await?, [shown, vec![draft.clone()]].concat(), "once more, under the key");
        let press = async |session, draft: &SignedGrant, allowed| {
            let draft = Challenge::of_grant(draft);
            cast.happens(prop.id, Happening::ConsentPressed { session, draft, allowed }).await
        };
        cast.pass(1);
        let another: SignedGrant = "e30.AA".parse()?;
        press(early, &another, true).await?;
        assert_eq!(view(&cast, early).await?.state, SessionState::Waiting, "an old draft allows nothing");
        assert_eq!(drafts(&cast, prop.id).await?, vec![draft.clone(); 3], "and is shown anew");
        press(early, &draft, true).await?;
        let open = view(&cast, early).await?;
        assert_eq!((open.state, open.consent_kind), (SessionState::Open, Some(ConsentKind::Pressed)));
        assert_eq!(join::join(kits, &marc, early).await?.grant, draft);

        end::sweep(kits).await?;
        assert_eq!(view(&cast, early).await?.state, SessionState::Open, "a press is a person's word, and stands");

        // More time is asked for, and answered there.
        cast.pass(1);
        extend::ask(kits, &marc, early, 30).await?;
        let longer = drafts(&cast, prop.id).await?.pop().context("the device is asked")?;
        assert_ne!(longer, draft);
        press(early, &longer, true).await?;
        let given = view(&cast, early).await?;
        assert_eq!(given.until, open.until.map(|until| until + std::time::Duration::from_secs(1800)));
        press(early, &longer, true).await?;
        assert_eq!(view(&cast, early).await?.until, given.until, "pressed twice, given once");
        cast.pass(1);
        extend::ask(kits, &marc, early, 60).await?;
        let longer = drafts(&cast, prop.id).await?.pop().context("the device is asked")?;
        press(early, &longer, false).await?;
        let wish = view(&cast, early).await?.extension.map(|wish| wish.state);
        assert_eq!(wish, Some(ExtensionState::Declined));

        cast.pass(1);
        let refused = asked(&cast, &marc, prop).await?.id;
        let draft = drafts(&cast, prop.id).await?.pop().context("the device is asked")?;
        press(refused, &draft, false).await?;
        assert_eq!(view(&cast, refused).await?.state, SessionState::Refused);
        press(refused, &draft, true).await?;
        assert_eq!(view(&cast, refused).await?.state, SessionState::Refused, "no press comes back");

        // Whatever is answered here is taken off the device; and without the key the portal's word is enough again.
        cast.pass(1);
        let stopped = asked(&cast, &marc, prop).await?.id;
        end::stop_by_technician(kits, &marc, stopped).await?;
        let gone = |order: &Order| matches!(order, Order::ConsentGone { session } if *session == stopped);
        assert!(cast.orders(prop.id).await?.iter().any(gone));
        let foreign = PinId::make(&kits.random);
        cast.happens(prop.id, Happening::KeyForgotten { pin: foreign, by: Forgot::Device }).await?;
        cast.pass(1);
        let waits = asked(&cast, &marc, prop).await?.id;
        assert!(matches!(decide::approve(kits, &rosa, waits).await, Err(DecideRefusal::Unsigned)), "another pinning");
        cast.happens(prop.id, Happening::KeyForgotten { pin, by: Forgot::Device }).await?;
        decide::approve(kits, &rosa, waits).await?;
        assert_eq!(view(&cast, waits).await?.consent_kind, Some(ConsentKind::Cloud));

        // A no at the device to what was allowed in the portal a moment before, and nobody has joined: it ends.
        cast.pass(1);
        let both = asked(&cast, &marc, prop).await?.id;
        let draft = drafts(&cast, prop.id).await?.pop().context("the device is asked")?;
        decide::approve(kits, &rosa, both).await?;
        let gone = |order: &Order| matches!(order, Order::ConsentGone { session } if *session == both);
        assert!(cast.orders(prop.id).await?.iter().any(gone), "the device asks nobody any more");
        press(both, &draft, false).await?;
        let ended = view(&cast, both).await?;
        assert_eq!((ended.state, ended.end_reason), (SessionState::Ended, Some(EndReason::Device)));

        let history = cast.history(rosa.member().organisation_id, prop.id).await?;
        for what in ["key_pinned", "session_refused_on_device", "key_forgotten"] {
            assert_eq!(history.iter().filter(|row| *row == what).count(), 1, "{what}: {history:?}");
        }
        let mails = cast.jobs().await?.into_iter().filter(|kind| kind == "sessions.mail_key").count();
        assert_eq!(mails, 2, "the customer hears that a key came, and that it is gone");
    }
    Ok(())
}

#[tokio::test]
async fn nobody_elses_device_has_a_key_to_look_at_or_to_sign_for() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, _) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let (_, paul) = cast.active(&marc, "villa-paul", "paul@example.com", Consent::Ask).await?;
        pinned(&cast, prop.id).await?;
        let session = asked(&cast, &marc, prop).await?.id;
        assert_eq!(key::of(kits, paul.member(), prop.id).await?, None);
        for refused in [
            key::begin(kits, &paul, prop.id, "mine").await.map(drop),
            key::begin_release(kits, &paul, prop.id).await.map(drop),
            key::release(kits, &paul, prop.id, "{}").await,
        ] {
            assert!(matches!(refused, Err(key::KeyRefusal::Unknown)), "{refused:?}");
        }
        assert!(matches!(decide::options(kits, &paul, session).await, Err(DecideRefusal::Unknown)));
        assert!(matches!(extend::options(kits, &paul, session, 5).await, Err(ExtendRefusal::Unknown)));
    }
    Ok(())
}

#[tokio::test]
async fn a_key_that_a_former_owner_offered_is_no_business_of_the_next() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let (_, paul) = cast.active(&marc, "villa-paul", "paul@example.com", Consent::Ask).await?;
        for (by, shown) in [(&rosa, true), (&paul, false)] {
            let public = Passkey::make("localhost", "https://localhost")?.public()?;
            let mut tx = cast.kits().db.write().await?;
            change!(&mut tx, c => sqlx::query("DELETE FROM device_key").execute(c))?;
            change!(&mut tx, c => sqlx::query(
                "INSERT INTO device_key (device_id, offered, offered_by, offered_at) VALUES ($1, $2, $3, $4)",
            )
            .bind(prop.id.uuid())
            .bind(sqlx::types::Json(&public))
            .bind(by.member().user_id.uuid())
            .bind(Ts::from(cast.kits().now()))
            .execute(c))?;
            tx.commit().await?;
            let held = key::of(cast.kits(), rosa.member(), prop.id).await?.context("it is hers")?;
            assert_eq!(held.offered.is_some(), shown);
        }
    }
    Ok(())
}
