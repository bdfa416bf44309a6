//! Reads the audit trail back and says where its chains are broken. Changes nothing.

use futures_util::TryStreamExt as _;
use gatelodge_proto::Timestamp;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use super::chain::{self, Facts};
use crate::{
    db::{DbError, Ts, Tx},
    run,
};

/// What comes by while the trail is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// One more row.
    Row,
    /// A chain is broken here; the rest of it is not looked at.
    Broken(Broken),
}

/// The first broken link of one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The device or user whose chain it is; nil for what the cloud itself did.
    pub chain: Uuid,
    /// The row, or the last one there is when the end is missing.
    pub row: Option<Uuid>,
    /// When that row was written.
    pub at: Option<Timestamp>,
    /// What is wrong.
    pub fault: ChainFault,
}

/// What is wrong with a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    /// Hash and facts do not fit.
    #[error("this row was changed after it was written: what happened, when, to what or by whom may be false")]
    Changed,
    /// The salted hash of name and details does not fit.
    #[error("the name or the details of this row were changed after it was written")]
    WordsChanged,
    /// A place is left out.
    #[error("rows were removed before this one")]
    Gap,
    /// The chain is longer than its rows.
    #[error("rows were removed from the end of this history")]
    Cut,
    /// The head holds another hash.
    #[error("the end of this history was written over")]
    OtherEnd,
    /// Not one row is left.
    #[error("all rows of this history were removed")]
    Emptied,
    /// A row beyond the end, or of no chain.
    #[error("this row was put in by something else than the cloud")]
    Stray,
}

impl ChainFault {
    /// What to do about any of them.
    pub const NEXT: &'static str = "find out who could write to the database, and compare with the newest backup in which `doctor audit` finds nothing";
}

/// How much was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Length {
    /// Rows.
    pub rows: u64,
    /// Chains.
    pub chains: u64,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    at: Ts,
    actor_kind: String,
    actor_id: Option<Uuid>,
    actor_name: String,
    what: String,
    device_id: Option<Uuid>,
    session_id: Option<Uuid>,
    details: Json<Value>,
    chain: Uuid,
    place: i64,
    hash: Vec<u8>,
    salt: Option<Vec<u8>>,
    words: Vec<u8>,
    length: Option<i64>,
    head: Option<Vec<u8>>,
}

impl Row {
    fn fault(&self, before: &[u8], place: i64) -> Option<ChainFault> {
        let Some(length) = self.length else { return Some(ChainFault::Stray) };
        if self.place > length || self.place < 1 {
            return Some(ChainFault::Stray);
        }
        if self.place != place {
            return Some(ChainFault::Gap);
        }
        let facts = Facts {
            chain: self.chain,
            place: self.place,
            id: self.id,
            at: self.at.0,
            actor_kind: &self.actor_kind,
            actor: self.actor_id,
            what: &self.what,
            device: self.device_id,
            session: self.session_id,
            words: &self.words,
        };
        if chain::link(before, &facts).as_slice() != self.hash {
            return Some(ChainFault::Changed);
        }
        let whole = match &self.salt {
            Some(salt) => chain::words(salt, &self.actor_name, &self.details).as_slice() == self.words,
            // Without its salt a row's words were erased: there are none.
            None => self.actor_name.is_empty() && *self.details == json!({}),
        };
        (!whole).then_some(ChainFault::WordsChanged)
    }
}

/// Where the reading stands in one chain.
struct Walk {
    chain: Uuid,
    place: i64,
    length: i64,
    hash: Vec<u8>,
    head: Vec<u8>,
    last: Option<(Uuid, Timestamp)>,
    broken: bool,
}

impl Walk {
    fn begin(row: &Row) -> Self {
        Self {
            chain: row.chain,
            place: 0,
            length: row.length.unwrap_or(0),
            hash: chain::START.to_vec(),
            head: row.head.clone().unwrap_or_default(),
            last: None,
            broken: false,
        }
    }

    fn step(&mut self, row: &Row) -> Option<Broken> {
        if self.broken {
            return None;
        }
        let at = Timestamp::from(row.at);
        if let Some(fault) = row.fault(&self.hash, self.place + 1) {
            self.broken = true;
            return Some(Broken { chain: self.chain, row: Some(row.id), at: Some(at), fault });
        }
        self.place = row.place;
        self.hash.clone_from(&row.hash);
        self.last = Some((row.id, at));
        None
    }

    fn end(&self) -> Option<Broken> {
        let fault = if self.broken {
            return None;
        } else if self.place < self.length {
            ChainFault::Cut
        } else if self.hash != self.head {
            ChainFault::OtherEnd
        } else {
            return None;
        };
        let (row, at) = self.last.unzip();
        Some(Broken { chain: self.chain, row, at, fault })
    }
}

/// Reads every chain from its first row to its last, in a [snapshot](crate::db::Db::snapshot), and tells what it sees.
pub async fn verify(tx: &mut Tx, mut tell: impl FnMut(Seen)) -> Result<Length, DbError> {
    let mut length = Length::default();
    let mut walk: Option<Walk> = None;
    run!(tx, c => async {
        let mut rows = sqlx::query_as::<_, Row>(
            "SELECT a.id, a.at, a.actor_kind, a.actor_id, a.actor_name, a.what, a.device_id, a.session_id, a.details, \
             a.chain, a.place, a.hash, a.salt, a.words, c.length, c.head \
             FROM audit_row a LEFT JOIN audit_chain c ON c.id = a.chain ORDER BY a.chain, a.place",
        )
        .fetch(c);
        while let Some(row) = rows.try_next().await? {
            if walk.as_ref().is_none_or(|walk| walk.chain != row.chain) {
                if let Some(broken) = walk.as_ref().and_then(Walk::end) {
                    tell(Seen::Broken(broken));
                }
                length.chains += 1;
                walk = Some(Walk::begin(&row));
            }
            length.rows += 1;
            tell(Seen::Row);
            if let Some(broken) = walk.as_mut().and_then(|walk| walk.step(&row)) {
                tell(Seen::Broken(broken));
            }
        }
        Ok::<_, sqlx::Error>(())
    })?;
    if let Some(broken) = walk.as_ref().and_then(Walk::end) {
        tell(Seen::Broken(broken));
    }
    let emptied = run!(tx, c => sqlx::query_scalar::<_, Uuid>(
        "SELECT c.id FROM audit_chain c WHERE c.length > 0 \
         AND NOT EXISTS (SELECT 1 FROM audit_row a WHERE a.chain = c.id) ORDER BY c.id LIMIT 1000",
    )
    .fetch_all(c))?;
    for chain in emptied {
        length.chains += 1;
        tell(Seen::Broken(Broken { chain, row: None, at: None, fault: ChainFault::Emptied }));
    }
    Ok(length)
}
