//! How pages and mails are made: the frame every page shares, the addresses pages link to, the style sheet and its
//! name, and one template struct per page in [`pages`]. Knows no feature and no database.
//!
//! A feature's `portal.rs` fills the plain structs of [`pages`] and answers with [`Html`]:
//!
//! ```ignore
//! async fn list(visitor: Visitor, SignedIn(user): SignedIn, State(cloud): State<Cloud>) -> Result<Html<MyDevices>, Fault> {
//!     let page = visitor.page(cloud.clock.now()).signed_in(user.who());
//!     Ok(Html(MyDevices { page, devices: rows }))
//! }
//! ```
//!
//! Forms: the raw texts a person typed travel back in a `...Form` struct with the [`Refusals`] found, so that a page
//! with errors is the same page with the same texts. Field names of forms are the field names of these structs.

mod assets;
pub mod flashes;
mod html;
pub mod mails;
mod page;
pub mod pages;
pub mod paths;
mod refusals;

pub use assets::{Asset, asset, asset_path};
pub use html::Html;
pub use page::{Notice, Page, Role, Side, Theme, Tone, Who};
pub use refusals::{Refusal, Refusals};
