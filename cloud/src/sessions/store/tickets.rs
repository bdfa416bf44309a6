//! Join tickets, each used once, and the pledges by which an end comes again. Only hashes are here.

use gatelodge_proto::{DeviceId, OrganisationId, SessionId, Timestamp};
use uuid::Uuid;

use crate::{
    change,
    db::{DbError, Ts, Tx, word},
    run,
    sessions::model::{Credential, Pledge, Recorded, Side, TICKET_LIFE, Ticket},
};

/// Remembers a ticket that is about to be handed out.
pub(in crate::sessions) async fn insert_ticket(
    tx: &mut Tx,
    now: Timestamp,
    session: SessionId,
    side: Side,
    ticket: &Ticket,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("INSERT INTO join_ticket (hash, session_id, role, expires_at) VALUES ($1, $2, $3, $4)")
        .bind(ticket.hash())
        .bind(session.uuid())
        .bind(side.word())
        .bind(Ts::from(now + TICKET_LIFE))
        .execute(c))?;
    Ok(())
}

/// Uses a ticket up. Of any number of callers at once one gets the session and the side.
pub(in crate::sessions) async fn take_ticket(
    tx: &mut Tx,
    now: Timestamp,
    ticket: &Ticket,
) -> Result<Option<(SessionId, Side)>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, (Uuid, String)>(
        "UPDATE join_ticket SET used_at = $1 WHERE hash = $2 AND used_at IS NULL AND expires_at > $1 \
         RETURNING session_id, role",
    )
    .bind(Ts::from(now))
    .bind(ticket.hash())
    .fetch_optional(c))?;
    row.map(of_row).transpose()
}

fn of_row((session, side): (Uuid, String)) -> Result<(SessionId, Side), DbError> {
    Ok((SessionId::from_uuid(session), word(&side, Side::from_word, "side of a session")?))
}

/// Remembers with what this end of the session comes again; an earlier pledge of it is worth nothing from here on.
pub(in crate::sessions) async fn keep_pledge(
    tx: &mut Tx,
    session: SessionId,
    side: Side,
    pledge: &Pledge,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "INSERT INTO join_pledge (session_id, role, hash) VALUES ($1, $2, $3) \
         ON CONFLICT (session_id, role) DO UPDATE SET hash = excluded.hash",
    )
    .bind(session.uuid())
    .bind(side.word())
    .bind(pledge.hash())
    .execute(c))?;
    Ok(())
}

/// Whose pledge this is.
pub(in crate::sessions) async fn pledged(tx: &mut Tx, pledge: &Pledge) -> Result<Option<(SessionId, Side)>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, (Uuid, String)>(
        "SELECT session_id, role FROM join_pledge WHERE hash = $1",
    )
    .bind(pledge.hash())
    .fetch_optional(c))?;
    row.map(of_row).transpose()
}

/// Remembers for what the recordings of a session will be taken.
pub(in crate::sessions) async fn insert_credential(
    tx: &mut Tx,
    now: Timestamp,
    session: SessionId,
    credential: &Credential,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("INSERT INTO recording_credential (hash, session_id, issued_at) VALUES ($1, $2, $3)")
        .bind(credential.hash())
        .bind(session.uuid())
        .bind(Ts::from(now))
        .execute(c))?;
    Ok(())
}

/// The session whose recordings this credential is for.
pub(in crate::sessions) async fn recorded(tx: &mut Tx, credential: &Credential) -> Result<Option<Recorded>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, (Uuid, Uuid, Uuid, Uuid)>(
        "SELECT s.id, s.device_id, s.installer_id, s.customer_id FROM recording_credential c \
         JOIN remote_session s ON s.id = c.session_id WHERE c.hash = $1",
    )
    .bind(credential.hash())
    .fetch_optional(c))?;
    Ok(row.map(|(session, device, installer, customer)| Recorded {
        session: SessionId::from_uuid(session),
        device: DeviceId::from_uuid(device),
        installer: OrganisationId::from_uuid(installer),
        customer: OrganisationId::from_uuid(customer),
    }))
}

/// Forgets the credentials that were issued before then.
pub(in crate::sessions) async fn forget_credentials(tx: &mut Tx, before: Timestamp) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("DELETE FROM recording_credential WHERE issued_at < $1")
        .bind(Ts::from(before))
        .execute(c))?;
    Ok(())
}

/// Forgets the pledges of sessions that ended before then.
pub(in crate::sessions) async fn forget_pledges(tx: &mut Tx, before: Timestamp) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "DELETE FROM join_pledge WHERE session_id IN (SELECT id FROM remote_session WHERE ended_at < $1)",
    )
    .bind(Ts::from(before))
    .execute(c))?;
    Ok(())
}

/// Forgets the tickets that were good until `before`.
pub(in crate::sessions) async fn forget_tickets(tx: &mut Tx, before: Timestamp) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("DELETE FROM join_ticket WHERE expires_at < $1").bind(Ts::from(before)).execute(c))?;
    Ok(())
}
