//! Connections that are not for the server itself: told apart by the name in a browser's TLS greeting (RFC 6066), before
//! any of it is answered, and handed on byte by byte.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures_util::future::BoxFuture;
use gatelodge_proto::web::Duplex;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// A greeting is not longer; those of browsers have 2 KiB.
const LONGEST: usize = 32 * 1024;
/// A fatal `unrecognized_name` (RFC 8446 section 6.2), as it is said before anything is agreed.
pub(super) const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// Who takes a connection.
pub enum Taker {
    /// The server itself.
    Here,
    /// Nobody has that name.
    Nobody,
    /// Somebody else, with all its bytes.
    Other(Carry),
}

/// Carries a connection to its end.
pub type Carry = Box<dyn FnOnce(Box<dyn Duplex>) -> BoxFuture<'static, ()> + Send>;

/// Says who takes connections for a name.
#[derive(Clone)]
pub struct ByName(Arc<dyn Fn(&str) -> Taker + Send + Sync>);

impl ByName {
    /// By this rule.
    pub fn new(rule: impl Fn(&str) -> Taker + Send + Sync + 'static) -> Self {
        Self(Arc::new(rule))
    }

    pub(super) fn taker(&self, name: Option<&str>) -> Taker {
        name.map_or(Taker::Here, |name| (self.0)(name))
    }
}

impl fmt::Debug for ByName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByName")
    }
}

/// Reads a connection's greeting: its bytes, and the name in it. What is no greeting has no name.
pub(super) async fn greeting(io: &mut (impl AsyncRead + Unpin)) -> io::Result<(Bytes, Option<String>)> {
    let (mut acceptor, mut heard) = (Acceptor::default(), BytesMut::with_capacity(2048));
    loop {
        let before = heard.len();
        if before >= LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a TLS greeting is too long"));
        }
        if io.read_buf(&mut (&mut heard).limit(LONGEST - before)).await? == 0 {
            return Ok((heard.freeze(), None));
        }
        let mut fresh = &heard[before..];
        while !fresh.is_empty() {
            acceptor.read_tls(&mut fresh)?;
            match acceptor.accept() {
                Ok(Some(accepted)) => {
                    let name = accepted.client_hello().server_name().map(ToOwned::to_owned);
                    return Ok((heard.freeze(), name));
                }
                Ok(None) => {}
                // Whoever answers says what is wrong with it.
                Err(_) => return Ok((heard.freeze(), None)),
            }
        }
    }
}

/// A connection of which the first bytes were read already.
pub(super) struct Replayed<T> {
    pub(super) first: Bytes,
    pub(super) io: T,
}

impl<T: AsyncRead + Unpin> AsyncRead for Replayed<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buffer);
        }
        let taken = self.first.len().min(buffer.remaining());
        buffer.put_slice(&self.first[..taken]);
        self.first.advance(taken);
        if self.first.is_empty() {
            self.first = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Replayed<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    fn hello(name: &str) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let name = rustls_pki_types::ServerName::try_from(name.to_owned()).unwrap();
        let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        bytes
    }

    async fn heard(pieces: &[&[u8]]) -> io::Result<(Bytes, Option<String>)> {
        let (mut browser, mut server) = tokio::io::duplex(1 << 20);
        let pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.to_vec()).collect();
        let saying = tokio::spawn(async move {
            for piece in pieces {
                let _ = browser.write_all(&piece).await;
                tokio::task::yield_now().await;
            }
        });
        let heard = greeting(&mut server).await;
        saying.await.unwrap();
        heard
    }

    #[tokio::test]
    async fn a_name_is_found_however_the_greeting_is_cut_and_no_byte_is_lost() {
        let hello = hello("b-x.web.example");
        let name = Some("b-x.web.example".to_owned());
        for step in [1, 5, 100, hello.len()] {
            let pieces: Vec<&[u8]> = hello.chunks(step).collect();
            let (first, found) = heard(&pieces).await.unwrap();
            assert_eq!((found, &*first), (name.clone(), &*hello), "{step}");
        }
        let (first, found) = heard(&[&hello, b"more"]).await.unwrap();
        assert!(found == name && first.starts_with(&hello));
        let mut replayed = Replayed { first, io: &b"the rest"[..] };
        let mut all = Vec::new();
        replayed.read_to_end(&mut all).await.unwrap();
        assert!(all.starts_with(&hello) && all.ends_with(b"the rest"));
    }

    #[tokio::test]
    async fn what_is_no_greeting_has_no_name_and_none_is_held_for_ever() {
        for other in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"", b"\x16\x03\x01\x00"] {
            let (first, name) = heard(&[other]).await.unwrap();
            assert_eq!((&*first, name), (other, None));
        }
        // Records of a greeting that says it has 65,535 bytes.
        let mut endless = vec![22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff];
        endless.resize(5 + 0x4000, 0);
        for _ in 0..3 {
            endless.extend([22, 3, 1, 0x40, 0]);
            endless.resize(endless.len() + 0x4000, 0);
        }
        assert!(heard(&[&endless]).await.is_err());
    }
}
