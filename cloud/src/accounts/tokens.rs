//! Links in mails: 256 random bits, of which only the SHA-256 is stored. One is used once, by one conditional UPDATE in
//! the transaction of its effect, and a newer one voids the older.

use std::{fmt, str::FromStr, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatelodge_proto::{Random, Timestamp};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    change,
    db::{DbError, Ts, Tx},
    run,
};

/// What a token is for; one made for one purpose is unknown for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// An installer's address is real; the subject is the sign-up.
    ConfirmEmail,
    /// A password may be chosen; the subject is the user.
    SetPassword,
    /// A registration may be confirmed; the subject is the registration.
    Activation,
    /// A device may be taken over by another installer; the subject is the registration that ends.
    TakeOver,
}

impl Purpose {
    const fn word(self) -> &'static str {
        match self {
            Self::ConfirmEmail => "confirm_email",
            Self::SetPassword => "set_password",
            Self::Activation => "activation",
            Self::TakeOver => "take_over",
        }
    }

    /// How long such a link lives.
    pub const fn life(self) -> Duration {
        match self {
            Self::ConfirmEmail => Duration::from_secs(24 * 3_600),
            Self::SetPassword => Duration::from_secs(30 * 60),
            Self::Activation | Self::TakeOver => Duration::from_secs(72 * 3_600),
        }
    }
}

/// 256 random bits that a link or a cookie carries.
#[derive(Clone)]
pub struct Secret(Zeroizing<[u8; 32]>);

/// The text is no such secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a link of ours: open it from the mail once more, in full")]
pub struct InvalidSecret;

impl Secret {
    /// A new one.
    pub fn make(random: &Random) -> Self {
        Self(Zeroizing::new(random.bytes()))
    }

    /// The text for the link or cookie: base64url, 43 characters.
    pub fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(*self.0)
    }

    /// What is stored.
    pub fn hash(&self) -> Vec<u8> {
        Sha256::digest(*self.0).to_vec()
    }
}

impl FromStr for Secret {
    type Err = InvalidSecret;
    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| InvalidSecret)?);
        let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| InvalidSecret)?;
        Ok(Self(Zeroizing::new(bytes)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Why a token does nothing (any more).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// Never made, or long forgotten.
    #[error("this link is not known: open it from the newest mail, in full")]
    Unknown,
    /// Its time is over.
    #[error("this link has expired: ask for a new one")]
    Expired,
    /// It has done its work.
    #[error("this link has been used already")]
    Used,
    /// A newer mail is there.
    #[error("this link was replaced by a newer one: open the newest mail")]
    Superseded,
}

/// Makes a token for `subject` and voids the ones made before for the same purpose. Of two callers at once one may get
/// an error: a subject has one live link, by a unique index.
pub async fn issue(
    tx: &mut Tx,
    now: Timestamp,
    random: &Random,
    purpose: Purpose,
    subject: Uuid,
    life: Duration,
) -> Result<Secret, DbError> {
    void(tx, now, purpose, subject).await?;
    let secret = Secret::make(random);
    change!(tx, c => sqlx::query(
        "INSERT INTO one_time_token (hash, purpose, subject_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)"
    )
    .bind(secret.hash())
    .bind(purpose.word())
    .bind(subject)
    .bind(Ts::from(now))
    .bind(Ts::from(now + life))
    .execute(c))?;
    Ok(secret)
}

/// Voids every unused token of `subject` for `purpose`.
pub async fn void(tx: &mut Tx, now: Timestamp, purpose: Purpose, subject: Uuid) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE one_time_token SET superseded_at = $1 \
         WHERE purpose = $2 AND subject_id = $3 AND used_at IS NULL AND superseded_at IS NULL"
    )
    .bind(Ts::from(now))
    .bind(purpose.word())
    .bind(subject)
    .execute(c))?;
    Ok(())
}

/// Uses the token up and gives its subject; `None` when it is unknown, used, replaced or expired ([`peek`] says which).
/// Of any number of callers at once one gets the subject. Belongs in the transaction of the token's effect.
pub async fn consume(tx: &mut Tx, now: Timestamp, purpose: Purpose, secret: &Secret) -> Result<Option<Uuid>, DbError> {
    run!(tx, c => sqlx::query_scalar::<_, Uuid>(
        "UPDATE one_time_token SET used_at = $1 \
         WHERE hash = $2 AND purpose = $3 AND used_at IS NULL AND superseded_at IS NULL AND expires_at > $1 \
         RETURNING subject_id"
    )
    .bind(Ts::from(now))
    .bind(secret.hash())
    .bind(purpose.word())
    .fetch_optional(c))
}

/// When the newest link of `subject` was made and until when it is good; `None` while its mail has not left, or when
/// it was voided.
pub async fn newest(tx: &mut Tx, purpose: Purpose, subject: Uuid) -> Result<Option<(Timestamp, Timestamp)>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, (Ts, Ts)>(
        "SELECT created_at, expires_at FROM one_time_token \
         WHERE purpose = $1 AND subject_id = $2 AND superseded_at IS NULL ORDER BY created_at DESC LIMIT 1"
    )
    .bind(purpose.word())
    .bind(subject)
    .fetch_optional(c))?;
    Ok(row.map(|(made, until)| (made.into(), until.into())))
}

#[derive(sqlx::FromRow)]
struct Row {
    subject_id: Uuid,
    expires_at: Ts,
    used_at: Option<Ts>,
    superseded_at: Option<Ts>,
}

/// Whether the token would work, and for whom, without using it up.
pub async fn peek(
    tx: &mut Tx,
    now: Timestamp,
    purpose: Purpose,
    secret: &Secret,
) -> Result<Result<Uuid, TokenRefusal>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, Row>(
        "SELECT subject_id, expires_at, used_at, superseded_at FROM one_time_token WHERE hash = $1 AND purpose = $2"
    )
    .bind(secret.hash())
    .bind(purpose.word())
    .fetch_optional(c))?;
    Ok(match row {
        None => Err(TokenRefusal::Unknown),
        Some(Row { used_at: Some(_), .. }) => Err(TokenRefusal::Used),
        Some(Row { superseded_at: Some(_), .. }) => Err(TokenRefusal::Superseded),
        Some(row) if Timestamp::from(row.expires_at) <= now => Err(TokenRefusal::Expired),
        Some(row) => Ok(row.subject_id),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_round_trip_and_show_nothing() {
        let secret = Secret::make(&Random::seeded(1));
        let text = secret.expose();
        assert_eq!(text.len(), 43);
        assert_eq!(text.parse::<Secret>().unwrap().hash(), secret.hash());
        assert_eq!(format!("{secret:?}"), "Secret");
        for bad in ["", "short", &text[1..], &format!("{text}A"), "not/base64url+at-all=======================1"] {
            assert!(bad.parse::<Secret>().is_err(), "{bad}");
        }
    }
}
