//! What there is to follow, and how.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{compression::Window, pipeline::Observer, shutdown::Shutdown};

/// What there is to follow, as of now.
#[derive(Default)]
pub struct Listing {
    /// Files.
    pub files: Vec<PathBuf>,
    /// Folders in which more may appear.
    pub folders: Vec<PathBuf>,
    /// What cannot be looked into, and why.
    pub failed: Vec<(String, io::Error)>,
    /// Files and folders of which it is not known what is there, or in them: what was known of them
    /// holds.
    pub unknown: Vec<PathBuf>,
}

/// How files are followed.
pub struct Settings {
    /// Lists them anew.
    pub list: Box<dyn FnMut() -> Listing + Send>,
    /// Where positions are kept; `None`: nowhere, and all is read from its beginning.
    pub data_dir: Option<PathBuf>,
    /// How long a last line without an end is waited for.
    pub line_age: Duration,
    /// Ask no inotify.
    pub polling: bool,
    /// So many files may be open at a time; more are read in turn.
    pub most_open: usize,
    /// The window that a decoder may have.
    pub window: Window,
    /// How long ago something was: a monotonic clock.
    pub clock: Box<dyn Fn() -> Instant + Send>,
    /// Who hears of trouble.
    pub observer: Arc<dyn Observer>,
    /// When to end.
    pub shutdown: Shutdown,
}
