//! The one integration binary: house rules, stories over the real programs, bad input.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failure here is the failure of a test")]

mod accounts;
mod activation;
mod answers;
mod api;
mod audit;
mod broker;
mod cast;
mod command_line;
mod data_plane;
mod devices;
mod doors;
mod faults;
mod fleet;
mod foreign;
mod fsck;
mod fuzz;
mod kits;
mod mail_limits;
mod malformed;
mod models;
mod moves;
mod proxies;
mod reach;
mod refusals;
mod second_hand;
mod session_rights;
mod sessions;
mod story;
mod tidy;
mod vpn;
