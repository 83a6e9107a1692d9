//! Files that say how a run is, or was: none of them may stop it, or hold it up.

use std::{
    io,
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};

use crate::sinks::write_whole;

/// How long a disk may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Writes a report, whole or not at all, and waits for the disk no longer than it may take.
///
/// # Errors
/// It cannot be written, or not in time.
pub(crate) fn write_in_time(path: &Path, text: String) -> io::Result<()> {
    let (written, result) = sync_channel(1);
    let path = path.to_path_buf();
    let write = move || drop(written.send(write_whole(&path, &text)));
    thread::Builder::new().name("report".into()).spawn(write)?;
    in_time(&result)
}

/// What a thread that writes comes to, if that is soon.
pub(crate) fn in_time(result: &Receiver<io::Result<()>>) -> io::Result<()> {
    match result.recv_timeout(PATIENCE) {
        Ok(written) => written,
        Err(RecvTimeoutError::Timeout) => {
            let what = format!("the disk does not answer within {} s", PATIENCE.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, what))
        }
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("it was not written")),
    }
}
