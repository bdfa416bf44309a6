//! The command line of `gatelodge-cloud`: reads arguments and settings, calls one verb, says what came of it.

mod admin;
mod data_dir;
mod doctor;
mod inventory;
mod serve;
mod term;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use gatelodge_proto::payload::Title;

pub use data_dir::{DataDir, DataDirError};
pub use term::failed;

use crate::{
    config::Config,
    devices::service::{PresetPart, ProductInput},
};

/// Registrar, portal, JSON API, device CA and session relay in one program.
#[derive(Debug, Parser)]
#[command(
    name = "gatelodge-cloud",
    version,
    after_help = "Examples:\n  gatelodge-cloud config --print-default > /etc/gatelodge/cloud.toml\n  gatelodge-cloud serve\n  gatelodge-cloud import devices inventory.csv --dry-run\n\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 done but some rows were refused."
)]
pub struct Cli {
    /// The configuration file; defaults alone when not given
    #[arg(long, global = true, env = "GATELODGE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the cloud until it is told to stop
    Serve,
    /// Show the settings in force, or the default file with its comments
    Config {
        /// Print the default file instead
        #[arg(long)]
        print_default: bool,
    },
    /// The vendor's inventory
    Import {
        #[command(subcommand)]
        verb: ImportVerb,
    },
    /// The vendor's catalogue
    Product {
        #[command(subcommand)]
        verb: ProductVerb,
    },
    /// Production batches and their keys
    Batch {
        #[command(subcommand)]
        verb: BatchVerb,
    },
    /// Look for what is wrong
    Doctor {
        #[command(subcommand)]
        verb: DoctorVerb,
    },
    /// The vendor's own users
    User {
        #[command(subcommand)]
        verb: UserVerb,
    },
}

#[derive(Debug, Subcommand)]
enum ImportVerb {
    /// Take devices in from a CSV file: id_code,mac,serial,product,purchased_on,proof,batch
    Devices {
        /// The file
        file: PathBuf,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Subcommand)]
enum ProductVerb {
    /// Add a product, or change the one with this reference
    Add {
        /// The vendor's reference, like AX-200
        reference: String,
        /// The name people know
        #[arg(long)]
        name: String,
        /// Alarm panel, NAS, display
        #[arg(long, default_value = "")]
        kind: String,
        /// Warranty in months
        #[arg(long, default_value_t = 24)]
        warranty_months: u32,
        /// Where the label is, in a sentence
        #[arg(long, default_value = "")]
        label_help: String,
    },
    /// Name what technicians pick on a product's devices, so that nobody needs to know ports
    #[command(before_help = "Example: gatelodge-cloud product preset AX-200 \"Programming\" panel kind:programming")]
    Preset {
        /// The vendor's reference, like AX-200
        reference: String,
        /// What people pick, like "Web page"; one with that name is replaced
        name: Title,
        /// What is in it: the names of services as the devices' settings have them, or kind:programming, kind:web,
        /// kind:video for all that their settings say this of
        #[arg(required_unless_present = "remove", value_name = "SERVICE|kind:KIND")]
        parts: Vec<PresetPart>,
        /// Take the preset away
        #[arg(long, conflicts_with = "parts")]
        remove: bool,
    },
}

#[derive(Debug, Subcommand)]
enum BatchVerb {
    /// Make a batch key for the factory; the same name gives the same key again
    Make {
        /// Letters, digits and dashes
        name: String,
    },
}

#[derive(Debug, Subcommand)]
enum DoctorVerb {
    /// Read the audit trail from end to end, and name the first broken link of each history; may be run beside the cloud
    Audit,
}

#[derive(Debug, Subcommand)]
enum UserVerb {
    /// Add a vendor's administrator; prints a link for the password unless a file gives it
    Add {
        /// The e-mail address
        #[arg(long)]
        vendor: String,
        /// The person's name
        #[arg(long)]
        name: String,
        /// Reads the password from this file
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Take a user's passkeys, authenticator app and recovery codes away, after they have shown you who they are
    RemoveSecondFactor {
        /// The e-mail address
        email: String,
    },
}

/// Carries out what the arguments say.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    if let Verb::Config { print_default: true } = cli.verb {
        term::say(&Config::default_file());
        return Ok(ExitCode::SUCCESS);
    }
    let config = Config::load(cli.config.as_deref(), std::env::vars())?;
    match cli.verb {
        Verb::Config { .. } => {
            term::say(&format!("{config:#?}"));
            Ok(ExitCode::SUCCESS)
        }
        Verb::Serve => serve::serve(config).await,
        Verb::Import { verb: ImportVerb::Devices { file, dry_run } } => {
            inventory::import_devices(config, &file, dry_run).await
        }
        Verb::Product { verb: ProductVerb::Add { reference, name, kind, warranty_months, label_help } } => {
            let product = ProductInput { reference, name, kind, warranty_months, label_help };
            inventory::add_product(config, product).await
        }
        Verb::Product { verb: ProductVerb::Preset { reference, name, parts, remove: _ } } => {
            inventory::set_preset(config, &reference, name, parts).await
        }
        Verb::Batch { verb: BatchVerb::Make { name } } => admin::make_batch(&config, &name),
        Verb::Doctor { verb: DoctorVerb::Audit } => doctor::audit(&config).await,
        Verb::User { verb: UserVerb::Add { vendor, name, password_file } } => {
            admin::add_vendor(config, &vendor, &name, password_file.as_deref()).await
        }
        Verb::User { verb: UserVerb::RemoveSecondFactor { email } } => {
            admin::remove_second_factor(config, &email).await
        }
    }
}
