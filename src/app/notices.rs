//! What is said at once: the first reject of each reason (of each topic, where it is the topic's), and
//! inputs that fail.

use std::{
    collections::BTreeSet,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{
    cause::{cause, cause_of_input},
    progress::Progress,
    telemetry::Telemetry,
    visible::visible,
};
use crate::{
    engine::{Reason, Reject},
    journal::{Event, tell},
    pipeline::{Observer, Place, Report},
};

/// Speaks on standard error, never of a line's text.
pub(crate) struct Notices {
    quiet: bool,
    progress: Option<Progress>,
    telemetry: Arc<Telemetry>,
    said: [AtomicBool; Reason::ALL.len()],
    /// Topics of which it was said that they hold no text.
    binary: Mutex<BTreeSet<String>>,
}

impl Notices {
    pub(crate) fn new(quiet: bool, progress: Option<Progress>, telemetry: Arc<Telemetry>) -> Self {
        let said = [const { AtomicBool::new(false) }; Reason::ALL.len()];
        Self { quiet, progress, telemetry, said, binary: Mutex::default() }
    }

    /// What was named is not there yet.
    pub(crate) fn waits(&self, name: &str, why: &str) {
        if !self.quiet {
            self.clear();
            let name = visible(name);
            tell(Event::InputAwaited, &format_args!("waits for {name}: {why}"));
        }
    }

    /// Whether nothing was said of a partition's topic.
    fn is_new(&self, partition: &str) -> bool {
        let topic = partition.split('[').next().unwrap_or_default();
        let mut binary = self.binary.lock().unwrap_or_else(PoisonError::into_inner);
        !binary.contains(topic) && binary.insert(topic.to_owned())
    }

    /// Says nothing more about how far the run is.
    pub(crate) fn clear(&self) {
        if let Some(progress) = &self.progress {
            progress.clear();
        }
    }
}

impl Observer for Notices {
    fn rejected(&self, place: &Place<'_>, reject: &Reject, kept: bool) {
        let said = &self.said[reject.reason.index()];
        let first = match reject.reason {
            Reason::Binary => !self.quiet && self.is_new(place.input),
            _ => !self.quiet && !said.load(Relaxed) && !said.swap(true, Relaxed),
        };
        if first {
            self.clear();
            tell(Event::LineRejected, &notice(place, reject, kept));
        }
    }

    fn input_failed(&self, input: &str, error: &io::Error) {
        self.clear();
        let what = format!("{input}: {}", cause_of_input(error));
        tell(Event::InputFailed, &visible(&what));
    }

    fn input_truncated(&self, input: &str) {
        self.clear();
        let input = visible(input);
        let what = "it was truncated, and is read from its beginning";
        tell(
            Event::InputTruncated,
            &format_args!("{input}: {what}; what was added just before that may be lost"),
        );
    }

    fn few_descriptors(&self, open: usize) {
        self.clear();
        let what = "files can be open at a time (`ulimit -n`), and more are followed";
        tell(
            Event::DescriptorsShort,
            &format_args!(
                "{open} {what}: they are read in turn; raise the limit to read them at once"
            ),
        );
    }

    fn checkpoint_failed(&self, error: &io::Error) {
        self.telemetry.checkpoint_failed();
        self.clear();
        tell(
            Event::CheckpointFailed,
            &format_args!("--data-dir: {}; tried again, nothing is lost", cause(error)),
        );
    }

    fn checkpoint_kept(&self) {
        self.clear();
        tell(Event::CheckpointKept, &"--data-dir: positions are kept again");
    }

    fn offsets_failed(&self, error: &io::Error) {
        self.telemetry.checkpoint_failed();
        self.clear();
        let what = "the next run reads some records again, nothing is lost";
        tell(Event::CheckpointFailed, &format_args!("{error}; {what}"));
    }

    fn progress(&self, so_far: &Report) {
        self.telemetry.see(so_far);
        if let Some(progress) = &self.progress {
            progress.show(so_far);
        }
    }
}

fn notice(place: &Place<'_>, reject: &Reject, kept: bool) -> String {
    let what = if kept { "dead-lettered" } else { "dropped" };
    let Place { input, line, .. } = place;
    let (reason, mend) = (reject.reason.word(), reject.advice());
    let at = match (reject.pointer.as_str(), reject.at) {
        ("", 0) => String::new(),
        ("", at) => format!(" at byte {at}"),
        (pointer, _) => format!(" at {pointer}"),
    };
    visible(&format!("{what} {input}:{line}: {reason}{at}: {mend}"))
}
