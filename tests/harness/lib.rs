//! Real parts made small, for the stories in `tests/it` and for the demo: the three programs as processes, both
//! databases, a mail catcher, a browser, brokers, and a panel. No mocks, no sleeps; a part that is missing on this
//! machine is noted by [`skip`], never passed over in silence.

pub mod agent;
pub mod avahi;
pub mod awkward;
pub mod browser;
pub mod chaos;
pub mod cloud;
pub mod database;
pub mod faketime;
pub mod faults;
pub mod fleet;
pub mod fsck;
pub mod kits;
pub mod ledger;
pub mod mailbox;
pub mod mosquitto;
pub mod mqtt;
pub mod namespace;
pub mod panel;
pub mod passkey;
pub mod place;
pub mod portal;
pub mod ports;
pub mod process;
pub mod programs;
pub mod settings;
pub mod site;
pub mod skip;
pub mod slow_loris;
pub mod speaker;
pub mod squid;
pub mod story;
pub mod technician;
pub mod wait;
