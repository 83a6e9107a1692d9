//! Waits for space on a full disk, or until a removed file can be recreated.

use std::{
    fmt, io,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    journal::{Event, Say},
    shutdown::Shutdown,
};

const FIRST: Duration = Duration::from_millis(250);
const MOST: Duration = Duration::from_secs(5);
/// How often to check for a shutdown request while waiting.
const LOOK: Duration = Duration::from_millis(50);
/// How long a stopped run waits for space: less than the pipeline does, so that the cause is
/// reported.
const LAST: Duration = Duration::from_millis(1500);

/// Retries an operation, reports that once, and knows when to give up.
#[derive(Clone)]
pub(in crate::sinks) struct Retry {
    pub(in crate::sinks) shutdown: Shutdown,
    pub(in crate::sinks) say: Say,
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Retry")
    }
}

impl Retry {
    /// Retries until there is space, or until a shutdown ends the wait.
    pub(in crate::sinks) fn until_room<T>(
        &self,
        what: &str,
        attempt: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        let full = |_: &io::Error| {
            let why = "no space left on the device: waiting for space; reading is paused";
            (self.say)(Event::OutputFull, &format!("{what}: {why}"));
        };
        let (done, waited) = self.until_done(attempt, is_full, full)?;
        if waited {
            let what = format!("{what}: the device has space again; continuing");
            (self.say)(Event::OutputHasRoom, &what);
        }
        Ok(done)
    }

    /// Retries until the operation succeeds, whatever fails, or until a shutdown ends the wait.
    /// Used for a file that was removed while it was written and cannot be recreated yet.
    pub(in crate::sinks) fn until_back<T>(
        &self,
        what: &str,
        attempt: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        let held = |error: &io::Error| {
            let what =
                format!("{what}: it cannot be recreated ({error}): reading is paused until it can");
            (self.say)(Event::OutputHeld, &what);
        };
        Ok(self.until_done(attempt, |_| true, held)?.0)
    }

    /// Retries as long as the operation fails with an error that `passes`, with growing pauses, and
    /// reports the first one. Returns the result, and whether it had to wait.
    fn until_done<T>(
        &self,
        mut attempt: impl FnMut() -> io::Result<T>,
        passes: impl Fn(&io::Error) -> bool,
        report: impl Fn(&io::Error),
    ) -> io::Result<(T, bool)> {
        let (mut pause, mut waited, waiting) = (FIRST, false, Instant::now());
        loop {
            match attempt() {
                Ok(done) => return Ok((done, waited)),
                Err(error) if passes(&error) => {
                    if !waited {
                        report(&error);
                        waited = true;
                    }
                    if !self.pause(pause, waiting) {
                        return Err(error);
                    }
                    pause = (2 * pause).min(MOST);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for `pause`, and returns whether to continue; the whole wait began at `waiting`.
    fn pause(&self, pause: Duration, waiting: Instant) -> bool {
        let begun = Instant::now();
        loop {
            if self.shutdown.abandons(waiting, LAST) {
                return false;
            }
            if begun.elapsed() >= pause {
                return true;
            }
            sleep(LOOK);
        }
    }
}

/// Returns whether there is no space, on the disk or for this user.
pub(in crate::sinks) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
