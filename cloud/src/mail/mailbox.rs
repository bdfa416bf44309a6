//! The built-in mailbox: the `mailbox_message` table, read by the vendor.

use gatelodge_proto::Timestamp;
use uuid::Uuid;

use super::Message;
use crate::{
    change,
    db::{Db, DbError, Ts, Tx},
    run,
};

/// A mail in the mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its id, in time order.
    pub id: Uuid,
    /// When it was handed over.
    pub at: Timestamp,
    /// To whom.
    pub recipient: String,
    /// What it is about.
    pub subject: String,
    /// Its HTML.
    pub html: String,
    /// Its plain text.
    pub plain: String,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    at: Ts,
    recipient: String,
    subject: String,
    html: String,
    plain: String,
}

impl From<Row> for Kept {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            at: row.at.into(),
            recipient: row.recipient,
            subject: row.subject,
            html: row.html,
            plain: row.plain,
        }
    }
}

/// Keeps a mail; one that is there already (handed over again after a crash) is replaced, as its link is newer.
pub(super) async fn keep(db: &Db, now: Timestamp, message: Message) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    change!(&mut tx, c => sqlx::query(
        "INSERT INTO mailbox_message (id, at, recipient, recipient_folded, subject, html, plain) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (id) DO UPDATE SET at = $2, subject = $5, html = $6, plain = $7",
    )
    .bind(message.message_id)
    .bind(Ts::from(now))
    .bind(message.to.as_str())
    .bind(message.to.folded())
    .bind(message.subject.as_str())
    .bind(message.html.as_str())
    .bind(message.plain.as_str())
    .execute(c))?;
    tx.commit().await
}

/// The newest mails, before the mail `before` when given; only those to an address with this part when given.
pub async fn list(tx: &mut Tx, to: Option<&str>, before: Option<Uuid>, limit: i64) -> Result<Vec<Kept>, DbError> {
    let wanted = to.unwrap_or_default().trim().to_ascii_lowercase();
    let rows = run!(tx, c => sqlx::query_as::<_, Row>(
        "SELECT id, at, recipient, subject, html, plain FROM mailbox_message \
         WHERE id < $1 AND ($2 OR recipient_folded LIKE $3 ESCAPE '!') ORDER BY id DESC LIMIT $4",
    )
    .bind(before.unwrap_or(Uuid::max()))
    .bind(wanted.is_empty())
    .bind(containing(&wanted))
    .bind(limit)
    .fetch_all(c))?;
    Ok(rows.into_iter().map(Kept::from).collect())
}

fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern + "%"
}

/// One mail.
pub async fn read(tx: &mut Tx, id: Uuid) -> Result<Option<Kept>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, Row>(
        "SELECT id, at, recipient, subject, html, plain FROM mailbox_message WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(c))?;
    Ok(row.map(Kept::from))
}
