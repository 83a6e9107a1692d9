//! The program's own log: what happens in a run, never the content of an event.
//!
//! On a terminal it is text for people, `tamis: …`; otherwise one JSON object per line, which
//! conforms to the built-in schema `service-log`. Every line has one of the names below.

mod line;
mod rate;
pub mod stderr;
mod subscriber;
mod visible;

use std::{
    fmt::Display,
    sync::{Arc, OnceLock},
};

use line::Trace;
pub use serde_json::Value;
use subscriber::Journal;
pub use visible::{visible, visible_lines};

/// Log lines of other crates are not printed, because they may contain anything.
const TARGET: &str = "tamis::journal";

macro_rules! events {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal, $level:ident;)*) => {
        /// What happened. The names are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Event { $($(#[doc = $doc])+ $name,)* }

        impl Event {
            /// All events.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns its name in the log.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Returns its severity.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$level,)* }
            }

            /// Returns its description, for the documentation.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)* }
            }
        }
    };
}

events! {
    /// A run of topics started: `version`, `packs_digest` and `config_digest` say what runs.
    RunStarted = "run_started", Info;
    /// A named file does not exist yet; Tamis waits for it.
    InputAwaited = "input_awaited", Info;
    /// An input could not be opened, or not be read to its end.
    InputFailed = "input_failed", Error;
    /// A followed input was truncated in place; lines that were appended just before may be lost.
    InputTruncated = "input_truncated", Warn;
    /// There are fewer file descriptors than followed files; the files are read in turn.
    DescriptorsShort = "descriptors_short", Warn;
    /// A line was not forwarded, the first for this reason; the summary and the metrics count all.
    LineRejected = "line_rejected", Warn;
    /// Checkpoints cannot be written at present; Tamis retries.
    CheckpointFailed = "checkpoint_failed", Error;
    /// Checkpoints are written again.
    CheckpointKept = "checkpoint_kept", Info;
    /// The disk of the output is full; reading is paused.
    OutputFull = "output_full", Error;
    /// The disk of the output has space again.
    OutputHasRoom = "output_has_room", Info;
    /// An incomplete line, which an earlier run left at the end of the output, was removed.
    OutputCut = "output_cut", Warn;
    /// The last line of the output had no end, and may not be from Tamis; it was kept, and a line end was added.
    OutputLineEnded = "output_line_ended", Warn;
    /// An output file was moved or removed while it was written to; it was recreated.
    OutputReplaced = "output_replaced", Warn;
    /// An output file was moved or removed and cannot be recreated yet; reading is paused.
    OutputHeld = "output_held", Error;
    /// The file that the fields of lines name cannot be written; the lines go to `_other`.
    OutputNameRefused = "output_name_refused", Warn;
    /// The output is incomplete; the partial output is kept under another name.
    PartialKept = "partial_kept", Warn;
    /// An fsync failed; what may be lost is written again.
    FsyncFailed = "fsync_failed", Error;
    /// Rotated files could not be compressed or removed.
    RotationFailed = "rotation_failed", Warn;
    /// Some dead letters were not replayed; the message says why.
    LettersStay = "letters_stay", Info;
    /// The Kafka cluster returned an error; Tamis retries.
    ClusterFault = "cluster_fault", Warn;
    /// A Kafka topic does not exist yet; Tamis waits for it.
    TopicAwaited = "topic_awaited", Warn;
    /// The Kafka group has not assigned partitions yet; the message says what it waits for.
    GroupAwaited = "group_awaited", Warn;
    /// This member joined its Kafka group.
    GroupJoined = "group_joined", Info;
    /// This member left its Kafka group for good.
    GroupLeft = "group_left", Info;
    /// Partitions were assigned to this member; reading begins at these offsets.
    PartitionsAssigned = "partitions_assigned", Info;
    /// Partitions were revoked; records before these offsets were delivered.
    PartitionsRevoked = "partitions_revoked", Info;
    /// A Kafka partition cannot be read from its committed offset; the run ends.
    PartitionFailed = "partition_failed", Error;
    /// This member rejoins its Kafka group, so that all partitions are assigned, or because more partitions need smaller prefetch buffers.
    GroupJoinedAnew = "group_joined_anew", Info;
    /// Delivery is exactly once, for consumers with `isolation.level=read_committed`.
    ExactlyOnce = "exactly_once", Warn;
    /// A Kafka topic has an error of its own; it is paused and retried, and other topics continue.
    TopicPaused = "topic_paused", Error;
    /// A Kafka topic that was paused for an error is read again.
    TopicResumed = "topic_resumed", Info;
    /// A Kafka partition has not advanced for 20 s although there is more to read; the message says why.
    PartitionStalled = "partition_stalled", Error;
    /// A Kafka partition that was stalled advances again.
    PartitionAdvances = "partition_advances", Info;
    /// An operator paused a Kafka topic or partition.
    ReadingPaused = "reading_paused", Warn;
    /// An operator resumed a Kafka topic or partition.
    ReadingResumed = "reading_resumed", Info;
    /// TLS certificates or keys changed; Kafka clients were recreated with them.
    CertificatesTaken = "certificates_taken", Info;
    /// TLS certificates or keys changed, but cannot be used; Kafka clients keep the previous ones.
    CertificatesRefused = "certificates_refused", Error;
    /// Records of a Kafka topic are skipped, by an operator or by the configuration.
    OffsetsSkipped = "offsets_skipped", Warn;
    /// The process crashed repeatedly on the same Kafka records; they are now judged one by one.
    RecordsSuspected = "records_suspected", Warn;
    /// The process crashed repeatedly on a Kafka record; it is quarantined and not forwarded.
    RecordQuarantined = "record_quarantined", Error;
    /// The configuration was reloaded; `config_digest` identifies it.
    ConfigReloaded = "config_reloaded", Info;
    /// The changed configuration is invalid or needs a restart; the previous one stays in effect.
    ConfigRefused = "config_refused", Error;
    /// The admin server is listening.
    AdminListens = "admin_listens", Info;
    /// Other machines can reach the admin server, and it requires no token.
    AdminOpen = "admin_open", Warn;
    /// The metrics file cannot be written.
    MetricsFailed = "metrics_failed", Warn;
    /// The statistics file cannot be written.
    StatsFailed = "stats_failed", Warn;
    /// Lines of this log were dropped, because standard error was not read.
    LogLinesDropped = "log_lines_dropped", Warn;
    /// The run ended; the line contains the keys of the summary. If the exit code is 3, its level is `fatal`.
    RunEnded = "run_ended", Info;
    /// The run failed.
    RunFailed = "run_failed", Fatal;
    /// A bug in Tamis.
    InternalError = "internal_error", Fatal;
}

/// The severity of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// For information.
    Info,
    /// Should be looked at.
    Warn,
    /// Something does not work.
    Error,
    /// The run failed.
    Fatal,
}

impl Severity {
    /// Returns its name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text, for people.
    Plain,
    /// JSON, for programs.
    Json,
}

static FORM: OnceLock<Form> = OnceLock::new();

/// Sets the form of all following lines, and installs the `tracing` subscriber. Before this, lines
/// are text.
pub fn start(form: Form) {
    if FORM.set(form).is_ok() {
        // A test may have installed another subscriber.
        let _ = tracing::subscriber::set_global_default(Journal::new());
    }
}

/// Returns the form of lines.
fn form() -> Form {
    FORM.get().copied().unwrap_or(Form::Plain)
}

/// Reports an event; the receiver decides how.
pub type Say = Arc<dyn Fn(Event, &str) + Send + Sync>;

/// Like [`Say`], with fields.
pub type SayWith = Arc<dyn Fn(Event, &str, Fields<'_>) + Send + Sync>;

/// Fields of a line in addition to its message, for programs; the names are in [`FIELDS`].
pub type Fields<'a> = &'a [(&'static str, Value)];

/// All optional fields of a line. The names are stable.
pub const FIELDS: &[(&str, &str)] = &[
    ("reason", "why: a reason as in the summary, or the name that librdkafka gives the error"),
    ("topic", "the Kafka topic"),
    ("partition", "the partition of the topic"),
    ("offset", "the offset in the partition"),
    ("partitions", "several partitions: objects with `topic`, `partition` and `offset`"),
    ("skipped", "how many offsets are skipped"),
    ("input", "the input, if it is not a topic"),
    ("line", "the line in the input, or in the value of a record"),
    ("group", "the consumer group"),
    ("instance", "the name of the member in the group (`instance`)"),
    ("duration_ms", "how long it took, or has taken so far"),
    ("version", "the version of Tamis"),
    ("packs_digest", "the digest of the built-in packs, as `tamis -V` shows it"),
    ("config_digest", "the SHA-256 of what `tamis config show` prints with the same arguments"),
];

/// Writes a log line.
pub fn tell(event: Event, message: &dyn Display) {
    tell_with(event, message, &[]);
}

/// Writes a log line with fields. Control characters in text from outside are escaped.
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

/// Formats a log line.
fn line_of(event: Event, message: &str) -> String {
    match form() {
        Form::Plain => plain(message),
        Form::Json => Trace::of_this_run().line(event, message, 0, ""),
    }
}

/// Formats a message for people, usually as one line.
fn plain(message: &str) -> String {
    format!("tamis: {}\n", message.replace('\n', "\ntamis: "))
}

/// Formats the last line of a run: the keys of `summary`, one JSON object, among those of the log.
/// If the run `failed`, it is fatal.
pub fn run_ended(summary: &str, failed: bool) -> String {
    let severity = if failed { Severity::Fatal } else { Event::RunEnded.severity() };
    Trace::of_this_run().with_keys(Event::RunEnded, severity, summary)
}
