//! Shows the progress of a run on one line of the terminal, which is overwritten and removed at the
//! end.

use std::{
    fs,
    io::{self, IsTerminal as _},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

use super::{
    inputs::InputChoice,
    resolved::{Output, Run},
};
use crate::{compression::Found, journal::stderr, pipeline::Report, summary::size};

/// Moves the cursor to the start of the line, and clears it.
const CLEAR: &str = "\r\u{1b}[K";

/// Shown if standard error is a terminal on which nothing else is printed.
pub(crate) struct Progress {
    started: Instant,
    /// The total number of bytes, if every input is a file.
    total: Option<u64>,
    found: Vec<Found>,
    shown: AtomicBool,
}

impl Progress {
    /// Returns `None` if the progress line would get in the way.
    pub(crate) fn of(run: &Run, found: &[Found]) -> Option<Self> {
        let printed = matches!(run.output, Output::Standard) && io::stdout().is_terminal();
        if run.quiet || printed || !io::stderr().is_terminal() {
            return None;
        }
        let total = run.inputs.choices.iter().map(length).sum();
        let found = found.to_vec();
        Some(Self { started: Instant::now(), total, found, shown: AtomicBool::new(false) })
    }

    pub(crate) fn show(&self, so_far: &Report) {
        // The size of a compressed file says nothing about the length of its text.
        let packed = self.found.iter().any(|found| found.get().is_some());
        let total = self.total.filter(|_| !packed);
        let line = line(so_far, total, self.started.elapsed());
        stderr::show(&format!("{CLEAR}{line}"));
        self.shown.store(true, Relaxed);
    }

    /// Clears the line before something else is printed.
    pub(crate) fn clear(&self) {
        if self.shown.swap(false, Relaxed) {
            stderr::show(CLEAR);
        }
    }
}

fn length(input: &InputChoice) -> Option<u64> {
    match input {
        InputChoice::Stdin => None,
        InputChoice::File { path, .. } => {
            fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|file| file.len())
        }
        InputChoice::Refused { .. } | InputChoice::Unmatched { .. } => Some(0),
    }
}

fn line(so_far: &Report, total: Option<u64>, elapsed: Duration) -> String {
    let done = so_far.bytes_in;
    let rate = done as f64 / elapsed.as_secs_f64().max(0.001);
    let mut line = format!("tamis: {}", size(done));
    match total.filter(|total| *total >= done && rate >= 1.0) {
        None => line += &format!(", {}/s", size(rate as u64)),
        Some(total) => {
            let left = (total - done) as f64 / rate;
            line += &format!(" of {}, {}/s, {left:.0} s left", size(total), size(rate as u64));
        }
    }
    let refused: u64 = so_far.tally.rejected.iter().sum();
    if refused > 0 {
        line += &format!(", {refused} not forwarded");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_line_says() {
        let mut so_far = Report { bytes_in: 10_000_000, ..Report::default() };
        let second = Duration::from_secs(1);
        assert_eq!(line(&so_far, None, second), "tamis: 10.0 MB, 10.0 MB/s");
        so_far.tally.rejected[0] = 3;
        let wanted = "tamis: 10.0 MB of 50.0 MB, 10.0 MB/s, 4 s left, 3 not forwarded";
        assert_eq!(line(&so_far, Some(50_000_000), second), wanted);
    }
}
