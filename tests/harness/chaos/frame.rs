//! Cuts a stream of bytes into MQTT control packets by their fixed header (MQTT 5.0, section 2.1). Reads nothing of
//! what is in them.

use bytes::{Buf as _, Bytes, BytesMut};

/// No packet that this proxy holds back may be larger; the device link allows less.
const LARGEST: usize = 1 << 20;

/// What the proxy needs to know of a packet's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A message: may come twice or late.
    Message,
    /// An acknowledgement or a ping: goes its own way.
    Free,
    /// Begins or ends something: what came before it leaves before it.
    Fence,
}

/// One whole packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What may be done with it.
    pub kind: Kind,
    /// Its bytes, the fixed header included.
    pub bytes: Bytes,
}

/// The bytes are no MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotMqtt {
    /// Type 0 is reserved.
    #[error("the bytes are no MQTT: a packet of type 0")]
    Type,
    /// The remaining length has a fifth byte.
    #[error("the bytes are no MQTT: a length of more than four bytes")]
    Length,
    /// More than this proxy takes.
    #[error("a packet of {0} bytes is more than this proxy takes; take `--mqtt` away to pass any bytes")]
    TooLarge(usize),
}

/// Bytes in, packets out.
#[derive(Debug, Default)]
pub struct Splitter {
    waiting: BytesMut,
}

impl Splitter {
    /// More bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// The next packet, when all of it has come.
    pub fn take(&mut self) -> Result<Option<Frame>, NotMqtt> {
        let Some(first) = self.waiting.first() else { return Ok(None) };
        let kind = match first >> 4 {
            0 => return Err(NotMqtt::Type),
            3 => Kind::Message,
            // PUBACK, PUBREC, PUBREL, PUBCOMP, PINGREQ, PINGRESP
            4..=7 | 12 | 13 => Kind::Free,
            _ => Kind::Fence,
        };
        let Some((length, header)) = remaining_length(&self.waiting[1..])? else { return Ok(None) };
        let whole = 1 + header + length;
        if whole > LARGEST {
            return Err(NotMqtt::TooLarge(whole));
        }
        if self.waiting.remaining() < whole {
            return Ok(None);
        }
        Ok(Some(Frame { kind, bytes: self.waiting.split_to(whole).freeze() }))
    }

    /// What has come of a packet whose rest never will.
    pub fn rest(self) -> Bytes {
        self.waiting.freeze()
    }
}

/// The variable byte integer of section 1.5.5: its value, and how many bytes it took.
fn remaining_length(bytes: &[u8]) -> Result<Option<(usize, usize)>, NotMqtt> {
    let mut value = 0;
    for (place, byte) in bytes.iter().enumerate() {
        if place == 4 {
            return Err(NotMqtt::Length);
        }
        value |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(Some((value, place + 1)));
        }
    }
    if bytes.len() > 4 { Err(NotMqtt::Length) } else { Ok(None) }
}
