//! A leg's connection, whichever way it was upgraded: a web socket, or raw frames.

use std::io;

use axum::{
    body::Body,
    extract::ws::{Message, WebSocket},
    http::{
        Method, StatusCode, Version,
        header::{CONNECTION, UPGRADE},
    },
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _, future::ready};
use gatelodge_proto::session::carrier::{PROTOCOL, Piece, Raw};
use http::Request;
use hyper_util::rt::TokioIo;

/// What came from an end.
pub(super) enum Arrived {
    /// A frame.
    Frame(Bytes),
    /// A word that no end says.
    Foreign,
    /// The end closed in order.
    Closed,
    /// The connection is gone.
    Lost,
}

/// To an end.
pub(super) trait Outward: Sink<Bytes, Error = io::Error> + Unpin + Send {}
impl<S: Sink<Bytes, Error = io::Error> + Unpin + Send> Outward for S {}

/// From an end.
pub(super) trait Inward: Stream<Item = Arrived> + Unpin + Send {}
impl<S: Stream<Item = Arrived> + Unpin + Send> Inward for S {}

/// A web socket's two directions.
pub(super) fn of_web_socket(socket: WebSocket) -> (impl Outward, impl Inward) {
    let (sink, source) = socket.split();
    let sink = sink.with(|frame| ready(Ok::<_, axum::Error>(Message::Binary(frame)))).sink_map_err(io::Error::other);
    let source = source.filter_map(|message| {
        ready(match message {
            Ok(Message::Binary(frame)) => Some(Arrived::Frame(frame)),
            Ok(Message::Ping(_) | Message::Pong(_)) => None,
            Ok(Message::Text(_)) => Some(Arrived::Foreign),
            Ok(Message::Close(_)) => Some(Arrived::Closed),
            Err(_) => Some(Arrived::Lost),
        })
    });
    (sink, source)
}

/// The two directions of a connection that is raw from now on.
pub(super) fn of_raw(connection: hyper::upgrade::Upgraded) -> (impl Outward, impl Inward) {
    let (sink, source) = Raw::new(TokioIo::new(connection)).split();
    let source = source.map(|piece| match piece {
        Ok(Piece::Frame(frame)) => Arrived::Frame(frame),
        Ok(Piece::Closed) => Arrived::Closed,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Arrived::Foreign,
        Err(_) => Arrived::Lost,
    });
    (sink, source)
}

/// Whether the connection is to become raw.
pub(super) fn wants_raw(request: &Request<Body>) -> bool {
    let says = |name, word: &str| {
        let values = request.headers().get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case(word))
    };
    // Without `Connection` it may be a proxy that passes on what it does not know (RFC 9110 section 7.8).
    request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && says(CONNECTION, "upgrade")
        && says(UPGRADE, PROTOCOL)
}

/// That it does.
pub(super) fn switching() -> Response {
    (StatusCode::SWITCHING_PROTOCOLS, [(CONNECTION, "upgrade"), (UPGRADE, PROTOCOL)]).into_response()
}
