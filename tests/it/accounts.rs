//! Accounts on both databases: sign-up, sign-in, passwords, links, browsers, programs.

mod links;
mod mails;
mod new_password;
mod pages;
mod people;
mod programs;
mod sign_up;
