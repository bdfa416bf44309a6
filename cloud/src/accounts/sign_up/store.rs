//! The `sign_up` table.

use std::time::Duration;

use gatelodge_proto::{Timestamp, identity::EmailAddress};
use uuid::Uuid;

use crate::{
    change,
    db::{DbError, Ts, Tx},
    i18n::Language,
    run,
};

/// Somebody who has signed up and not confirmed yet.
#[derive(Debug, Clone)]
pub(in crate::accounts) struct Waiting {
    pub(in crate::accounts) email: EmailAddress,
    pub(in crate::accounts) name: String,
    pub(in crate::accounts) company: String,
    pub(in crate::accounts) language: Language,
}

#[derive(sqlx::FromRow)]
struct Row {
    email: String,
    name: String,
    company: String,
    language: String,
}

impl TryFrom<Row> for Waiting {
    type Error = DbError;
    fn try_from(row: Row) -> Result<Self, DbError> {
        Ok(Self {
            email: row.email.parse().map_err(DbError::corrupt)?,
            name: row.name,
            company: row.company,
            language: row.language.parse().map_err(DbError::corrupt)?,
        })
    }
}

/// What nobody confirmed in this time is forgotten.
const KEPT: Duration = Duration::from_secs(7 * 86_400);

pub(super) async fn insert(tx: &mut Tx, now: Timestamp, id: Uuid, waiting: &Waiting) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("DELETE FROM sign_up WHERE created_at < $1").bind(Ts::from(now - KEPT)).execute(c))?;
    change!(tx, c => sqlx::query(
        "INSERT INTO sign_up (id, email, email_folded, name, company, language, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id)
    .bind(waiting.email.as_str())
    .bind(waiting.email.folded())
    .bind(waiting.name.as_str())
    .bind(waiting.company.as_str())
    .bind(waiting.language.tag())
    .bind(Ts::from(now))
    .execute(c))?;
    Ok(())
}

/// A sign-up that still waits.
pub(in crate::accounts) async fn waiting(tx: &mut Tx, id: Uuid) -> Result<Option<Waiting>, DbError> {
    run!(tx, c => sqlx::query_as::<_, Row>(
        "SELECT email, name, company, language FROM sign_up WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(c))?
    .map(Waiting::try_from)
    .transpose()
}

/// Forgets every sign-up of this address: one of them was confirmed.
pub(super) async fn forget(tx: &mut Tx, email: &EmailAddress) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("DELETE FROM sign_up WHERE email_folded = $1").bind(email.folded()).execute(c))?;
    Ok(())
}
