//! MQTT 5 as bytes on a TLS connection, for what no well-behaved client would send or look at.

use std::sync::Arc;

use anyhow::Context as _;
use rustls::{ClientConfig, HandshakeKind};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Packet types as the first byte carries them (MQTT 5 section 2.1.2), with the flags that the protocol demands.
pub mod first {
    /// CONNECT.
    pub const CONNECT: u8 = 0x10;
    /// CONNACK.
    pub const CONNACK: u8 = 0x20;
    /// PUBLISH with QoS 1.
    pub const PUBLISH: u8 = 0x32;
    /// PUBACK.
    pub const PUBACK: u8 = 0x40;
    /// SUBSCRIBE.
    pub const SUBSCRIBE: u8 = 0x82;
    /// SUBACK.
    pub const SUBACK: u8 = 0x90;
    /// PINGREQ.
    pub const PINGREQ: u8 = 0xc0;
    /// PINGRESP.
    pub const PINGRESP: u8 = 0xd0;
    /// DISCONNECT.
    pub const DISCONNECT: u8 = 0xe0;
}

/// A packet: its first byte, the length as the protocol spells it, its body.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let low = u8::try_from(length & 0x7f).unwrap_or(0);
        length >>= 7;
        bytes.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

/// A text with its length in front (MQTT 5 section 1.5.4).
pub fn text(text: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
    bytes.extend_from_slice(text);
    bytes
}

/// CONNECT: clean start, keep-alive 30 s, no properties, no will.
pub fn connect(client_id: &str) -> Vec<u8> {
    let body = [&text(b"MQTT")[..], &[5, 0x02, 0, 30, 0], &text(client_id.as_bytes())].concat();
    packet(first::CONNECT, &body)
}

/// PUBLISH with QoS 1 and no properties.
pub fn publish(topic: &str, id: u16, payload: &[u8]) -> Vec<u8> {
    packet(first::PUBLISH, &[&text(topic.as_bytes())[..], &id.to_be_bytes(), &[0], payload].concat())
}

/// A TLS connection to a broker.
#[derive(Debug)]
pub struct RawClient {
    stream: TlsStream<TcpStream>,
}

impl RawClient {
    /// Finishes the handshake; a refused client certificate shows only at the first [`packet`](Self::packet).
    pub async fn open(host: &str, port: u16, tls: Arc<ClientConfig>) -> anyhow::Result<Self> {
        let tcp = TcpStream::connect((host, port)).await.context("nobody listens")?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from(host.to_owned())?;
        let stream = TlsConnector::from(tls).connect(name, tcp).await.context("no handshake")?;
        Ok(Self { stream })
    }

    /// Whether the handshake was a whole one or resumed an earlier one.
    pub fn handshake_kind(&self) -> Option<HandshakeKind> {
        self.stream.get_ref().1.handshake_kind()
    }

    /// Writes bytes, whatever they are.
    pub async fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// The next packet's first byte and body; `None` when the broker has closed the connection, by whatever means.
    pub async fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let first = self.stream.read_u8().await.ok()?;
        let (mut length, mut shift) = (0usize, 0);
        loop {
            let byte = self.stream.read_u8().await.ok()?;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 || shift > 21 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.ok()?;
        Some((first, body))
    }

    /// Sends CONNECT and gives the answer's reason code (MQTT 5 section 3.2.2.2); `None` when there is no answer.
    pub async fn connect(&mut self, client_id: &str) -> Option<u8> {
        self.send(&connect(client_id)).await.ok()?;
        let (first, body) = self.packet().await?;
        (first == first::CONNACK).then(|| body.get(1).copied()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_spelled_in_groups_of_seven_bits() {
        assert_eq!(packet(first::PINGREQ, b""), [0xc0, 0]);
        assert_eq!(packet(0x30, &[7; 127])[..2], [0x30, 127]);
        assert_eq!(packet(0x30, &[7; 128])[..3], [0x30, 0x80, 1]);
        assert_eq!(packet(0x30, &[7; 16_384])[..4], [0x30, 0x80, 0x80, 1]);
        assert_eq!(connect("a"), *b"\x10\x0e\0\x04MQTT\x05\x02\0\x1e\0\0\x01a");
    }
}
