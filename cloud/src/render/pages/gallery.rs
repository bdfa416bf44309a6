//! Every page with samples, in every language: nothing missing, nothing unescaped, and the house rules of HTML.
//! With `GATELODGE_GALLERY=folder` the pages are also written there, to be looked at.

mod customer;
mod entry;
mod installer;
mod samples;
mod tests;
mod vendor;

use askama::DynTemplate;

use crate::i18n::Language;

/// Takes a page under its name.
type Add<'a> = dyn FnMut(&'static str, &dyn DynTemplate) + 'a;

/// Every page, by name.
fn all(language: Language) -> Vec<(&'static str, String)> {
    let mut pages = Vec::new();
    let mut add = |name: &'static str, page: &dyn DynTemplate| pages.push((name, page.dyn_render().unwrap()));
    for feature in [entry::add, installer::add, customer::add, vendor::add] {
        feature(language, &mut add);
    }
    pages
}
