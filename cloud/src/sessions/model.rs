//! The words of remote sessions.

use std::time::Duration;

use gatelodge_proto::{
    DeviceId, FlowId, OrganisationId, RegistrationId, SessionId, Timestamp, UserId,
    api::{SessionState, SessionView},
    payload::{Feature, Listen, Network, Service, ServiceName, TicketNumber},
};
use sha2::{Digest, Sha256};

/// How long a join ticket is good for.
pub const TICKET_LIFE: Duration = Duration::from_secs(30);
/// How long an allowed session waits for its first join.
pub const JOIN_PATIENCE: Duration = Duration::from_secs(10 * 60);
/// How long an open session lives without a word from the relay that carries it. The relay speaks every
/// [`LEASE_RENEWAL`]; the ends seek another relay for 90 s, and a session that none has taken up by then is over.
pub const LEASE: Duration = Duration::from_secs(100);
/// How often a relay renews the lease of what it carries.
pub const LEASE_RENEWAL: Duration = Duration::from_secs(5);
/// The longest reason a technician may give, in characters.
pub const LONGEST_REASON: usize = 300;
/// Live sessions one device takes at a time.
pub const LIVE_PER_DEVICE: i64 = 4;

/// Who asks for what, on which ground; fixed from the request on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The session.
    pub id: SessionId,
    /// The device.
    pub device: DeviceId,
    /// The registration it stands on.
    pub registration: RegistrationId,
    /// The ownership epoch of that registration.
    pub epoch: u64,
    /// Who asks.
    pub technician: UserId,
    /// For which installer.
    pub installer: OrganisationId,
    /// Whose device it is.
    pub customer: OrganisationId,
    /// What is to be reached, as the device reported it at that moment.
    pub services: Vec<Service>,
    /// What is to be reached as a whole, as the device reported it at that moment.
    pub networks: Vec<Network>,
    /// Where the installation may call the technician's computer, as the device reported it at that moment.
    pub listens: Vec<Listen>,
    /// What it is to do beside that.
    pub features: Vec<Feature>,
    /// Why, when the technician said so.
    pub reason: Option<String>,
    /// Under which number the installer keeps the work.
    pub ticket_number: Option<TicketNumber>,
    /// Whether nobody is asked, as the customer has agreed for emergencies.
    pub break_glass: bool,
    /// For how long.
    pub minutes: u32,
    /// PKCS #10 of the session's own key, PEM.
    pub csr: String,
    /// SHA-256 of that key (SubjectPublicKeyInfo), hex.
    pub key_thumbprint: String,
    /// When it was asked for.
    pub requested_at: Timestamp,
}

impl Ask {
    /// Whether somebody of the customer asks for their own device's page.
    pub fn is_own(&self) -> bool {
        self.installer == self.customer
    }
}

/// Which end of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The technician's program.
    Technician,
    /// The device's agent.
    Device,
}

impl Side {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Technician, Self::Device];

    /// The stable word for the database.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Technician => "technician",
            Self::Device => "device",
        }
    }

    /// The side with this [`word`](Self::word).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|side| side.word() == word)
    }
}

/// A join ticket: 128 bits in hex, used once. Only its hash is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket([u8; 16]);

/// What an end shows to come again: 256 bits in hex. Only its hash is kept, which the end gives with its ticket.
#[derive(Clone, PartialEq, Eq)]
pub struct Pledge([u8; 32]);

impl Pledge {
    /// From the hash that an end gives.
    pub const fn of_hash(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// From the secret that it shows later.
    pub fn of_secret(text: &str) -> Result<Self, InvalidTicket> {
        unhex::<32>(text).map(|secret| Self(Sha256::digest(secret).into()))
    }

    /// What the database keeps.
    pub fn hash(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Pledge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pledge(hidden)")
    }
}

/// For what a session's recordings are taken from its device: 256 bits in hex. Only its hash is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential([u8; 32]);

impl Credential {
    /// From 256 random bits.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The text to hand over; the one way to see it.
    pub fn reveal(&self) -> String {
        hex(&self.0)
    }

    /// What the database keeps.
    pub fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.0).to_vec()
    }
}

impl std::str::FromStr for Credential {
    type Err = InvalidTicket;
    fn from_str(text: &str) -> Result<Self, InvalidTicket> {
        unhex(text).map(Self)
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential(hidden)")
    }
}

/// The session that a device brings a recording of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// Which.
    pub session: SessionId,
    /// Of which device.
    pub device: DeviceId,
    /// Who asked for it.
    pub installer: OrganisationId,
    /// Whose device it was.
    pub customer: OrganisationId,
}

/// The text is no join ticket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a join ticket has 32 hexadecimal digits, a secret to join again 64")]
pub struct InvalidTicket;

impl Ticket {
    /// From 128 random bits.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The text to hand over; the one way to see it.
    pub fn reveal(&self) -> String {
        hex(&self.0)
    }

    /// What the database keeps.
    pub fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.0).to_vec()
    }
}

impl std::str::FromStr for Ticket {
    type Err = InvalidTicket;
    fn from_str(text: &str) -> Result<Self, InvalidTicket> {
        unhex(text).map(Self)
    }
}

fn unhex<const N: usize>(text: &str) -> Result<[u8; N], InvalidTicket> {
    let mut bytes = [0; N];
    if text.len() != N * 2 || !text.is_ascii() {
        return Err(InvalidTicket);
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        let digits = text.get(place * 2..place * 2 + 2).ok_or(InvalidTicket)?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| InvalidTicket)?;
    }
    Ok(bytes)
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ticket(hidden)")
    }
}

/// Bytes in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A session with the names that people know its parts by.
#[derive(Debug, Clone)]
pub struct NamedSession {
    /// As the API shows it.
    pub view: SessionView,
    /// The technician.
    pub technician: UserId,
    /// The technician's organisation.
    pub installer: OrganisationId,
    /// The customer's organisation.
    pub customer: OrganisationId,
    /// For how long it was asked for, in minutes.
    pub minutes: u32,
    /// When the customer (or the standing rule) decided.
    pub decided_at: Option<Timestamp>,
    /// Whether a person decided, not the standing rule.
    pub asked: bool,
    /// Whether the customer's key is pinned on the device, so that a yes is signed by it.
    pub signs: bool,
}

/// One target that was opened in a session, or refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Its id; both ends of the session have the same.
    pub id: FlowId,
    /// Like `tcp panel.local:80`.
    pub target: String,
    /// How it went: the wire's word.
    pub outcome: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// Bytes towards the technician.
    pub bytes_up: u64,
    /// Bytes towards the installation.
    pub bytes_down: u64,
}

/// What has passed through a session, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Towards the technician.
    pub up: u64,
    /// Towards the installation.
    pub down: u64,
}

/// Whether a session in this state carries bytes or may come to it.
pub const fn is_live(state: SessionState) -> bool {
    matches!(state, SessionState::Waiting | SessionState::Open)
}

/// The names of services, for people.
pub fn names(services: &[Service]) -> Vec<ServiceName> {
    services.iter().map(|service| service.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_round_trips_and_never_shows_itself() {
        let ticket = Ticket::from_bytes([0xab; 16]);
        assert_eq!(ticket.reveal().parse::<Ticket>().unwrap(), ticket);
        assert_eq!(ticket.reveal(), "ab".repeat(16));
        assert_eq!(format!("{ticket:?}"), "Ticket(hidden)");
        for bad in ["", "ab", &"zz".repeat(16), &"é".repeat(16), &"ab".repeat(17)] {
            assert_eq!(bad.parse::<Ticket>(), Err(InvalidTicket), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_known_by_its_hash_alone() {
        let pledge = Pledge::of_secret(&"ab".repeat(32)).unwrap();
        assert_eq!(pledge, Pledge::of_hash(Sha256::digest([0xab; 32]).into()));
        assert_eq!(format!("{pledge:?}"), "Pledge(hidden)");
        assert_eq!(Pledge::of_secret(&"ab".repeat(16)), Err(InvalidTicket), "no ticket is one");
    }
}
