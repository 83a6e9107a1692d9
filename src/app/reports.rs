//! Writes reports of a run to files. A report may never stop or delay the run.

use std::{
    fs, io,
    os::unix::fs::FileTypeExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    thread,
    time::Duration,
};

use crate::sinks::write_whole;

/// How long a disk may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of the target. Only the writing thread examines it, because that can block if the
/// disk hangs.
#[derive(Default)]
pub(crate) struct Target {
    is_pipe: AtomicBool,
}

impl Target {
    /// Finds out whether the target is a pipe.
    pub(crate) fn look(&self, path: &Path) {
        let is_pipe = fs::metadata(path).is_ok_and(|there| there.file_type().is_fifo());
        self.is_pipe.store(is_pipe, Relaxed);
    }
}

/// Writes a report, completely or not at all, and waits only for a limited time.
///
/// # Errors
/// The report cannot be written, or not in time.
pub(crate) fn write_in_time(path: &Path, text: String) -> io::Result<()> {
    let (written, result) = sync_channel(1);
    let (path, target) = (path.to_path_buf(), Arc::new(Target::default()));
    let looked = target.clone();
    let write = move || {
        looked.look(&path);
        let _ = written.send(write_whole(&path, &text));
    };
    thread::Builder::new().name("report".into()).spawn(write)?;
    in_time(&result, &target)
}

/// Returns the result of the writing thread, if it comes in time.
pub(crate) fn in_time(result: &Receiver<io::Result<()>>, target: &Target) -> io::Result<()> {
    match result.recv_timeout(PATIENCE) {
        Ok(written) => written,
        Err(RecvTimeoutError::Timeout) => {
            let what = match target.is_pipe.load(Relaxed) {
                true => "it is a FIFO that no process has read for",
                false => "the disk did not respond within",
            };
            let what = format!("{what} {} s", PATIENCE.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, what))
        }
        Err(RecvTimeoutError::Disconnected) => {
            Err(io::Error::other("the thread that writes it failed"))
        }
    }
}
