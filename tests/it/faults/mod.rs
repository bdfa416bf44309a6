//! What goes wrong around the real programs, short enough for every run; `cargo xtask fault` plays the same for longer.

mod hours;
mod kills;
mod links;
mod mails;
mod power;
mod sessions;
mod storage;
mod wires;
