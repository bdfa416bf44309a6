//! `shell`: a terminal on the device, recorded there.

use std::{cell::RefCell, process::ExitCode};

use clap::Args;
use gatelodge_proto::{payload::Feature, session::inner_frame::Command};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    SignedIn,
    session::{self, Asking, Reach, Twice},
};
use crate::{
    forward::{self, Update},
    output::{Exit, Failure, Output},
    pick, sentences,
    shell::{self, Left, NoTerminal},
};

/// Beside the exit codes of every verb.
pub(super) const EXIT_STATUS: &str = "Exit status: that of the program on the device (128 and the signal's number, \
                                      when a signal ended it), 0 when you leave by Enter ~ . \
                                      What gatelodge itself has to say is on standard error, with its own codes: \
                                      1 failed, 2 wrong usage, 3 not signed in, 4 refused by the customer or a rule, \
                                      5 portal not reachable, 6 session ended by somebody else or by its time";

#[derive(Debug, Args)]
pub(super) struct ShellArguments {
    /// The device: its name, web address or ID code
    device: String,
    #[command(flatten)]
    asking: Asking,
    /// What to run there instead of a shell to type at
    #[arg(last = true)]
    command: Vec<String>,
}

pub(super) async fn shell(arguments: ShellArguments, by: &SignedIn, output: Output) -> Result<ExitCode, Failure> {
    if output.json {
        return Err(Failure::new(Exit::Usage, sentences::SHELL_JSON, sentences::NEXT_SHELL_JSON));
    }
    let command = command(&arguments.command)?;
    let devices = by.cloud.devices().await?;
    let device = pick::device(&devices, &arguments.device)?;
    if !device.features.contains(&Feature::Terminal) {
        return Err(Failure::new(Exit::Refused, sentences::no_terminal(&device.name), sentences::NEXT_OFFER_TERMINAL));
    }
    output.note(&sentences::recorded(device, shell::WAY_OUT));
    let asked = arguments.asking.ask(Twice::Waits, output).await?;
    let reach =
        Reach { services: Vec::new(), networks: Vec::new(), backs: Vec::new(), features: vec![Feature::Terminal] };
    let outcome = RefCell::new(None);
    session::hold(by, device, reach, asked, output, async |ours, interrupted| {
        let (updates, told) = mpsc::unbounded_channel();
        let over = CancellationToken::new();
        let work = async |flows: forward::Flows| {
            let ended = shell::show(&flows, command).await;
            outcome.replace(Some(ended));
            over.cancel();
        };
        let stop = async {
            tokio::select! {
                () = interrupted.cancelled() => {}
                () = over.cancelled() => {}
            }
        };
        let running = forward::run_with(ours, work, stop, updates);
        let (ending, ()) = tokio::join!(running, follow(told, output));
        ending
    })
    .await?;
    match outcome.into_inner() {
        Some(Ok(Left::Exited(exit))) => Ok(exit.status().into()),
        // Left, or stopped by Ctrl-C before there was anything to show.
        Some(Ok(Left::Away)) | None => Ok(ExitCode::SUCCESS),
        Some(Err(error)) => {
            let exit =
                if let NoTerminal::Refused(_) | NoTerminal::Open(_) = error { Exit::Refused } else { Exit::Failed };
            Err(Failure::new(exit, error.to_string(), sentences::NEXT_AFTER_SHELL).about("device", &device.name))
        }
    }
}

/// The words as one line for the shell there, as ssh has it.
fn command(words: &[String]) -> Result<Option<Command>, Failure> {
    if words.is_empty() {
        return Ok(None);
    }
    let line = words.join(" ");
    line.parse().map(Some).map_err(|_| Failure::new(Exit::Usage, sentences::LONG_COMMAND, sentences::NEXT_LONG_COMMAND))
}

/// What a person at the terminal has to know of the session meanwhile.
async fn follow(mut told: mpsc::UnboundedReceiver<Update>, output: Output) {
    while let Some(update) = told.recv().await {
        match update {
            Update::ExpiryWarn(seconds) => output.aside(&sentences::ends_in(seconds)),
            Update::Line(state) => output.aside(sentences::line(state)),
            Update::Meeting
            | Update::Joined { .. }
            | Update::Deaf(_)
            | Update::FlowOpened { .. }
            | Update::FlowFailed { .. }
            | Update::FlowClosed { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_command_are_one_line() {
        let words = |words: &[&str]| command(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(words(&[]).unwrap(), None);
        assert_eq!(words(&["ls", "-l | wc"]).unwrap().unwrap().as_str(), "ls -l | wc");
        assert_eq!(words(&[&"x".repeat(5000)]).unwrap_err().exit, Exit::Usage);
    }
}
