//! Who gets in to a panel's pages: the browser that shows a ticket fresh from the portal, once, and from then on the same
//! browser by its cookie. Pure; keeps hashes alone.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{Random, Timestamp};

/// How long a ticket is good for.
pub const TICKET_LIFE: Duration = Duration::from_secs(30);

/// Lower case, so that it may stand in a host name (RFC 4648 section 6).
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// 128 bits as 26 letters and digits.
pub fn label(bits: [u8; 16]) -> String {
    let (mut text, mut held, mut count) = (String::with_capacity(26), 0_u32, 0);
    for byte in bits {
        held = held << 8 | u32::from(byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            text.push(char::from(ALPHABET[(held >> count & 31) as usize]));
        }
        held &= (1 << count) - 1;
    }
    if count > 0 {
        text.push(char::from(ALPHABET[(held << (5 - count) & 31) as usize]));
    }
    text
}

/// What the portal gives a browser to come in with; only its hash is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct EntryTicket(String);

/// What a browser that has come in keeps; only its hash is kept here.
#[derive(Clone, PartialEq, Eq)]
pub struct Pass(String);

/// The one way to see either.
macro_rules! secret {
    ($name:ident) => {
        impl $name {
            /// The text to hand over.
            pub fn reveal(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(hidden)"))
            }
        }
    };
}
secret!(EntryTicket);
secret!(Pass);

impl EntryTicket {
    /// A new one.
    pub fn make(random: &Random) -> Self {
        Self(label(random.bytes()))
    }

    /// By which a door that has not made it knows it.
    pub fn hash(&self) -> Hash {
        hash(&self.0)
    }
}

/// SHA-256 of a ticket or a pass.
pub type Hash = [u8; 32];

fn hash(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}

/// Why nobody came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoEntry {
    /// Never given, used already, or given for another door.
    #[error("this ticket is unknown here, or it was used")]
    Unknown,
    /// Too old.
    #[error("this ticket is more than 30 seconds old")]
    Late,
}

/// One panel's pages for one browser at a time.
#[derive(Debug, Default)]
pub struct Door {
    ticket: Option<(Hash, Timestamp)>,
    pass: Option<Hash>,
}

impl Door {
    /// A ticket; the one before it is good no more.
    pub fn issue(&mut self, now: Timestamp, random: &Random) -> EntryTicket {
        let ticket = EntryTicket::make(random);
        self.expect(ticket.hash(), now);
        ticket
    }

    /// Expects a ticket that was made elsewhere; the one before it is good no more.
    pub fn expect(&mut self, ticket: Hash, now: Timestamp) {
        self.ticket = Some((ticket, now + TICKET_LIFE));
    }

    /// Lets in whoever shows the ticket. It is used up, and so is the cookie of whoever came in before.
    pub fn enter(&mut self, ticket: &str, now: Timestamp, random: &Random) -> Result<Pass, NoEntry> {
        let Some((_, until)) = self.ticket.take_if(|(known, _)| same(known, &hash(ticket))) else {
            return Err(NoEntry::Unknown);
        };
        if now >= until {
            return Err(NoEntry::Late);
        }
        let pass = Pass(label(random.bytes()));
        self.pass = Some(hash(&pass.0));
        Ok(pass)
    }

    /// Whether a browser with this cookie came in last.
    pub fn knows(&self, pass: &str) -> bool {
        self.pass.as_ref().is_some_and(|known| same(known, &hash(pass)))
    }

    /// Whether somebody is inside.
    pub const fn is_taken(&self) -> bool {
        self.pass.is_some()
    }
}

fn same(one: &Hash, other: &Hash) -> bool {
    one.ct_eq(other).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn a_label_is_base32_of_all_its_bits() {
        assert_eq!(label([0; 16]), "a".repeat(26));
        assert_eq!(label([0xff; 16]), format!("{}4", "7".repeat(25)));
        assert_eq!(label(*b"foobarfoobarfoob"), "mzxw6ytbojtg633cmfzgm33pmi");
    }

    #[test]
    fn a_ticket_lets_one_browser_in_once_and_in_time() {
        let (mut door, random) = (Door::default(), Random::seeded(1));
        assert_eq!(door.enter("", NOW, &random), Err(NoEntry::Unknown));
        let ticket = door.issue(NOW, &random);
        assert_eq!(door.enter("foreign", NOW, &random), Err(NoEntry::Unknown), "and the true one is still good:");
        let pass = door.enter(ticket.reveal(), NOW, &random).unwrap();
        assert!(door.knows(pass.reveal()) && !door.knows(ticket.reveal()) && !door.knows(""));
        assert_eq!(door.enter(ticket.reveal(), NOW, &random), Err(NoEntry::Unknown), "used");

        let late = door.issue(NOW, &random);
        assert_eq!(door.enter(late.reveal(), NOW + TICKET_LIFE, &random), Err(NoEntry::Late));
        assert!(door.knows(pass.reveal()), "who is inside stays inside");
    }

    #[test]
    fn whoever_comes_in_last_is_the_one_inside() {
        let (mut door, random) = (Door::default(), Random::seeded(1));
        let first = door.issue(NOW, &random);
        let second = door.issue(NOW, &random);
        assert_eq!(door.enter(first.reveal(), NOW, &random), Err(NoEntry::Unknown), "a newer one was given");
        let old = door.enter(second.reveal(), NOW, &random).unwrap();
        let ticket = door.issue(NOW, &random);
        let new = door.enter(ticket.reveal(), NOW, &random).unwrap();
        assert!(door.knows(new.reveal()) && !door.knows(old.reveal()));
        assert_eq!(format!("{new:?}{ticket:?}"), "Pass(hidden)EntryTicket(hidden)");
    }
}
