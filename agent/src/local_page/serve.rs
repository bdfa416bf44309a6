//! Listens and answers.

use std::{io, net::SocketAddr};

use gatelodge_proto::Random;
use tokio::sync::mpsc;

use crate::{config::LocalPage, run::PageOrder, status::Board};

/// The page cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The address is taken or not ours.
    #[error("the local page cannot listen on {address}: {source}")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

impl PageError {
    /// What to do about it.
    pub const fn next_step(&self) -> &'static str {
        "stop what listens there, or set local_page.listen to another port"
    }
}

/// Serves until the returned guard is dropped.
pub async fn serve(
    settings: &LocalPage,
    board: Board,
    orders: mpsc::Sender<PageOrder>,
    random: &Random,
) -> Result<tokio_util::task::AbortOnDropHandle<()>, PageError> {
    let address = settings.listen;
    let listener =
        tokio::net::TcpListener::bind(address).await.map_err(|source| PageError::Listen { address, source })?;
    let _ = (board, orders, random);
    let app = axum::Router::new();
    Ok(tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move {
        let _ = axum::serve(listener, app).await;
    })))
}
