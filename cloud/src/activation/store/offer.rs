//! Whom the customer has asked to take over as installer, and the change itself.

use gatelodge_proto::{RegistrationId, Timestamp, UserId, identity::EmailAddress};

use crate::{
    activation::{
        machine::{Active, Ended, Registration},
        model::{Offered, State},
    },
    change,
    db::{DbError, Ts, Tx},
    run,
};

/// Writes whom the link goes to; an address from before is forgotten.
pub(in crate::activation) async fn offer(
    tx: &mut Tx,
    id: RegistrationId,
    to: &EmailAddress,
    now: Timestamp,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE registration SET offered_to = $2, offered_at = $3 WHERE id = $1 AND state = 'active'",
    )
    .bind(id.uuid())
    .bind(to.as_str())
    .bind(Ts::from(now))
    .execute(c))?;
    Ok(())
}

/// Forgets whom the link went to.
pub(in crate::activation) async fn withdraw(tx: &mut Tx, id: RegistrationId) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE registration SET offered_to = NULL, offered_at = NULL WHERE id = $1")
        .bind(id.uuid())
        .execute(c))?;
    Ok(())
}

/// Whom the link went to, while nobody has followed it.
pub(in crate::activation) async fn offered(tx: &mut Tx, id: RegistrationId) -> Result<Option<Offered>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, (Option<String>, Option<Ts>)>(
        "SELECT offered_to, offered_at FROM registration WHERE id = $1 AND state = 'active'",
    )
    .bind(id.uuid())
    .fetch_optional(c))?;
    let Some((Some(to), Some(at))) = row else { return Ok(None) };
    Ok(Some(Offered { to: to.parse().map_err(DbError::corrupt)?, at: at.into() }))
}

/// Ends the one registration and writes the other, whose customer and data are the same. Gives `false`, and has changed
/// nothing, when the one has ended already, or nobody is asked any more.
pub(in crate::activation) async fn hand_over(
    tx: &mut Tx,
    ended: &Registration<Ended>,
    active: &Registration<Active>,
    by: UserId,
) -> Result<bool, DbError> {
    let changed = change!(tx, c => sqlx::query(
        "UPDATE registration SET state = $2, ended_at = $3, offered_to = NULL, offered_at = NULL \
         WHERE id = $1 AND state = 'active' AND offered_to IS NOT NULL",
    )
    .bind(ended.tie.id.uuid())
    .bind(State::from(ended.state.how).word())
    .bind(Ts::from(ended.state.at))
    .execute(c))?;
    if changed != 1 {
        return Ok(false);
    }
    change!(tx, c => sqlx::query(
        "INSERT INTO registration (id, device_id, epoch, installer_id, registered_by, web_address, customer_email, \
         customer_email_folded, customer_user_id, customer_data, customer_id, consent, state, registered_at, activated_at) \
         SELECT $2, device_id, epoch, $3, $4, web_address, customer_email, customer_email_folded, customer_user_id, \
         customer_data, customer_id, $5, $6, $7, $8 FROM registration WHERE id = $1",
    )
    .bind(ended.tie.id.uuid())
    .bind(active.tie.id.uuid())
    .bind(active.tie.installer.uuid())
    .bind(by.uuid())
    .bind(active.state.consent.word())
    .bind(State::Active.word())
    .bind(Ts::from(active.tie.registered_at))
    .bind(Ts::from(active.state.since))
    .execute(c))?;
    Ok(true)
}
