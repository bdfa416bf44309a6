//! Revocation on an external broker: the list of certificates that let nobody in, as a file. The embedded endpoint asks
//! the allow-list at each connection and needs none.

use super::store;
use crate::{config::Endpoint, db::DbError, kits::Kits, pki::PkiError};

/// Why the list was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListError {
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The file.
    #[error(transparent)]
    Pki(#[from] PkiError),
}

/// Brings the revocation list up to date where a broker of somebody else reads it.
pub(super) async fn list(kits: &Kits) -> Result<(), ListError> {
    if kits.config.mqtt.endpoint == Endpoint::Embedded {
        return Ok(());
    }
    let now = kits.now();
    // Held while the file is written, so that an older list never takes the place of a newer one.
    let mut tx = kits.db.write().await?;
    let ended = store::certificates::ended(&mut tx, now).await?;
    if kits.pki.write_revocations(&ended, now)? {
        tracing::info!(certificates = ended.len(), "the revocation list is written");
    }
    tx.commit().await?;
    Ok(())
}
