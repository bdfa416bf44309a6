//! A person at the portal, by either pair of [`Hands`]: plain HTTP, which is quick and needs nothing, or a real
//! browser. A story is written once and played with both.

mod hands;
mod page;
mod visitor;

pub use hands::Hands;
pub use page::{Page, PageForm};
pub use visitor::Visitor;
