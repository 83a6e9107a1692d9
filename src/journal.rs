//! The program's own log: what happened to a run, never what stood in an event.
//!
//! Where somebody looks it is a line for people, `tamis: …`; elsewhere one JSON object a line, in the
//! shape of the shipped schema `service-log`. Every line has one of the names below.

mod line;
mod rate;
pub mod stderr;
mod visible;

use std::{
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

use tracing::{
    Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use line::Trace;
use rate::Rates;
pub use serde_json::Value;
pub use visible::{visible, visible_lines};

/// Lines of other crates are not ours to print: they may hold anything.
const TARGET: &str = "tamis::journal";

macro_rules! events {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal, $level:ident;)*) => {
        /// What happened. The names are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Event { $($(#[doc = $doc])+ $name,)* }

        impl Event {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in the log.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// How much it matters.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$level,)* }
            }

            /// What it is, for the documentation.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)* }
            }
        }
    };
}

events! {
    /// A run of topics started: `version`, `packs_digest` and `config_digest` say what runs.
    RunStarted = "run_started", Info;
    /// A named file is not there yet; it is waited for.
    InputAwaited = "input_awaited", Info;
    /// An input could not be opened, or read to its end.
    InputFailed = "input_failed", Error;
    /// A followed input was truncated in place; what was added just before may be lost.
    InputTruncated = "input_truncated", Warn;
    /// More files are followed than descriptors are there: they are read in turn.
    DescriptorsShort = "descriptors_short", Warn;
    /// The first line of its reason was not forwarded; the summary and the measures count all.
    LineRejected = "line_rejected", Warn;
    /// Positions cannot be kept at present; they are tried again.
    CheckpointFailed = "checkpoint_failed", Error;
    /// Positions are kept again.
    CheckpointKept = "checkpoint_kept", Info;
    /// The output's disk is full; the input is held back.
    OutputFull = "output_full", Error;
    /// The output has room again.
    OutputHasRoom = "output_has_room", Info;
    /// Half a line, which an earlier run left at the output's end, was cut off.
    OutputCut = "output_cut", Warn;
    /// The output's last line had no end, and is not known to be tamis's own: it stays, and a line end follows it.
    OutputLineEnded = "output_line_ended", Warn;
    /// An output file was moved or removed while it was written to; it was created again.
    OutputReplaced = "output_replaced", Warn;
    /// An output file was moved or removed and cannot be created again yet; the input is held back.
    OutputHeld = "output_held", Error;
    /// Lines cannot be written to the file that their fields name; they go to `_other`.
    OutputNameRefused = "output_name_refused", Warn;
    /// The output is not complete; what was written of it is kept under another name.
    PartialKept = "partial_kept", Warn;
    /// An fsync failed; what may be lost is written again.
    FsyncFailed = "fsync_failed", Error;
    /// Rotated files could not be compressed or removed.
    RotationFailed = "rotation_failed", Warn;
    /// Dead letters are not replayed: they were tried often enough, or cannot be opened.
    LettersStay = "letters_stay", Info;
    /// The Kafka cluster has a fault; what failed is tried again.
    ClusterFault = "cluster_fault", Warn;
    /// A Kafka topic is not there yet; it is waited for.
    TopicAwaited = "topic_awaited", Warn;
    /// The Kafka group has not assigned partitions yet; the message says for what it waits.
    GroupAwaited = "group_awaited", Warn;
    /// This member joined its Kafka group.
    GroupJoined = "group_joined", Info;
    /// This member left its Kafka group for good.
    GroupLeft = "group_left", Info;
    /// Partitions are this member's, and begin at these offsets.
    PartitionsAssigned = "partitions_assigned", Info;
    /// Partitions are another member's now, and were delivered up to these offsets.
    PartitionsRevoked = "partitions_revoked", Info;
    /// A Kafka partition cannot be read from where it is to be; the run ends.
    PartitionFailed = "partition_failed", Error;
    /// The Kafka group is joined anew: partitions are nobody's, or more than the memory was shared out for.
    GroupJoinedAnew = "group_joined_anew", Info;
    /// Records arrive exactly once, for who reads what is committed alone.
    ExactlyOnce = "exactly_once", Warn;
    /// A Kafka topic has a fault of its own: it is paused, and tried again; others go on.
    TopicPaused = "topic_paused", Error;
    /// A Kafka topic is read again.
    TopicResumed = "topic_resumed", Info;
    /// A Kafka partition has not advanced for 20 s although there is more to read; the line says why.
    PartitionStalled = "partition_stalled", Error;
    /// A Kafka partition that was stalled advances again.
    PartitionAdvances = "partition_advances", Info;
    /// An operator paused a Kafka topic or partition.
    ReadingPaused = "reading_paused", Warn;
    /// An operator had a Kafka topic or partition read again.
    ReadingResumed = "reading_resumed", Info;
    /// Certificates and keys are others now: clients of Kafka are made anew with them.
    CertificatesTaken = "certificates_taken", Info;
    /// Certificates and keys are others now, and no client of Kafka can be made with them; those of before stay.
    CertificatesRefused = "certificates_refused", Error;
    /// Records of a Kafka topic are skipped, for an operator or by the configuration.
    OffsetsSkipped = "offsets_skipped", Warn;
    /// Runs died again and again of the same Kafka records: they are judged one by one.
    RecordsSuspected = "records_suspected", Warn;
    /// Runs died of a Kafka record: it is not judged any more, and not forwarded.
    RecordQuarantined = "record_quarantined", Error;
    /// The configuration was read again and is in force; `config_digest` says which.
    ConfigReloaded = "config_reloaded", Info;
    /// The configuration was read again and does not hold; what was in force stays.
    ConfigRefused = "config_refused", Error;
    /// The admin server listens.
    AdminListens = "admin_listens", Info;
    /// The admin server listens where other machines may ask, and wants no token.
    AdminOpen = "admin_open", Warn;
    /// The file of measures cannot be written.
    MetricsFailed = "metrics_failed", Warn;
    /// The file of statistics cannot be written.
    StatsFailed = "stats_failed", Warn;
    /// Lines of this log were dropped, because standard error was not read; it takes lines again.
    LogLinesDropped = "log_lines_dropped", Warn;
    /// The run ended; the line has the summary's keys. Where the exit code is 3, its level is `fatal`.
    RunEnded = "run_ended", Info;
    /// The run could not go on.
    RunFailed = "run_failed", Fatal;
    /// A bug of tamis.
    InternalError = "internal_error", Fatal;
}

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look.
    Warn,
    /// Something does not work.
    Error,
    /// Nothing works.
    Fatal,
}

impl Severity {
    /// Its name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Plain,
    /// For programs.
    Json,
}

static FORM: OnceLock<Form> = OnceLock::new();

/// From now on lines look like this, and come through `tracing`. Before, they are for people.
pub fn start(form: Form) {
    if FORM.set(form).is_ok() {
        // Another subscriber is a test's: it has its reasons.
        let _ = tracing::subscriber::set_global_default(Journal::new());
    }
}

/// How lines look.
fn form() -> Form {
    FORM.get().copied().unwrap_or(Form::Plain)
}

/// Tells what happened, where somebody else decides how.
pub type Say = Arc<dyn Fn(Event, &str) + Send + Sync>;

/// The same with fields.
pub type SayWith = Arc<dyn Fn(Event, &str, Fields<'_>) + Send + Sync>;

/// What a line has beside its message, for programs: names out of [`FIELDS`].
pub type Fields<'a> = &'a [(&'static str, Value)];

/// All fields that a line can have beside those of every line. The names are stable.
pub const FIELDS: &[(&str, &str)] = &[
    ("reason", "why: a reason of the summary, or what librdkafka calls the error"),
    ("topic", "the Kafka topic"),
    ("partition", "its partition"),
    ("offset", "the offset in it"),
    ("partitions", "several of these: objects with `topic`, `partition` and `offset`"),
    ("skipped", "how many offsets are skipped"),
    ("input", "the input, where it is no topic"),
    ("line", "the line in it, or in the value of a record"),
    ("group", "the consumer group"),
    ("instance", "the member's name there (`instance`)"),
    ("duration_ms", "how long it took, or takes so far"),
    ("version", "the version of tamis"),
    ("packs_digest", "the digest of the packs that ship, as `tamis -V` shows it"),
    ("config_digest", "the SHA-256 of what `tamis config show` prints with the same arguments"),
];

/// Tells what happened.
pub fn tell(event: Event, message: &dyn Display) {
    tell_with(event, message, &[]);
}

/// Tells what happened, with fields for programs. Whatever the message holds of others' text, no terminal
/// obeys it.
pub fn tell_with(event: Event, message: &dyn Display, fields: Fields<'_>) {
    let message = visible_lines(&message.to_string());
    if FORM.get().is_none() {
        return stderr::write(&plain(&message));
    }
    let (name, fields) = (event.name(), line::object(fields));
    match event.severity() {
        Severity::Info => tracing::info!(target: TARGET, event = name, fields, "{message}"),
        Severity::Warn => tracing::warn!(target: TARGET, event = name, fields, "{message}"),
        Severity::Error | Severity::Fatal => {
            tracing::error!(target: TARGET, event = name, fields, "{message}");
        }
    }
}

/// The line of what happened, as it is written.
fn line_of(event: Event, message: &str) -> String {
    match form() {
        Form::Plain => plain(message),
        Form::Json => Trace::of_this_run().line(event, message, 0, ""),
    }
}

/// For people: a line as a rule.
fn plain(message: &str) -> String {
    format!("tamis: {}\n", message.replace('\n', "\ntamis: "))
}

/// The line of a run's end: the keys of `summary`, one JSON object, among the log's. One that `failed` is
/// fatal.
pub fn run_ended(summary: &str, failed: bool) -> String {
    let severity = if failed { Severity::Fatal } else { Event::RunEnded.severity() };
    Trace::of_this_run().with_keys(Event::RunEnded, severity, summary)
}

/// Writes what is told to [standard error](stderr).
struct Journal {
    started: Instant,
    rates: Mutex<Rates>,
}

impl Journal {
    fn new() -> Self {
        Self { started: Instant::now(), rates: Mutex::default() }
    }

    fn rates(&self) -> MutexGuard<'_, Rates> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && *metadata.level() <= Level::INFO
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut told = Told::default();
        event.record(&mut told);
        let Some(event) = Event::ALL.iter().find(|event| event.name() == told.event) else {
            return;
        };
        let Some(passed_over) = self.rates().pass(*event, self.started.elapsed()) else { return };
        let line = match form() {
            Form::Plain => plain(&told.message),
            Form::Json => {
                let trace = Trace::of_this_run();
                trace.line(*event, &told.message, passed_over, &told.fields)
            }
        };
        stderr::write(&line);
    }

    // Nothing here has spans.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Told {
    event: String,
    message: String,
    /// One JSON object.
    fields: String,
}

impl Visit for Told {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "event" => value.clone_into(&mut self.event),
            "fields" => value.clone_into(&mut self.fields),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}
