//! Mails as HTML and as plain text of equal content.
