//! The tables `user_account`, `organisation` and `membership`.

use gatelodge_proto::{OrganisationId, Timestamp, UserId, identity::EmailAddress};
use uuid::Uuid;

use super::model::{Member, Organisation, OrganisationKind, PostalAddress, Role, User};
use crate::{
    change,
    db::{DbError, Ts, Tx},
    i18n::Language,
    run,
};

#[derive(sqlx::FromRow)]
struct UserRow {
    id: Uuid,
    email: String,
    name: String,
    phone: Option<String>,
    language: String,
    password_hash: Option<String>,
    email_confirmed_at: Option<Ts>,
    disabled_at: Option<Ts>,
    sign_ins: i64,
    created_at: Ts,
}

impl TryFrom<UserRow> for User {
    type Error = DbError;
    fn try_from(row: UserRow) -> Result<Self, DbError> {
        Ok(Self {
            id: UserId::from_uuid(row.id),
            email: row.email.parse().map_err(DbError::corrupt)?,
            name: row.name,
            phone: row.phone,
            language: row.language.parse().map_err(DbError::corrupt)?,
            has_password: row.password_hash.is_some(),
            email_confirmed_at: row.email_confirmed_at.map(Timestamp::from),
            disabled_at: row.disabled_at.map(Timestamp::from),
            sign_ins: u64::try_from(row.sign_ins).unwrap_or(0),
            created_at: row.created_at.into(),
        })
    }
}

macro_rules! user {
    ($condition:literal) => {
        concat!(
            "SELECT id, email, name, phone, language, password_hash, email_confirmed_at, disabled_at, sign_ins, \
             created_at FROM user_account WHERE ",
            $condition
        )
    };
}

/// What a new user starts with.
pub(super) struct UserValues<'a> {
    pub(super) email: &'a EmailAddress,
    pub(super) name: &'a str,
    pub(super) phone: Option<&'a str>,
    pub(super) language: Language,
    pub(super) password_hash: Option<&'a str>,
    pub(super) email_confirmed_at: Option<Timestamp>,
}

pub(super) async fn insert_user(tx: &mut Tx, now: Timestamp, id: UserId, user: UserValues<'_>) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "INSERT INTO user_account \
         (id, email, email_folded, name, phone, language, password_hash, email_confirmed_at, sign_ins, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9)",
    )
    .bind(id.uuid())
    .bind(user.email.as_str())
    .bind(user.email.folded())
    .bind(user.name)
    .bind(user.phone)
    .bind(user.language.tag())
    .bind(user.password_hash)
    .bind(user.email_confirmed_at.map(Ts::from))
    .bind(Ts::from(now))
    .execute(c))?;
    Ok(())
}

pub(super) async fn user(tx: &mut Tx, id: UserId) -> Result<Option<User>, DbError> {
    run!(tx, c => sqlx::query_as::<_, UserRow>(user!("id = $1")).bind(id.uuid()).fetch_optional(c))?
        .map(User::try_from)
        .transpose()
}

/// The user with this address and their password's hash.
pub(super) async fn user_by_email(
    tx: &mut Tx,
    email: &EmailAddress,
) -> Result<Option<(User, Option<String>)>, DbError> {
    let row = run!(tx, c => sqlx::query_as::<_, UserRow>(user!("email_folded = $1"))
        .bind(email.folded())
        .fetch_optional(c))?;
    row.map(|row| {
        let hash = row.password_hash.clone();
        Ok((User::try_from(row)?, hash))
    })
    .transpose()
}

/// Sets the password of a user who received a link, which also shows that the address is theirs.
pub(super) async fn set_password(tx: &mut Tx, now: Timestamp, id: UserId, hash: &str) -> Result<u64, DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE user_account SET password_hash = $1, email_confirmed_at = COALESCE(email_confirmed_at, $2) WHERE id = $3",
    )
    .bind(hash)
    .bind(Ts::from(now))
    .bind(id.uuid())
    .execute(c))
}

pub(super) async fn set_language(tx: &mut Tx, id: UserId, language: Language) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE user_account SET language = $1 WHERE id = $2")
        .bind(language.tag())
        .bind(id.uuid())
        .execute(c))?;
    Ok(())
}

pub(super) async fn set_person(tx: &mut Tx, id: UserId, name: &str, phone: Option<&str>) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE user_account SET name = $1, phone = $2 WHERE id = $3")
        .bind(name)
        .bind(phone)
        .bind(id.uuid())
        .execute(c))?;
    Ok(())
}

/// Counts a sign-in with the password of this hash; whether it is still the user's. Holds the user's row.
pub(super) async fn count_sign_in(tx: &mut Tx, id: UserId, hash: &str) -> Result<bool, DbError> {
    let counted = change!(tx, c => sqlx::query(
        "UPDATE user_account SET sign_ins = sign_ins + 1 \
         WHERE id = $1 AND password_hash = $2 AND disabled_at IS NULL",
    )
    .bind(id.uuid())
    .bind(hash)
    .execute(c))?;
    Ok(counted == 1)
}

/// Counts a sign-in with a passkey; whether the user may sign in. Holds the user's row.
pub(super) async fn count_passkey_sign_in(tx: &mut Tx, id: UserId) -> Result<bool, DbError> {
    let counted = change!(tx, c => sqlx::query(
        "UPDATE user_account SET sign_ins = sign_ins + 1 WHERE id = $1 AND disabled_at IS NULL",
    )
    .bind(id.uuid())
    .execute(c))?;
    Ok(counted == 1)
}

/// Holds the user's row until the transaction ends, so that a new password comes wholly before or wholly after it.
pub(super) async fn lock_user(tx: &mut Tx, id: UserId) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("UPDATE user_account SET sign_ins = sign_ins WHERE id = $1")
        .bind(id.uuid())
        .execute(c))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct OrganisationRow {
    id: Uuid,
    kind: String,
    name: String,
    address: Option<String>,
    postcode: Option<String>,
    city: Option<String>,
    country: Option<String>,
    created_at: Ts,
}

impl TryFrom<OrganisationRow> for Organisation {
    type Error = DbError;
    fn try_from(row: OrganisationRow) -> Result<Self, DbError> {
        Ok(Self {
            id: OrganisationId::from_uuid(row.id),
            kind: row.kind.parse().map_err(DbError::corrupt)?,
            name: row.name,
            address: PostalAddress {
                street: row.address,
                postcode: row.postcode,
                city: row.city,
                country: row.country,
            },
            created_at: row.created_at.into(),
        })
    }
}

pub(super) async fn insert_organisation(
    tx: &mut Tx,
    now: Timestamp,
    id: OrganisationId,
    kind: OrganisationKind,
    name: &str,
    address: &PostalAddress,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "INSERT INTO organisation (id, kind, name, address, postcode, city, country, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id.uuid())
    .bind(kind.word())
    .bind(name)
    .bind(address.street.as_deref())
    .bind(address.postcode.as_deref())
    .bind(address.city.as_deref())
    .bind(address.country.as_deref())
    .bind(Ts::from(now))
    .execute(c))?;
    Ok(())
}

pub(super) async fn organisation(tx: &mut Tx, id: OrganisationId) -> Result<Option<Organisation>, DbError> {
    run!(tx, c => sqlx::query_as::<_, OrganisationRow>(
        "SELECT id, kind, name, address, postcode, city, country, created_at FROM organisation WHERE id = $1",
    )
    .bind(id.uuid())
    .fetch_optional(c))?
    .map(Organisation::try_from)
    .transpose()
}

/// Every installer, by its name.
pub(super) async fn installers(tx: &mut Tx) -> Result<Vec<(OrganisationId, String)>, DbError> {
    let rows = run!(tx, c => sqlx::query_as::<_, (Uuid, String)>(
        "SELECT id, name FROM organisation WHERE kind = 'installer' ORDER BY name, id LIMIT 5000",
    )
    .fetch_all(c))?;
    Ok(rows.into_iter().map(|(id, name)| (OrganisationId::from_uuid(id), name)).collect())
}

/// The vendor's organisation, once it is there.
pub(super) async fn vendor(tx: &mut Tx) -> Result<Option<OrganisationId>, DbError> {
    let id = run!(tx, c => sqlx::query_scalar::<_, Uuid>(
        "SELECT id FROM organisation WHERE kind = 'vendor' ORDER BY created_at, id LIMIT 1",
    )
    .fetch_optional(c))?;
    Ok(id.map(OrganisationId::from_uuid))
}

pub(super) async fn set_organisation(
    tx: &mut Tx,
    id: OrganisationId,
    name: &str,
    address: &PostalAddress,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "UPDATE organisation SET name = $1, address = $2, postcode = $3, city = $4, country = $5 WHERE id = $6",
    )
    .bind(name)
    .bind(address.street.as_deref())
    .bind(address.postcode.as_deref())
    .bind(address.city.as_deref())
    .bind(address.country.as_deref())
    .bind(id.uuid())
    .execute(c))?;
    Ok(())
}

pub(super) async fn insert_membership(
    tx: &mut Tx,
    now: Timestamp,
    user: UserId,
    organisation: OrganisationId,
    role: Role,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "INSERT INTO membership (user_id, organisation_id, role, created_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING",
    )
    .bind(user.uuid())
    .bind(organisation.uuid())
    .bind(role.word())
    .bind(Ts::from(now))
    .execute(c))?;
    Ok(())
}

/// The columns of a [`Member`], wherever a statement joins user `u`, membership `m` and organisation `o`.
#[derive(sqlx::FromRow)]
pub(super) struct MemberRow {
    user_id: Uuid,
    user_name: String,
    email: String,
    language: String,
    organisation_id: Uuid,
    organisation_name: String,
    organisation_kind: String,
    role: String,
}

/// Selects [`MemberRow`]s with `$columns` more, from `$tables` joined with user `u`, membership `m` and organisation
/// `o`. Whoever is disabled or no longer a member does not come up.
macro_rules! member_select {
    ($columns:literal, $tables:literal, $condition:literal) => {
        concat!(
            "SELECT u.id AS user_id, u.name AS user_name, u.email, u.language, o.id AS organisation_id, \
             o.name AS organisation_name, o.kind AS organisation_kind, m.role",
            $columns,
            " FROM ",
            $tables,
            " WHERE u.disabled_at IS NULL AND ",
            $condition
        )
    };
}
pub(super) use member_select;

macro_rules! membership {
    ($condition:literal) => {
        member_select!(
            "",
            "user_account u JOIN membership m ON m.user_id = u.id JOIN organisation o ON o.id = m.organisation_id",
            $condition
        )
    };
}

impl TryFrom<MemberRow> for Member {
    type Error = DbError;
    fn try_from(row: MemberRow) -> Result<Self, DbError> {
        Ok(Self {
            user_id: UserId::from_uuid(row.user_id),
            name: row.user_name,
            email: row.email.parse().map_err(DbError::corrupt)?,
            organisation_id: OrganisationId::from_uuid(row.organisation_id),
            organisation_name: row.organisation_name,
            kind: row.organisation_kind.parse().map_err(DbError::corrupt)?,
            role: row.role.parse().map_err(DbError::corrupt)?,
            language: row.language.parse().map_err(DbError::corrupt)?,
        })
    }
}

/// What a user who is not disabled is a member of, the oldest membership first.
pub(super) async fn memberships(tx: &mut Tx, user: UserId) -> Result<Vec<Member>, DbError> {
    run!(tx, c => sqlx::query_as::<_, MemberRow>(membership!("u.id = $1 ORDER BY m.created_at, o.id"))
        .bind(user.uuid())
        .fetch_all(c))?
    .into_iter()
    .map(Member::try_from)
    .collect()
}

/// A user's membership in one organisation.
pub(super) async fn member(tx: &mut Tx, user: UserId, organisation: OrganisationId) -> Result<Option<Member>, DbError> {
    run!(tx, c => sqlx::query_as::<_, MemberRow>(membership!("u.id = $1 AND o.id = $2"))
        .bind(user.uuid())
        .bind(organisation.uuid())
        .fetch_optional(c))?
    .map(Member::try_from)
    .transpose()
}

/// Everybody in an organisation who is not disabled, for mails.
pub(super) async fn members(tx: &mut Tx, organisation: OrganisationId) -> Result<Vec<Member>, DbError> {
    run!(tx, c => sqlx::query_as::<_, MemberRow>(membership!("o.id = $1 ORDER BY m.created_at, u.id"))
        .bind(organisation.uuid())
        .fetch_all(c))?
    .into_iter()
    .map(Member::try_from)
    .collect()
}
