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
mod discover;
mod doors;
mod faults;
mod files;
mod fleet;
mod foreign;
mod fsck;
mod fuzz;
mod gateway;
mod hand_over;
mod kits;
mod mail_limits;
mod malformed;
mod many_sites;
mod models;
mod moves;
mod presets;
mod proxies;
mod reach;
mod record;
mod refusals;
mod second_hand;
mod session_rights;
mod sessions;
mod story;
mod terminal;
mod tidy;
mod vpn;
