//! Following: the files that were named, looked for again and again.

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
    resolved::Follow as Choice,
};
use crate::{
    pipeline::{self, Observer},
    shutdown::Shutdown,
    sources::{
        Follow,
        follow::{Listing, MOST_FILES, Settings, StoreError},
    },
};

/// How long what was delivered may wait for its checkpoint: what a killed process reads twice.
const ACKNOWLEDGE_EVERY: Duration = Duration::from_millis(500);
/// Descriptors beside those of the followed files.
const OTHER_DESCRIPTORS: u64 = 256;

/// The inputs of a run that follows.
pub(crate) fn inputs(
    choice: &Choice,
    window_log: u32,
    observer: Arc<dyn Observer>,
    shutdown: Shutdown,
) -> Result<pipeline::Inputs> {
    raise_limit();
    let (files, recursive) = (choice.files.clone(), choice.recursive);
    let settings = Settings {
        list: Box::new(move || listing(&Inputs::find(&files, recursive))),
        data_dir: choice.data_dir.clone(),
        line_age: choice.line_timeout,
        polling: choice.poll,
        window_log,
        clock: Box::new(Instant::now),
        observer,
        shutdown,
    };
    let (growing, checkpoint) = Follow::open(settings).map_err(|error| match error {
        StoreError::Io { path, cause: why } => anyhow!("--data-dir {path}: {}", cause(&why)),
        other => anyhow!(other),
    })?;
    let growing = Box::new(growing);
    Ok(pipeline::Inputs::Growing { growing, checkpoint, every: ACKNOWLEDGE_EVERY })
}

fn listing(inputs: &Inputs) -> Listing {
    let mut listing = Listing { folders: inputs.folders.clone(), ..Listing::default() };
    for choice in &inputs.choices {
        match choice {
            InputChoice::File { path, .. } => listing.files.push(path.clone()),
            InputChoice::Refused { name, why } => {
                listing.failed.push((name.clone(), io::Error::other(why.clone())));
            }
            // It may match yet.
            InputChoice::Unmatched { .. } | InputChoice::Stdin => {}
        }
    }
    listing
}

/// Each followed file needs a descriptor; the usual soft limit is 1024. Where the hard one is too
/// low, too, files that cannot be opened are told.
fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = MOST_FILES as u64 + OTHER_DESCRIPTORS;
    let most = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if current.is_some_and(|current| current < most) {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum });
    }
}
