//! What is said at once: the first reject of each reason, and inputs that fail.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use super::{cause::cause, say};
use crate::{
    engine::{Reason, Reject},
    pipeline::{Observer, Place},
};

/// Speaks on standard error, never of a line's text.
pub(crate) struct Notices {
    quiet: bool,
    said: [AtomicBool; Reason::ALL.len()],
}

impl Notices {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, said: [const { AtomicBool::new(false) }; Reason::ALL.len()] }
    }
}

impl Observer for Notices {
    fn rejected(&self, place: &Place<'_>, reject: &Reject, kept: bool) {
        let said = &self.said[reject.reason.index()];
        if !self.quiet && !said.load(Relaxed) && !said.swap(true, Relaxed) {
            say(&notice(place, reject, kept));
        }
    }

    fn input_failed(&self, input: &str, error: &io::Error) {
        say(&format_args!("{input}: {}", cause(error)));
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
    format!("{what} {input}:{line}: {reason}{at}: {mend}")
}
