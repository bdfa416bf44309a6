//! Listens and hands requests on. Own accept loop, because every step of a connection needs a limit.

use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::{
    Router, middleware,
    response::Response,
    routing::{get, post},
};
use gatelodge_proto::Random;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
};
use tokio_util::task::AbortOnDropHandle;

use super::{caller, consent, guard::guard, history, pages, pages::Desk};
use crate::{config::LocalPage, run::PageOrder, status::Board};

/// Browsers open half a dozen; a device has no room for many more.
const CONNECTIONS: usize = 32;
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
const CONNECTION_WITHIN: Duration = Duration::from_secs(60);
/// For whom the page does not speak to.
const TURNED_AWAY: &[u8] =
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n\
    This page is for the people of this device, not for programs in terminals of sessions.\n";
const TURNED_AWAY_WITHIN: Duration = Duration::from_secs(2);
const MAX_BODY: usize = 4 * 1024;

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

/// A served page; it ends with this.
#[derive(Debug)]
pub struct Served {
    /// Where it listens, with the port that the system chose when 0 was configured.
    pub address: SocketAddr,
    _task: AbortOnDropHandle<()>,
}

/// Serves the page, and nothing to the user whose programs run in terminals.
pub async fn serve(
    settings: &LocalPage,
    terminals: Option<String>,
    board: Board,
    orders: mpsc::Sender<PageOrder>,
    folder: &Path,
    random: &Random,
) -> Result<Served, PageError> {
    let refused = |source| PageError::Listen { address: settings.listen, source };
    let listener = TcpListener::bind(settings.listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let token = crate::hex::lower(&random.bytes::<16>());
    let task =
        tokio::spawn(accept(listener, terminals, routes(Desk { board, orders, folder: folder.to_owned(), token })));
    Ok(Served { address, _task: AbortOnDropHandle::new(task) })
}

fn routes(desk: Desk) -> Router {
    Router::new()
        .route("/", get(pages::page))
        .route("/status.json", get(pages::status))
        .route("/sessions/{session}/stop", post(pages::stop))
        .route("/history", get(history::history))
        .route("/history.jsonl", get(history::download))
        .route("/consent/allow", post(consent::allow))
        .route("/consent/refuse", post(consent::refuse))
        .route("/key", get(consent::key))
        .route("/key/confirm", post(consent::confirm))
        .route("/key/decline", post(consent::decline))
        .route("/key/forget", post(consent::forget))
        .route("/rules/take-back", post(consent::take_rules_back))
        .route("/token", get(consent::token))
        .route("/label.svg", get(pages::label))
        .route("/mark.svg", get(pages::mark))
        .route("/page.css", get(pages::style))
        .route("/page.js", get(pages::script))
        .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn(guard))
        .layer(middleware::map_response(harden))
        .with_state(desk)
}

async fn accept(listener: TcpListener, terminals: Option<String>, routes: Router) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (routes, terminals) = (routes.clone(), terminals.clone());
                tokio::spawn(async move {
                    match terminals {
                        Some(user) if caller::turned_away(&stream, &user).await => {
                            let _ = tokio::time::timeout(TURNED_AWAY_WITHIN, turn_away(stream)).await;
                        }
                        Some(_) | None => {
                            let _ = tokio::time::timeout(CONNECTION_WITHIN, connection(stream, routes)).await;
                        }
                    }
                    drop(place);
                });
            }
            // Out of file descriptors: the next moment may be better, a tight loop never is.
            Err(error) => {
                tracing::warn!(%error, "local page cannot accept");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Nothing that it says is looked at.
async fn turn_away(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(TURNED_AWAY).await?;
    stream.shutdown().await?;
    // What is not taken would be a reset, and the answer lost.
    let mut unread = [0; 1024];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

async fn connection(stream: TcpStream, routes: Router) {
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes))
        .await;
}

async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (
            "content-security-policy",
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        // With `no-referrer` browsers would call the origin of this page's own forms `null`.
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        headers.insert(name, axum::http::HeaderValue::from_static(value));
    }
    response
}
