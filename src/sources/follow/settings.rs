//! What is followed, and how.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{compression::Window, pipeline::Observer, shutdown::Shutdown};

/// The files to follow at present.
#[derive(Default)]
pub struct Listing {
    /// Files.
    pub files: Vec<PathBuf>,
    /// Folders in which files may appear.
    pub folders: Vec<PathBuf>,
    /// What could not be listed, and why.
    pub failed: Vec<(String, io::Error)>,
    /// Files and folders that could not be examined. What was known about them still holds.
    pub unknown: Vec<PathBuf>,
}

/// How files are followed.
pub struct Settings {
    /// Lists the files.
    pub list: Box<dyn FnMut() -> Listing + Send>,
    /// The directory for checkpoints; without it, all files are read from their beginning.
    pub data_dir: Option<PathBuf>,
    /// How long to wait for the end of an incomplete last line.
    pub line_age: Duration,
    /// Whether to poll instead of using inotify.
    pub polling: bool,
    /// The maximum number of open files; more are read in turn.
    pub most_open: usize,
    /// The maximum window of a decoder.
    pub window: Window,
    /// A monotonic clock.
    pub clock: Box<dyn Fn() -> Instant + Send>,
    /// Receives failures.
    pub observer: Arc<dyn Observer>,
    /// The shutdown state.
    pub shutdown: Shutdown,
}
