//! The command line: one verb, one file. What a verb cannot do, it gives back as a [`Failure`].

mod cp;
mod devices;
mod discover;
mod extend;
mod forward;
mod live_line;
mod session;
mod sessions;
mod shell;
mod sign_in;
mod sign_out;
mod status;
mod vpn;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use gatelodge_proto::session::carrier::Proxy;
use url::Url;

use crate::{
    clock::Clock,
    cloud::Cloud,
    output::{EXIT_CODES, Exit, Failure, Output},
    sentences,
    signed_in::{Keep, SignIn},
    tls::cloud_tls,
    way::Way,
};

/// Reach the devices your customers let you look after.
#[derive(Debug, Parser)]
#[command(
    name = "gatelodge",
    version,
    before_help = "Example: gatelodge forward villa-rosa 8080:panel-web",
    after_help = EXIT_CODES
)]
struct Arguments {
    /// One JSON value a line, for programs
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Sign in to a portal by confirming a code in the browser
    #[command(before_help = "Example: gatelodge sign-in https://portal.example.com", after_help = EXIT_CODES)]
    SignIn(sign_in::SignInArguments),
    /// Forget the sign-in on this computer
    #[command(before_help = "Example: gatelodge sign-out")]
    SignOut,
    /// List the devices you may see
    #[command(before_help = "Example: gatelodge devices rosa --online", after_help = EXIT_CODES)]
    Devices(devices::DevicesArguments),
    /// Show who is signed in here, and which sessions wait or are open on every site
    #[command(before_help = "Example: gatelodge status", after_help = EXIT_CODES)]
    Status,
    /// List sessions, newest first
    #[command(before_help = "Example: gatelodge sessions --live", after_help = EXIT_CODES)]
    Sessions {
        /// Only those that wait or are open
        #[arg(long)]
        live: bool,
    },
    /// Open a session and forward local ports to a device's services
    #[command(
        before_help = "Example: gatelodge forward villa-rosa 8080:panel-web --reason \"yearly check\"",
        after_help = EXIT_CODES
    )]
    Forward(forward::ForwardArguments),
    /// Open a session and put the site's networks on this computer, for any program to connect to
    #[command(
        before_help = "Example: sudo gatelodge vpn villa-rosa --reason \"programming of the panel\"",
        after_help = EXIT_CODES
    )]
    Vpn(vpn::VpnArguments),
    /// Open a session and copy files from and to the folders that a device offers
    #[command(
        before_help = "Example: gatelodge cp villa-rosa:logs/panel.log . --reason \"zone 4 reports a fault\"",
        after_help = EXIT_CODES
    )]
    Cp(cp::CpArguments),
    /// Open a session and list the folders that a device offers, or what is in one
    #[command(before_help = "Example: gatelodge files villa-rosa:logs", after_help = EXIT_CODES)]
    Files(cp::FilesArguments),
    /// Open a session and a terminal on the device, which is recorded there
    #[command(
        before_help = "Example: gatelodge shell villa-rosa --reason \"log files\" -- tail -f /var/log/panel.log",
        after_help = shell::EXIT_STATUS
    )]
    Shell(shell::ShellArguments),
    /// Open a session and show what there is on a device's networks, to open some of it on this computer
    #[command(
        before_help = "Example: gatelodge discover villa-rosa --reason \"the keypad was replaced\"",
        after_help = EXIT_CODES
    )]
    Discover(discover::DiscoverArguments),
    /// Ask the customer for more time in a session that is open
    #[command(before_help = "Example: gatelodge extend villa-rosa --minutes 30", after_help = EXIT_CODES)]
    Extend(extend::ExtendArguments),
}

/// Which portal, and whom to trust for it.
#[derive(Debug, Args)]
struct Portal {
    /// The portal's address, when it is not the one signed in to
    #[arg(long, env = "GATELODGE_CLOUD", value_name = "URL")]
    cloud: Option<Url>,
    /// The CA of the portal's certificate (PEM), when it is not a public one
    #[arg(long, env = "GATELODGE_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = Output { json: arguments.json };
    log_to_stderr();
    let outcome = runtime().and_then(|runtime| {
        let outcome = runtime.block_on(dispatch(arguments.verb, output));
        // Whoever is still asked something at the terminal need not answer any more.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            output.fail(&failure);
            failure.exit.into()
        }
    }
}

async fn dispatch(verb: Verb, output: Output) -> Result<ExitCode, Failure> {
    let keep = Keep::of_user(std::env::var_os("XDG_CONFIG_HOME"), std::env::var_os("HOME")).ok_or_else(|| {
        Failure::new(Exit::Failed, "this user has no home folder to keep a sign-in", "set HOME or XDG_CONFIG_HOME")
    })?;
    match verb {
        Verb::SignIn(arguments) => sign_in::sign_in(arguments, &keep, output).await,
        Verb::SignOut => sign_out::sign_out(&keep, output),
        Verb::Devices(arguments) => devices::devices(arguments, &signed_in(&keep)?, output).await,
        Verb::Status => {
            let by = signed_in(&keep)?;
            let sign_in = keep.load()?.ok_or_else(not_signed_in)?;
            status::status(&sign_in, &by, output).await
        }
        Verb::Sessions { live } => sessions::sessions(&signed_in(&keep)?, live, output).await,
        Verb::Forward(arguments) => Box::pin(forward::forward(arguments, &signed_in(&keep)?, output)).await,
        Verb::Cp(arguments) => Box::pin(cp::cp(arguments, &signed_in(&keep)?, output)).await,
        Verb::Files(arguments) => Box::pin(cp::files(arguments, &signed_in(&keep)?, output)).await,
        Verb::Discover(arguments) => Box::pin(discover::discover(arguments, &signed_in(&keep)?, output)).await,
        Verb::Extend(arguments) => extend::extend(arguments, &signed_in(&keep)?, output).await,
        Verb::Vpn(arguments) => {
            let by = signed_in(&keep.or_of_who_called_sudo())?;
            Box::pin(vpn::vpn(arguments, &by, output)).await
        }
        Verb::Shell(arguments) => return Box::pin(shell::shell(arguments, &signed_in(&keep)?, output)).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

/// A signed-in way to the portal.
struct SignedIn {
    cloud: Cloud,
    tls: std::sync::Arc<rustls::ClientConfig>,
    /// The one that was named at the sign-in.
    way: Option<Way>,
    clock: Clock,
}

fn not_signed_in() -> Failure {
    Failure::new(Exit::NotSignedIn, sentences::NOT_SIGNED_IN, sentences::NEXT_SIGN_IN)
}

fn signed_in(keep: &Keep) -> Result<SignedIn, Failure> {
    let clock = Clock::system();
    let kept = keep.load()?.ok_or_else(not_signed_in)?;
    if kept.expires_at <= clock.now() {
        return Err(Failure::new(Exit::NotSignedIn, sentences::SIGNED_OUT_THERE, sentences::NEXT_SIGN_IN_AGAIN)
            .about("since", kept.expires_at.to_string()));
    }
    let SignIn { cloud, ca_file, way, token, .. } = kept;
    // The environment may name another place of the same CA, as on a computer that was moved.
    let ca_file = ca_file.or_else(|| std::env::var_os("GATELODGE_CA_FILE").map(PathBuf::from));
    let tls = trust(ca_file.as_deref())?;
    let proxy = proxy_to(&cloud, way.as_ref())?;
    Ok(SignedIn { cloud: Cloud::new(cloud, Some(token), tls.clone(), proxy), tls: tls.into(), way, clock })
}

/// The proxy on the way to that server: the one that was named, else the environment's.
fn proxy_to(server: &Url, named: Option<&Way>) -> Result<Option<Proxy>, Failure> {
    Way::proxy_to(named, server, |name| std::env::var(name).ok())
        .map_err(|error| Failure::new(Exit::Usage, error.to_string(), sentences::NEXT_PROXY))
}

fn trust(ca_file: Option<&std::path::Path>) -> Result<rustls::ClientConfig, Failure> {
    cloud_tls(ca_file).map_err(|error| Failure::new(Exit::Failed, error.to_string(), sentences::NEXT_CA_FILE))
}

/// One thread: a session's streams share it, which is cheaper than sharing them between two.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let turns = gatelodge_proto::session::TURNS_BETWEEN_LOOKS;
    tokio::runtime::Builder::new_current_thread().event_interval(turns).enable_all().build().map_err(|error| {
        Failure::new(Exit::Failed, format!("the program cannot start: {error}"), "check the limits of this user")
    })
}

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("GATELODGE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error"));
    let _ =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).try_init();
}
