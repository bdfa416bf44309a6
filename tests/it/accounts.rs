//! Accounts on both databases: sign-up, sign-in, passwords, links, browsers, programs.

mod links;
mod mails;
mod replaced_password;
mod pages;
mod people;
mod programs;
mod sign_up;
