//! Opens followed inputs: the named files and globs, which are listed periodically.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{
    cause::cause,
    inputs::{InputChoice, Inputs},
    notices::Notices,
    resolved::Follow as Choice,
    telemetry::process,
    visible,
};
use crate::{
    compression::Window,
    config::names::Names,
    pipeline::{self, Observer},
    shutdown::Shutdown,
    sources::{
        Follow,
        follow::{Listing, MOST_FILES, Settings, StoreError},
    },
};

/// The maximum delay between a delivery and its checkpoint: lines delivered within it are repeated
/// after a kill.
const ACKNOWLEDGE_EVERY: Duration = Duration::from_millis(500);
/// Descriptors that are reserved for other uses than followed files.
const OTHER_DESCRIPTORS: u64 = 256;

/// Opens the inputs of a run that follows files.
pub(crate) fn inputs(
    choice: &Choice,
    names: &Names,
    window: Window,
    notices: &Arc<Notices>,
    shutdown: Shutdown,
) -> Result<pipeline::Inputs> {
    let most_open = most_open(raise_limit());
    let (files, recursive) = (choice.files.clone(), choice.recursive);
    let observer: Arc<dyn Observer> = notices.clone();
    let settings = Settings {
        list: Box::new(move || listing(&Inputs::find(&files, recursive))),
        data_dir: choice.data_dir.clone(),
        line_age: choice.line_timeout,
        polling: choice.poll,
        most_open,
        window,
        clock: Box::new(Instant::now),
        observer,
        shutdown,
    };
    let (growing, checkpoint) = Follow::open(settings).map_err(|error| match error {
        StoreError::Io { path, cause: why } => {
            let why = match why.kind() {
                io::ErrorKind::AlreadyExists => "it is a file, not a directory".into(),
                _ => cause(&why),
            };
            anyhow!("{} {path}: {why}", names.at("--data-dir"))
        }
        other => anyhow!(other),
    })?;
    tell_what_is_not_there(choice, notices);
    let growing = Box::new(growing);
    Ok(pipeline::Inputs::Growing { growing, checkpoint, every: ACKNOWLEDGE_EVERY })
}

/// Reports missing files once, at the start.
fn tell_what_is_not_there(choice: &Choice, notices: &Notices) {
    for named in &choice.files {
        let found = Inputs::find(std::slice::from_ref(named), choice.recursive);
        let why = match found.choices.first() {
            None => "the directory contains no file yet",
            Some(InputChoice::Unmatched { .. }) => "no file matches yet",
            Some(InputChoice::File { path, .. }) if !path.exists() => "the file does not exist yet",
            Some(_) => continue,
        };
        notices.waits(&visible::name(named), why);
    }
}

fn listing(inputs: &Inputs) -> Listing {
    let (folders, unknown) = (inputs.folders.clone(), inputs.unknown.clone());
    let mut listing = Listing { folders, unknown, ..Listing::default() };
    for choice in &inputs.choices {
        match choice {
            InputChoice::File { path, .. } => listing.files.push(path.clone()),
            InputChoice::Refused { name, why } => {
                listing.failed.push((name.clone(), io::Error::other(why.clone())));
            }
            // A file may match later.
            InputChoice::Unmatched { .. } | InputChoice::Stdin => {}
        }
    }
    listing
}

/// Raises the soft limit of descriptors, because each followed file needs one and the usual limit
/// is 1024. Returns the limit.
fn raise_limit() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = MOST_FILES as u64 + OTHER_DESCRIPTORS;
    let most = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if current.is_some_and(|current| current < most)
        && setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum }).is_ok()
    {
        return most;
    }
    current.unwrap_or(u64::MAX)
}

/// Returns how many followed files can be open under `limit`. Outputs, checkpoints and listings
/// need descriptors, too. If there are more files, they are read in turn.
fn most_open(limit: u64) -> usize {
    let used = process::open_files().unwrap_or(OTHER_DESCRIPTORS / 8);
    let left = limit.saturating_sub(used);
    let others = OTHER_DESCRIPTORS.min(left.div_ceil(2));
    usize::try_from(left - others).unwrap_or(usize::MAX).clamp(1, MOST_FILES)
}
