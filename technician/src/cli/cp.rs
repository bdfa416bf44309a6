//! `cp` and `files`: copies between this computer and the folders of a device, and what is in them.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Args;
use gatelodge_proto::{
    api::DeviceView,
    payload::Feature,
    session::files::{DevicePath, EntryKind, FileEntry},
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    SignedIn,
    session::{self, Asking, Reach, Twice},
};
use crate::{
    files::{self, NoFile, Watch},
    forward::{self, Flows, Update},
    output::{Exit, Failure, Output},
    pick, sentences,
};

#[derive(Debug, Args)]
pub(super) struct CpArguments {
    /// What is copied and where to: files and folders of this computer, and DEVICE:FOLDER/FILE
    #[arg(num_args = 2.., required = true, value_name = "SOURCE... DESTINATION")]
    places: Vec<Place>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(super) struct FilesArguments {
    /// The device, or one of its folders: DEVICE or DEVICE:FOLDER/FOLDER
    place: Place,
    #[command(flatten)]
    asking: Asking,
}

/// A place of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Here(PathBuf),
    There { device: String, path: Option<DevicePath> },
}

impl FromStr for Place {
    type Err = String;
    /// A colon before any slash names a device, as with scp.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((device, path)) if !device.is_empty() && !device.contains('/') => {
                let path = if path.is_empty() { None } else { Some(path.parse().map_err(|error| format!("{error}"))?) };
                Ok(Self::There { device: device.to_owned(), path })
            }
            _ if text.is_empty() => Err("a place is a file or DEVICE:FOLDER/FILE".to_owned()),
            _ => Ok(Self::Here(text.into())),
        }
    }
}

/// One file to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Copy {
    Fetch { from: DevicePath, to: PathBuf },
    Give { from: PathBuf, to: DevicePath },
}

/// What is copied, between this computer and which device.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    device: String,
    copies: Vec<Copy>,
}

/// `into` says whether a path of this computer is a folder.
fn plan(mut places: Vec<Place>, into: impl Fn(&Path) -> bool) -> Result<Plan, Failure> {
    let usage = |what: &str| Failure::new(Exit::Usage, what, sentences::NEXT_CP);
    let last = places.pop().ok_or_else(|| usage(sentences::CP_NOWHERE))?;
    let several = places.len() > 1;
    let mut copies = Vec::new();
    let mut devices = Vec::new();
    for place in places {
        match (place, &last) {
            (Place::There { device, path }, Place::Here(to)) => {
                let from = path.ok_or_else(|| usage(sentences::CP_NO_FILE))?;
                let name = from.below().last().cloned().ok_or_else(|| usage(sentences::CP_NO_FILE))?;
                if several && !into(to) {
                    return Err(usage(sentences::CP_NO_FOLDER));
                }
                let to = if into(to) { to.join(name) } else { to.clone() };
                devices.push(device);
                copies.push(Copy::Fetch { from, to });
            }
            (Place::Here(from), Place::There { device, path }) => {
                let to = path.clone().ok_or_else(|| usage(sentences::CP_NO_DEVICE_FOLDER))?;
                devices.push(device.clone());
                copies.push(Copy::Give { from, to });
            }
            (Place::Here(_), Place::Here(_)) | (Place::There { .. }, Place::There { .. }) => {
                return Err(usage(sentences::CP_ONE_SIDE));
            }
        }
    }
    devices.sort();
    devices.dedup();
    match devices.pop() {
        Some(device) if devices.is_empty() => Ok(Plan { device, copies }),
        Some(_) => Err(usage(sentences::CP_ONE_DEVICE)),
        None => Err(usage(sentences::CP_NOWHERE)),
    }
}

pub(super) async fn cp(arguments: CpArguments, by: &SignedIn, output: Output) -> Result<(), Failure> {
    let plan = plan(arguments.places, Path::is_dir)?;
    let several = plan.copies.len() > 1;
    hold(by, &plan.device, arguments.asking, output, async |flows| {
        for copy in plan.copies {
            one(&flows, copy, several, output).await?;
        }
        Ok(())
    })
    .await
}

pub(super) async fn files(arguments: FilesArguments, by: &SignedIn, output: Output) -> Result<(), Failure> {
    let (device, path) = match arguments.place {
        Place::There { device, path } => (device, path),
        Place::Here(name) => (name.display().to_string(), None),
    };
    let now = by.clock.now();
    let found = RefCell::new(Vec::new());
    hold(by, &device, arguments.asking, output, async |flows| {
        found.replace(files::list(&flows, path).await?);
        Ok(())
    })
    .await?;
    let entries = found.into_inner();
    output.value(&entries.iter().map(told).collect::<Vec<_>>());
    let rows = entries.into_iter().map(|entry| {
        let file = entry.kind == EntryKind::File;
        let size = if file { sentences::bytes(entry.size) } else { String::new() };
        let changed = if entry.modified.micros() == 0 { String::new() } else { sentences::when(entry.modified, now) };
        [entry.name, sentences::kind_of_entry(entry.kind).to_owned(), size, changed]
    });
    output.table(["Name", "What", "Size", "Changed"], rows.collect::<Vec<_>>());
    Ok(())
}

fn told(entry: &FileEntry) -> serde_json::Value {
    let what = sentences::kind_of_entry(entry.kind);
    json!({ "name": entry.name, "what": what, "size": entry.size, "modified": entry.modified })
}

/// A session with the feature, for this work.
async fn hold(
    by: &SignedIn,
    named: &str,
    asking: Asking,
    output: Output,
    work: impl AsyncFnOnce(Flows) -> Result<(), NoFile>,
) -> Result<(), Failure> {
    let devices = by.cloud.devices().await?;
    let device = pick::device(&devices, named)?;
    if !device.features.contains(&Feature::Files) {
        return Err(Failure::new(Exit::Refused, sentences::no_files(&device.name), sentences::NEXT_OFFER_FILES));
    }
    let asked = asking.ask(Twice::Waits, output).await?;
    let reach = Reach { services: Vec::new(), networks: Vec::new(), backs: Vec::new(), features: vec![Feature::Files] };
    let outcome = RefCell::new(None);
    session::hold(by, device, reach, asked, output, async |ours, interrupted| {
        let (updates, told) = mpsc::unbounded_channel();
        let over = CancellationToken::new();
        let work = async |flows: Flows| {
            let done = work(flows).await;
            outcome.replace(Some(done));
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
        Some(Ok(())) => Ok(()),
        Some(Err(error)) => Err(refused(&error, device)),
        None => Err(refused(&NoFile::Cut, device)),
    }
}

fn refused(error: &NoFile, device: &DeviceView) -> Failure {
    let (exit, next) = match error {
        NoFile::Refused(_) | NoFile::Open(_) => (Exit::Refused, sentences::NEXT_FILES),
        NoFile::Cut | NoFile::Changed { .. } | NoFile::Digest => (Exit::Failed, sentences::NEXT_AGAIN_GOES_ON),
        NoFile::Here { .. } => (Exit::Failed, sentences::NEXT_HERE),
        NoFile::Spoken(_) => (Exit::Failed, sentences::NEXT_TRY_AGAIN),
    };
    Failure::new(exit, error.to_string(), next).about("device", format!("{} ({})", device.name, device.id_code))
}

async fn one(flows: &Flows, copy: Copy, several: bool, output: Output) -> Result<(), NoFile> {
    let (from, to, done) = match copy {
        Copy::Fetch { from, to } => {
            let bar = Bar::new(&to.display().to_string(), output);
            let done = files::fetch(flows, from.clone(), &to, &bar).await;
            (from.to_string(), to.display().to_string(), done)
        }
        Copy::Give { from, to } => {
            let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // A folder is a destination as it is for cp: the file keeps its name there.
            let is_folder = several || to.below().is_empty() || files::list(flows, Some(to.clone())).await.is_ok();
            let to = if is_folder { to.join(&name).map_err(|error| NoFile::Refused(error.to_string()))? } else { to };
            let bar = Bar::new(&to.to_string(), output);
            let done = files::give(flows, &from, to.clone(), &bar).await;
            (from.display().to_string(), to.to_string(), done)
        }
    };
    let size = done?;
    output.value(&json!({ "event": "copied", "from": from, "to": to, "bytes": size }));
    output.note(&sentences::copied(&from, &to, size));
    Ok(())
}

/// The progress of one file.
struct Bar(Option<ProgressBar>);

impl Bar {
    fn new(name: &str, output: Output) -> Self {
        let bar = output.is_watched().then(|| {
            let bar = ProgressBar::new(0);
            let words = "{msg}  {wide_bar} {bytes}/{total_bytes}  {bytes_per_sec}  {eta}";
            if let Ok(style) = ProgressStyle::with_template(words) {
                bar.set_style(style);
            }
            bar.set_message(name.to_owned());
            bar
        });
        Self(bar)
    }
}

impl Watch for Bar {
    fn begins(&self, size: u64, at: u64) {
        if let Some(bar) = &self.0 {
            bar.set_length(size);
            bar.set_position(at);
            bar.reset_eta();
        }
    }

    fn at(&self, at: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(at);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// What a person has to know of the session meanwhile.
async fn follow(mut told: mpsc::UnboundedReceiver<Update>, output: Output) {
    while let Some(update) = told.recv().await {
        if let Update::ExpiryWarn(seconds) = update {
            output.note(&sentences::left(u64::from(seconds)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(places: &[&str]) -> Result<Plan, Failure> {
        plan(places.iter().map(|place| place.parse().unwrap()).collect(), |path| path == Path::new("here"))
    }

    fn there(path: &str) -> DevicePath {
        path.parse().unwrap()
    }

    #[test]
    fn one_side_of_a_copy_is_one_device() {
        let fetched = planned(&["villa-rosa:logs/a/panel.log", "here"]).unwrap();
        let copy = Copy::Fetch { from: there("logs/a/panel.log"), to: "here/panel.log".into() };
        assert_eq!(fetched, Plan { device: "villa-rosa".into(), copies: vec![copy] });
        let named = planned(&["villa-rosa:logs/panel.log", "other.log"]).unwrap();
        assert_eq!(named.copies, [Copy::Fetch { from: there("logs/panel.log"), to: "other.log".into() }]);
        let given = planned(&["a.bin", "./odd:name", "villa-rosa:firmware/"]).unwrap();
        assert_eq!(given.copies.len(), 2);
        for (places, what) in [
            (&["a", "b"][..], sentences::CP_ONE_SIDE),
            (&["x:logs/a", "y:logs/a"], sentences::CP_ONE_SIDE),
            (&["x:logs/a", "y:logs/b", "here"], sentences::CP_ONE_DEVICE),
            (&["x:logs/a", "x:logs/b", "elsewhere"], sentences::CP_NO_FOLDER),
            (&["x:logs", "here"], sentences::CP_NO_FILE),
            (&["x:", "here"], sentences::CP_NO_FILE),
            (&["a", "x:"], sentences::CP_NO_DEVICE_FOLDER),
            (&["a"], sentences::CP_NOWHERE),
        ] {
            let refused = planned(places).unwrap_err();
            assert_eq!((refused.exit, refused.what.as_str()), (Exit::Usage, what), "{places:?}");
        }
        for bad in ["x:../etc", "x:logs/../../etc", "x:/etc/passwd", ""] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
