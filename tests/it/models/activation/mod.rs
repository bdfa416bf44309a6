//! Registration and activation: codes, links, corrections and owners, of two devices, two installers and two customers,
//! in any order.
//!
//! Seen to fail, each by one line of the product changed: `amend::correct_email` without `tokens::void` ("1 links are
//! good, expected 0"); `tokens::consume` without `expires_at > $1` (a link of 73 hours confirms); `confirm` letting
//! another account confirm ("expected another account").

mod scene;

use std::time::Duration;

use gatelodge_cloud::{accounts::tokens::Secret, activation::model::LinkFault};
use gatelodge_proto::{
    RegistrationId, Timestamp,
    identity::OnSiteCode,
    payload::{Consent, Life},
};
use gatelodge_tests::database::Kind;
use proptest::prelude::*;

use self::scene::goes;
use super::{Paths, play};
use crate::cast::Cast;

const DEVICES: usize = 2;
const EMAILS: [&str; 2] = ["rosa@example.com", "blu@example.com"];
const ADDRESSES: [&str; 2] = ["villa-rosa", "villa-blu"];
const CODE_LIFE: Duration = Duration::from_secs(15 * 60);
const LINK_LIFE: Duration = Duration::from_secs(72 * 3600);
const TRIES: u32 = 5;

/// Who of the two installers, or of the two customers.
#[derive(Debug, Clone, Copy)]
enum Who {
    /// Whose right it is.
    Rightful,
    Other,
}

/// Which code an installer types.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Typed {
    Right,
    /// The one the device showed before.
    Old,
    Wrong,
}

#[derive(Debug, Clone)]
enum Act {
    /// Whatever brings this device on its way.
    On {
        device: usize,
    },
    Show {
        device: usize,
    },
    Check {
        by: usize,
        device: usize,
        code: Typed,
        address: usize,
    },
    /// `shown`: the device shows a new code before.
    Save {
        by: usize,
        device: usize,
        shown: bool,
        code: Typed,
        address: usize,
        email: usize,
    },
    /// The device shows a new code, and somebody types one wrong code after the other.
    Guess {
        by: usize,
        device: usize,
    },
    /// The mail with the link is handed over.
    Mail {
        device: usize,
    },
    /// The link of a mail is opened, and nothing more.
    Open {
        link: usize,
    },
    Confirm {
        link: usize,
        by: Who,
        consent: Consent,
    },
    Resend {
        by: Who,
        device: usize,
    },
    Correct {
        by: Who,
        device: usize,
        email: usize,
    },
    Cancel {
        by: Who,
        device: usize,
    },
    Release {
        by: Who,
        device: usize,
        named: bool,
    },
    SetConsent {
        by: Who,
        device: usize,
        consent: Consent,
    },
    Rename {
        by: Who,
        device: usize,
        address: usize,
    },
    Enrol {
        device: usize,
    },
    Retire {
        device: usize,
    },
    Pass {
        minutes: u64,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let device = || prop_oneof![3 => Just(0), 1 => 1..DEVICES];
    let person = || 0..2_usize;
    let link = || prop_oneof![4 => Just(0), 1 => 1..4_usize];
    let who = || prop_oneof![4 => Just(Who::Rightful), 1 => Just(Who::Other)];
    let consent = || prop::sample::select(Consent::ALL.to_vec());
    let code = || prop_oneof![5 => Just(Typed::Right), 1 => Just(Typed::Old), 2 => Just(Typed::Wrong)];
    prop_oneof![
        40 => device().prop_map(|device| Act::On { device }),
        3 => device().prop_map(|device| Act::Show { device }),
        3 => (person(), device(), code(), person())
            .prop_map(|(by, device, code, address)| Act::Check { by, device, code, address }),
        10 => (person(), device(), prop::bool::weighted(0.7), code(), person(), person())
            .prop_map(|(by, device, shown, code, address, email)| Act::Save { by, device, shown, code, address, email }),
        3 => (person(), device()).prop_map(|(by, device)| Act::Guess { by, device }),
        12 => device().prop_map(|device| Act::Mail { device }),
        2 => link().prop_map(|link| Act::Open { link }),
        14 => (link(), who(), consent()).prop_map(|(link, by, consent)| Act::Confirm { link, by, consent }),
        2 => (who(), device()).prop_map(|(by, device)| Act::Resend { by, device }),
        2 => (who(), device(), person()).prop_map(|(by, device, email)| Act::Correct { by, device, email }),
        2 => (who(), device()).prop_map(|(by, device)| Act::Cancel { by, device }),
        6 => (who(), device(), prop::bool::weighted(0.8))
            .prop_map(|(by, device, named)| Act::Release { by, device, named }),
        2 => (who(), device(), consent()).prop_map(|(by, device, consent)| Act::SetConsent{ by, device, consent }),
        4 => (who(), device(), person()).prop_map(|(by, device, address)| Act::Rename{ by, device, address }),
        4 => device().prop_map(|device| Act::Enrol { device }),
        1 => device().prop_map(|device| Act::Retire { device }),
        5 => prop::sample::select(vec![1, 14, 60, 73 * 60]).prop_map(|minutes| Act::Pass { minutes }),
    ]
}

/// The code a device shows.
#[derive(Debug, Clone)]
struct Shown {
    code: OnSiteCode,
    until: Timestamp,
    good: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Tie {
    id: RegistrationId,
    installer: usize,
    address: usize,
    email: usize,
    /// Who confirmed it with which rule.
    owner: Option<(usize, Consent)>,
}

#[derive(Debug)]
struct Unit {
    life: Life,
    /// Whether it has a key that lets it in.
    keyed: bool,
    /// The newest last.
    codes: Vec<Shown>,
    tries: u32,
    tie: Option<Tie>,
}

#[derive(Debug)]
struct Link {
    secret: Secret,
    of: RegistrationId,
    device: usize,
    made: Timestamp,
    state: LinkState,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum LinkState {
    Fresh,
    Used,
    Superseded,
}

#[derive(Debug)]
struct Model {
    units: [Unit; DEVICES],
    /// The newest first.
    links: Vec<Link>,
    /// Customers who have an account.
    people: [bool; 2],
}

impl Model {
    fn new() -> Self {
        let unit = || Unit { life: Life::Enrolled, keyed: true, codes: Vec::new(), tries: 0, tie: None };
        Self { units: [unit(), unit()], links: Vec::new(), people: [false; 2] }
    }

    /// What comes next in the life of a device when all goes well.
    fn next(&self, device: usize) -> Act {
        let unit = &self.units[device];
        let link = self.links.iter().position(|link| link.device == device && link.state == LinkState::Fresh);
        match (&unit.tie, link) {
            (None, _) if unit.life == Life::Released => Act::Enrol { device },
            (None, _) => {
                let (by, address, email) = (device, device, device);
                Act::Save { by, device, shown: true, code: Typed::Right, address, email }
            }
            (Some(Tie { owner: Some(_), .. }), _) => Act::Release { by: Who::Rightful, device, named: true },
            (Some(_), None) => Act::Mail { device },
            (Some(_), Some(link)) => Act::Confirm { link, by: Who::Rightful, consent: Consent::Ask },
        }
    }

    /// What the questions of *check* and *save* come to, as the stable word of a refusal. Wrong tries count.
    fn examines(
        &mut self,
        by: usize,
        device: usize,
        typed: Typed,
        address: usize,
        now: Timestamp,
    ) -> Result<(), &'static str> {
        let taken = self.units.iter().any(|unit| unit.tie.as_ref().is_some_and(|tie| tie.address == address));
        let unit = &mut self.units[device];
        if unit.life == Life::Retired {
            return Err("retired");
        }
        if let Some(tie) = &unit.tie {
            return Err(if tie.installer == by { "yours" } else { "taken" });
        }
        if taken {
            return Err("web_address_in_use");
        }
        if !unit.codes.last().is_some_and(|shown| shown.good && shown.until > now) {
            return Err("no_on_site_code");
        }
        if typed != Typed::Right {
            unit.tries += 1;
            if unit.tries < TRIES {
                return Err("wrong_on_site_code");
            }
            unit.voids_codes();
            return Err("on_site_code_locked");
        }
        Ok(())
    }

    /// Voids the links of a registration that still work.
    fn supersede(&mut self, of: RegistrationId) {
        for link in self.links.iter_mut().filter(|link| link.of == of && link.state == LinkState::Fresh) {
            link.state = LinkState::Superseded;
        }
    }

    fn link_fault(link: &Link, now: Timestamp) -> Option<LinkFault> {
        match link.state {
            LinkState::Used => Some(LinkFault::Used),
            LinkState::Superseded => Some(LinkFault::Superseded),
            LinkState::Fresh if link.made + LINK_LIFE <= now => Some(LinkFault::Expired),
            LinkState::Fresh => None,
        }
    }

    /// The tie of an installer that the customer has not confirmed.
    fn open_tie(&mut self, by: usize, device: usize) -> Result<&mut Tie, &'static str> {
        let tie = self.units[device].tie.as_mut().filter(|tie| tie.installer == by).ok_or("unknown")?;
        if tie.owner.is_some() { Err("state") } else { Ok(tie) }
    }

    /// The installer of a device, or another.
    fn installer(&self, who: Who, device: usize) -> usize {
        who.of(self.units[device].tie.as_ref().map(|tie| tie.installer))
    }

    /// The customer of a device, or another.
    fn customer(&self, who: Who, device: usize) -> usize {
        who.of(self.units[device].tie.as_ref().map(|tie| tie.email))
    }

    fn owned(&mut self, by: usize, device: usize) -> Option<&mut Tie> {
        self.units[device].tie.as_mut().filter(|tie| tie.owner.is_some_and(|(owner, _)| owner == by))
    }
}

impl Who {
    fn of(self, rightful: Option<usize>) -> usize {
        match self {
            Self::Rightful => rightful.unwrap_or(0),
            Self::Other => 1 - rightful.unwrap_or(0),
        }
    }
}

impl Unit {
    fn voids_codes(&mut self) {
        for shown in &mut self.codes {
            shown.good = false;
        }
    }
}

/// Where the sequences together must lead.
const PATHS: [&str; 16] = [
    "another account",
    "cancelled",
    "confirmed",
    "enrolled anew",
    "link Expired",
    "link Used",
    "no_on_site_code",
    "old code",
    "on_site_code_locked",
    "registered",
    "released",
    "retired",
    "taken",
    "web_address_in_use",
    "wrong_on_site_code",
    "yours",
];

fn activation_goes(kind: Kind) {
    let acts = prop::collection::vec(act(), 10..24);
    play(
        "proptest-regressions/models-activation.txt",
        kind,
        2,
        acts,
        &PATHS,
        &async |cast: &Cast, acts: &_, paths: &Paths| goes(cast, acts, paths).await,
    );
}

#[test]
fn activation_goes_as_the_model_says() {
    activation_goes(Kind::Sqlite);
}

#[test]
fn activation_goes_as_the_model_says_on_postgresql() {
    activation_goes(Kind::Postgres);
}
