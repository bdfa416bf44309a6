//! `gatelodge`: see `--help`.
fn main() {}
