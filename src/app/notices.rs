//! Immediate notices on standard error: the first rejected line of each reason (for binary data, of
//! each topic), and inputs that fail.

use std::{
    collections::BTreeSet,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{
    advice::advice,
    cause::{cause, cause_of_input},
    progress::Progress,
    telemetry::Telemetry,
    visible::visible,
};
use crate::{
    journal::{Event, Value, tell, tell_with},
    pipeline::{Observer, Place, Reason, Reject, Report},
};

/// Writes notices to standard error. They never contain the text of a line.
pub(crate) struct Notices {
    quiet: bool,
    progress: Option<Progress>,
    telemetry: Arc<Telemetry>,
    said: [AtomicBool; Reason::ALL.len()],
    /// Topics that were reported to contain binary data.
    binary: Mutex<BTreeSet<String>>,
}

impl Notices {
    pub(crate) fn new(quiet: bool, progress: Option<Progress>, telemetry: Arc<Telemetry>) -> Self {
        let said = [const { AtomicBool::new(false) }; Reason::ALL.len()];
        Self { quiet, progress, telemetry, said, binary: Mutex::default() }
    }

    /// Reports that a named input does not exist yet.
    pub(crate) fn waits(&self, name: &str, why: &str) {
        if !self.quiet {
            self.clear();
            let name = visible(name);
            tell(Event::InputAwaited, &format_args!("waiting for {name}: {why}"));
        }
    }

    /// Returns whether the partition's topic was not reported yet.
    fn is_new(&self, partition: &str) -> bool {
        let topic = partition.split('[').next().unwrap_or_default();
        let mut binary = self.binary.lock().unwrap_or_else(PoisonError::into_inner);
        !binary.contains(topic) && binary.insert(topic.to_owned())
    }

    /// Clears the progress line.
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
            let what = notice(place, reject, kept);
            tell_with(
                Event::LineRejected,
                &what,
                &fields(self.telemetry.is_member(), place, reject.reason),
            );
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
        let what = "it was truncated, and is now read from its beginning";
        tell(
            Event::InputTruncated,
            &format_args!("{input}: {what}; lines that were appended just before may be lost"),
        );
    }

    fn few_descriptors(&self, open: usize) {
        self.clear();
        let what = "files can be open at a time (`ulimit -n`), but more are followed";
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
            &format_args!("--data-dir: {}; retrying, nothing is lost", cause(error)),
        );
    }

    fn checkpoint_kept(&self) {
        self.clear();
        tell(Event::CheckpointKept, &"--data-dir: checkpoints are written again");
    }

    fn offsets_failed(&self, error: &io::Error) {
        self.telemetry.checkpoint_failed();
        self.clear();
        let what = "the next run will read some records again, nothing is lost";
        tell(Event::CheckpointFailed, &format_args!("{error}; {what}"));
    }

    fn progress(&self, so_far: &Report) {
        self.telemetry.see(so_far);
        if let Some(progress) = &self.progress {
            progress.show(so_far);
        }
    }
}

/// Returns the location and the reason of a rejected line as fields, by topic for records and by
/// input for lines.
fn fields(of_topics: bool, place: &Place<'_>, reason: Reason) -> Vec<(&'static str, Value)> {
    let mut fields = vec![("reason", reason.word().into())];
    match record(place).filter(|_| of_topics) {
        Some((topic, partition, offset, line)) => {
            fields.extend([
                ("topic", topic.into()),
                ("partition", partition.into()),
                ("offset", offset.into()),
            ]);
            fields.extend(line.map(|line| ("line", line.into())));
        }
        None => fields.extend([("input", place.input.into()), ("line", place.line.into())]),
    }
    fields
}

/// Returns the topic, partition and offset of a record, and the line number if its value has
/// several lines.
fn record<'a>(place: &Place<'a>) -> Option<(&'a str, i64, u64, Option<u64>)> {
    let (topic, rest) = place.input.split_once('[')?;
    let (partition, offset) = rest.split_once(']')?;
    let partition = partition.parse().ok()?;
    match offset.strip_prefix(':') {
        None => Some((topic, partition, place.line, None)),
        Some(offset) => Some((topic, partition, offset.parse().ok()?, Some(place.line))),
    }
}

fn notice(place: &Place<'_>, reject: &Reject, kept: bool) -> String {
    let what = if kept { "dead-lettered" } else { "dropped" };
    let Place { input, line, .. } = place;
    let reason = reject.reason.word();
    let advice = advice(reject.reason, &reject.missing, reject.detail);
    let at = match (reject.pointer.as_str(), reject.at) {
        ("", 0) => String::new(),
        ("", at) => format!(" at byte {at}"),
        (pointer, _) => format!(" at {pointer}"),
    };
    visible(&format!("{what} {input}:{line}: {reason}{at}: {advice}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::pipeline::EngineReason;

    #[test]
    fn where_a_line_stood_is_told_in_fields() {
        for (of_topics, input, line, wanted) in [
            (true, "a.b[3]", 7, json!({"topic": "a.b", "partition": 3, "offset": 7})),
            (true, "t[0]:12", 2, json!({"topic": "t", "partition": 0, "offset": 12, "line": 2})),
            (false, "t[0]", 9, json!({"input": "t[0]", "line": 9})),
            (false, "stdin", 1, json!({"input": "stdin", "line": 1})),
        ] {
            let place = Place { input, line, offset: 0, length: 1 };
            let mut object: Map<_, _> = fields(of_topics, &place, EngineReason::Syntax.into())
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
            assert_eq!(object.remove("reason"), Some("syntax".into()));
            assert_eq!(Value::Object(object), wanted);
        }
    }
}
