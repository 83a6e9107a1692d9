//! The options of the main job.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{admin::AdminArgs, log::LogArgs, rules::RuleArgs};
use crate::config::{
    choice::{ColorChoice, CompressChoice, FormatChoice},
    kafka::Streams,
    units::bytes,
};

/// The options of the main job.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// The files to read, one after another [default: standard input, as for `-`]
    ///
    /// A quoted glob such as 'logs/*.ndjson' means the files that match it, in sorted order. A file
    /// that is named twice is read once. Tamis recognises gzip, zstd, lz4, xz and bzip2 by the
    /// first bytes, also on standard input, and decompresses them. Offsets are offsets in the
    /// decompressed text.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub files: Vec<PathBuf>,

    /// Read all files in directories
    ///
    /// The files are read in sorted order. Hidden files and folders are skipped, and symbolic links
    /// are not followed.
    #[arg(short, long, hide_short_help = true)]
    pub recursive: bool,

    /// The format of the input: auto, ndjson, docker, cri, text [default: auto]
    ///
    /// `docker` is the format of Docker's json-file driver, and `cri` that of the Kubernetes CRI.
    /// Both wrap each line of the application. Tamis joins the parts of a split line, processes the
    /// line inside, and keeps the wrapper. A line without a wrapper is not forwarded. `auto`
    /// chooses one of the two if the first line of the input is such a wrapper; a later line
    /// without a wrapper is then processed as it is. `text` treats every line as text, also one
    /// that begins with `{`.
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        hide_possible_values = true,
        hide_short_help = true
    )]
    pub input_format: Option<FormatChoice>,

    /// Write to FILE, completely or not at all
    ///
    /// Tamis writes to a temporary file next to FILE, and renames it when all inputs were read to
    /// their end. So FILE is never incomplete: if the run fails, or a signal ends it early, FILE is
    /// neither created nor changed (see --keep-partial). A FILE that already exists is an error,
    /// unless --force or --append is given. Devices and named pipes are written to directly. `-` is
    /// standard output.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,

    /// Follow files as they grow, and read new files
    ///
    /// This works like `tail -F`, for all FILEs, -r directories and globs. A renamed file is read
    /// to its end, a truncated file from its beginning, and a compressed file once. SIGINT or
    /// SIGTERM ends the run. Output is appended to -o FILE.
    #[arg(short, long, conflicts_with_all = ["out_dir", "force"])]
    pub follow: bool,

    /// Store the delivered position of each followed file in DIR
    ///
    /// After a restart, Tamis continues from these positions. Only one process at a time can use
    /// DIR.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, requires = "follow",
          hide_short_help = true)]
    pub data_dir: Option<PathBuf>,

    /// How many seconds to wait for the end of a followed line [default: 60]
    ///
    /// After that time, Tamis processes the line as far as it was written, and skips the rest of
    /// the line when it comes: a detector may not recognise a value of which it sees only one half.
    #[arg(long, value_name = "SECS", requires = "follow", hide_short_help = true)]
    pub line_timeout: Option<u32>,

    /// Poll the followed files instead of using inotify
    ///
    /// This is for network file systems, where inotify does not report changes. If inotify is not
    /// available, or its limit fs.inotify.max_user_watches is reached, Tamis polls without this
    /// option.
    #[arg(long, requires = "follow", hide_short_help = true)]
    pub poll: bool,

    /// Write one output for each input, with the same name, to DIR
    ///
    /// The output has the same path below DIR as its input has below the directory that was named,
    /// or below the part of the glob before its first wildcard. It is compressed like its input. It
    /// appears when its input was read to the end. Missing folders are created.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, hide_short_help = true,
          conflicts_with_all = ["output", "append", "compress"])]
    pub out_dir: Option<PathBuf>,

    /// Replace outputs that already exist
    ///
    /// The old output stays until the new output is complete.
    #[arg(long, hide_short_help = true, conflicts_with = "append")]
    pub force: bool,

    /// Append to -o FILE
    ///
    /// If the run fails, or a signal ends it before the end of its inputs, Tamis removes what it
    /// appended. If the last line of FILE has no line end, this is an error.
    #[arg(long, hide_short_help = true, requires = "output")]
    pub append: bool,

    /// Keep an incomplete output as FILE.partial
    ///
    /// An output is complete when all of its inputs were read to their end. If a signal, a failed
    /// input or a failed disk ends the run before that, FILE is not changed, and without this
    /// option Tamis removes what it wrote. If FILE.partial already exists, the name is
    /// FILE.partial.1 and so on.
    #[arg(long, hide_short_help = true)]
    pub keep_partial: bool,

    /// Compress the output: gzip or zstd
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        hide_possible_values = true,
        hide_short_help = true
    )]
    pub compress: Option<CompressChoice>,

    /// How a log is written
    #[command(flatten)]
    pub log: LogArgs,

    /// How the run is monitored
    #[command(flatten)]
    pub admin: AdminArgs,

    /// How lines are processed
    #[command(flatten)]
    pub rules: RuleArgs,

    /// Keep unforwarded events, redacted, in FILE
    ///
    /// Tamis appends one JSON object for each event, on a line of its own: see "Dead letter" below.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub dead_letter: Option<PathBuf>,

    /// Keep original lines in the dead letter, encrypted for the age public key KEY
    ///
    /// `age-keygen -o key.txt` prints such a key (age1…). Each dead letter then has a field
    /// `sealed`: the original line, encrypted, in base64. `tamis replay --identity key.txt` opens
    /// it, and so does `base64 -d | age -d -i key.txt`. The original of a line longer than
    /// --max-event-bytes is not kept.
    #[arg(long, value_name = "KEY", hide_short_help = true)]
    pub dead_letter_encrypt_to: Option<String>,

    /// Exit with 1 if an event was rejected
    ///
    /// A rejected event is dropped, or kept in --dead-letter. Events that a `drop` rule of the
    /// configuration drops do not count.
    #[arg(long, hide_short_help = true)]
    pub fail_on_drop: bool,

    /// Print no summary and no notices of dropped events
    ///
    /// This also turns off the progress display. (A terminal shows progress while standard output
    /// goes elsewhere.)
    #[arg(short, long)]
    pub quiet: bool,

    /// Write the summary as JSON to FILE
    ///
    /// --quiet does not affect it.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub stats: Option<PathBuf>,

    /// Colour the summary [default: auto]
    ///
    /// `auto` prints a table to a terminal, in colour if the terminal supports it, and one line of
    /// JSON to anything else. `always` prints the table in colour, wherever it goes.
    #[arg(long, value_name = "WHEN", value_enum, hide_short_help = true)]
    pub color: Option<ColorChoice>,

    /// The number of worker threads [default: the number of cores]
    ///
    /// The output is the same for any number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024),
          hide_short_help = true)]
    pub threads: Option<u16>,

    /// The most memory to use, such as 256MiB
    ///
    /// The ceiling is `batches × batch + threads × engine + long × extra + fixed`. A batch is a
    /// chunk of 256 KiB and the most that its output can grow to. `extra` is what an event that is
    /// longer than a chunk needs: one such event for every four threads is processed at a time.
    /// The window of a decompressor is added while input is compressed: 128 MiB, or less if that
    /// does not fit, but at least 8 MiB. The JSON summary has the ceiling as
    /// `memory_ceiling_bytes`. With less memory, fewer batches are processed at the same time. If
    /// the budget is too small, Tamis does not start, and the message shows the least that works
    /// and what it consists of.
    #[arg(long, value_name = "BYTES", value_parser = bytes, hide_short_help = true)]
    pub memory: Option<u64>,

    /// How many seconds to read on after the first SIGINT or SIGTERM [default: 5]
    ///
    /// This gives an application that is ending the time to write its last lines.
    #[arg(long, value_name = "SECS", hide_short_help = true)]
    pub drain_timeout: Option<u32>,

    /// Leave the Kafka consumer group at the end
    ///
    /// A member with an `instance` keeps its partitions during a restart, for session.timeout.ms
    /// (10 s). Use this option for a member that ends by SIGINT or SIGTERM and does not come back:
    /// the other members then get its partitions at once. Without `instance` it has no effect.
    #[arg(long, hide_short_help = true)]
    pub leave: bool,

    /// The Kafka settings of the configuration file
    #[arg(skip)]
    pub streams: Box<Streams>,

    /// Print the version, SIMD level and pack digest
    #[arg(short = 'V', long)]
    pub version: bool,
}
