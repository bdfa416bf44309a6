//! What is asked of all by mDNS and what is read of the answers (RFC 6762, RFC 6763). Questions come from a port that is
//! not 5353, so that answers come back to it alone (RFC 6762 section 6.7) and the device's own responder is left alone.
//! Pure.

use std::{collections::BTreeMap, net::IpAddr};

use gatelodge_proto::session::finds::Said;
use simple_dns::{CLASS, Name, Packet, QCLASS, QTYPE, Question, TYPE, rdata::RData};

/// Where all hear it.
pub(super) const GROUP: ([u8; 4], u16) = ([224, 0, 0, 251], 5353);
/// Who asks for this is told the kinds of services there are (RFC 6763 section 9).
const KINDS: &str = "_services._dns-sd._udp.local";
/// Records of one answer that are looked at: a count in its head is only a claim, and memory for it is taken at once.
const MOST_RECORDS: usize = 128;
/// Longest label that is asked for again.
const LONGEST: usize = 63;

/// A question, in the words of the one who answered where it follows from an answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Ask {
    /// Which kinds there are.
    Kinds,
    /// Which services of a kind, like `_http._tcp`.
    OfKind(String),
    /// Where this one is.
    Where(Vec<Vec<u8>>),
}

/// Something that says where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) name: Said,
    /// Like `_http._tcp`.
    pub(super) kind: String,
    pub(super) port: u16,
    /// Of the host it names, as far as the answer has them.
    pub(super) addresses: Vec<IpAddr>,
}

/// What is in an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) told: Vec<Told>,
    /// What to ask next.
    pub(super) next: Vec<Ask>,
}

impl Ask {
    /// Its bytes; none where a name in it is too long to be asked for.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        let (name, kind) = match self {
            Self::Kinds => (Name::new(KINDS).ok()?.into_owned(), TYPE::PTR),
            Self::OfKind(kind) => (Name::new(&format!("{kind}.local")).ok()?.into_owned(), TYPE::PTR),
            Self::Where(labels) => {
                let labels: Vec<_> =
                    labels.iter().map(|label| simple_dns::Label::new(&label[..])).collect::<Result<_, _>>().ok()?;
                (Name::new_with_labels(&labels).into_owned(), TYPE::SRV)
            }
        };
        let mut packet = Packet::new_query(0);
        packet.questions.push(Question::new(name, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), true));
        packet.build_bytes_vec().ok()
    }
}

/// Reads an answer; of what is none, nothing.
pub(super) fn read(bytes: &[u8]) -> Answer {
    let mut answer = Answer::default();
    if !is_modest(bytes) {
        return answer;
    }
    let Ok(packet) = Packet::parse(bytes) else { return answer };
    if !packet.has_flags(simple_dns::PacketFlag::RESPONSE) {
        return answer;
    }
    let records = || packet.answers.iter().chain(&packet.additional_records);
    let mut hosts: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for record in records() {
        let address: IpAddr = match &record.rdata {
            RData::A(a) => std::net::Ipv4Addr::from_bits(a.address).into(),
            RData::AAAA(aaaa) => std::net::Ipv6Addr::from_bits(aaaa.address).into(),
            _ => continue,
        };
        hosts.entry(folded(&record.name)).or_default().push(address);
    }
    let mut placed = Vec::new();
    for record in records() {
        let (RData::SRV(place), Some((name, kind))) = (&record.rdata, instance(&record.name)) else { continue };
        placed.push(folded(&record.name));
        if place.port != 0 {
            let addresses = hosts.get(&folded(&place.target)).cloned().unwrap_or_default();
            answer.told.push(Told { name, kind, port: place.port, addresses });
        }
    }
    for record in records() {
        let RData::PTR(to) = &record.rdata else { continue };
        if folded(&record.name) == KINDS {
            answer.next.extend(kind_of(&to.0).map(Ask::OfKind));
        } else if instance(&to.0).is_some() && !placed.contains(&folded(&to.0)) {
            answer.next.push(Ask::Where(to.0.as_bytes().map(<[u8]>::to_vec).collect()));
        }
    }
    answer
}

/// Whether the counts in its head are those of a packet of this length, and few.
fn is_modest(bytes: &[u8]) -> bool {
    let Some(head) = bytes.first_chunk::<12>() else { return false };
    let counts = head[4..].chunks_exact(2).map(|pair| usize::from(pair[0]) << 8 | usize::from(pair[1]));
    counts.sum::<usize>() <= MOST_RECORDS.min(bytes.len() / 5)
}

fn folded(name: &Name<'_>) -> String {
    name.to_string().to_ascii_lowercase()
}

/// `_http._tcp.local` as `_http._tcp`.
fn kind_of(name: &Name<'_>) -> Option<String> {
    let labels: Vec<_> = name.as_bytes().collect();
    let [service, transport, local] = labels[..] else { return None };
    kind([service, transport, local])
}

fn kind([service, transport, local]: [&[u8]; 3]) -> Option<String> {
    let plain = |label: &[u8]| {
        label.len() <= LONGEST
            && label.strip_prefix(b"_").is_some_and(|rest| {
                !rest.is_empty() && rest.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            })
    };
    let is_ours = local.eq_ignore_ascii_case(b"local") && plain(service);
    let transport = [b"_tcp", b"_udp"].into_iter().find(|known| transport.eq_ignore_ascii_case(&known[..]))?;
    is_ours.then(|| {
        format!("{}.{}", String::from_utf8_lossy(service), String::from_utf8_lossy(transport)).to_ascii_lowercase()
    })
}

/// `Panel._http._tcp.local` as `Panel` and `_http._tcp`.
fn instance(name: &Name<'_>) -> Option<(Said, String)> {
    let labels: Vec<_> = name.as_bytes().collect();
    let [name, service, transport, local] = labels[..] else { return None };
    Some((Said::of(name), kind([service, transport, local])?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use simple_dns::{Label, ResourceRecord, rdata};

    use super::*;

    fn named(labels: &[&[u8]]) -> Name<'static> {
        let labels: Vec<_> = labels.iter().map(|label| Label::new(label.to_vec()).unwrap()).collect();
        Name::new_with_labels(&labels)
    }

    fn record(name: Name<'static>, data: RData<'static>) -> ResourceRecord<'static> {
        ResourceRecord::new(name, CLASS::IN, 120, data)
    }

    fn reply(answers: Vec<ResourceRecord<'static>>, more: Vec<ResourceRecord<'static>>) -> Vec<u8> {
        let mut packet = Packet::new_reply(0);
        packet.answers = answers;
        packet.additional_records = more;
        packet.build_bytes_vec_compressed().unwrap()
    }

    const HTTP: [&[u8]; 3] = [b"_http", b"_tcp", b"local"];

    fn web(name: &[u8]) -> Name<'static> {
        named(&[name, HTTP[0], HTTP[1], HTTP[2]])
    }

    #[test]
    fn kinds_lead_to_services_and_these_to_places() {
        let kinds = named(&[b"_services", b"_dns-sd", b"_udp", b"local"]);
        let to_kind = record(kinds, RData::PTR(rdata::PTR(named(&HTTP))));
        let told = read(&reply(vec![to_kind], Vec::new()));
        assert_eq!(told.next, [Ask::OfKind("_http._tcp".into())]);

        let to_one = record(named(&HTTP), RData::PTR(rdata::PTR(web(b"Panel of the villa"))));
        let told = read(&reply(vec![to_one.clone()], Vec::new()));
        let [Ask::Where(labels)] = &told.next[..] else { panic!("{told:?}") };
        assert_eq!(labels[0], b"Panel of the villa");
        let asked = Ask::Where(labels.clone()).bytes().unwrap();
        assert_eq!(Packet::parse(&asked).unwrap().questions[0].qname, web(b"Panel of the villa"));

        let srv = rdata::SRV { priority: 0, weight: 0, port: 8080, target: named(&[b"panel", b"local"]) };
        let place = record(web(b"Panel of the villa"), RData::SRV(srv));
        let address = record(named(&[b"PANEL", b"local"]), RData::A(rdata::A { address: 0xc0a8_0132 }));
        let told = read(&reply(vec![to_one], vec![place, address]));
        let there = Told {
            name: Said::of(b"Panel of the villa"),
            kind: "_http._tcp".into(),
            port: 8080,
            addresses: vec!["192.168.1.50".parse().unwrap()],
        };
        assert_eq!((told.told, told.next), (vec![there], Vec::new()));
    }

    #[test]
    fn questions_and_claims_without_bytes_are_nothing() {
        assert_eq!(read(&Ask::Kinds.bytes().unwrap()), Answer::default());
        let mut claims = vec![0, 0, 0x84, 0, 0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff];
        assert_eq!(read(&claims), Answer::default());
        claims.resize(9_000, 0);
        assert_eq!(read(&claims), Answer::default());
        let odd = record(
            named(&[b"_services", b"_dns-sd", b"_udp", b"local"]),
            RData::PTR(rdata::PTR(named(&[b"evil", b"example"]))),
        );
        assert_eq!(read(&reply(vec![odd], Vec::new())), Answer::default());
    }

    proptest! {
        #[test]
        fn no_answer_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            for told in read(&bytes).told {
                prop_assert!(told.port != 0);
            }
        }
    }
}
