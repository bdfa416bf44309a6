//! Accounts on both databases: sign-up, sign-in, passwords, links, browsers, programs.

mod links;
mod mails;
mod pages;
mod passkeys;
mod people;
mod programs;
mod replaced_password;
mod second_factor;
mod sign_up;
