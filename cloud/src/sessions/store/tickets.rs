//! Join tickets: only hashes are here, and each is used once.

use gatelodge_proto::{SessionId, Timestamp};
use uuid::Uuid;

use crate::{
    change,
    db::{DbError, Ts, Tx, word},
    run,
    sessions::model::{Side, TICKET_LIFE, Ticket},
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
    row.map(|(session, side)| {
        let side = word(&side, Side::from_word, "side of a session")?;
        Ok((SessionId::from_uuid(session), side))
    })
    .transpose()
}

/// Forgets the tickets that were good until `before`.
pub(in crate::sessions) async fn forget_tickets(tx: &mut Tx, before: Timestamp) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("DELETE FROM join_ticket WHERE expires_at < $1").bind(Ts::from(before)).execute(c))?;
    Ok(())
}
