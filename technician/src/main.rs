//! `gatelodge`: see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: two providers may be linked, and rustls refuses to choose between them.
    let _ = rustls::crypto::ring::default_provider().install_default();
    gatelodge_technician::cli::main()
}
