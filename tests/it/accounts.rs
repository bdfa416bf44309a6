//! Accounts on both databases: sign-up, sign-in, passwords, links, browsers, programs.

mod links;
mod people;
mod programs;
