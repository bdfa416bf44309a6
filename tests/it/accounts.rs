//! Accounts on both databases: sign-up, sign-in, passwords, links, browsers, programs.

mod links;
mod mails;
mod pages;
mod people;
mod programs;
mod replaced_password;
mod sign_up;
