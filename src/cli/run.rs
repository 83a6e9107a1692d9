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
    /// Files to read, one after another; `-` or none: standard input
    ///
    /// A quoted glob ('logs/*.ndjson') means the files that match it, in sorted order. A file that
    /// is met twice is read once. gzip, zstd, lz4, xz and bzip2 are told by their first bytes, here
    /// and on standard input, and decompressed; places count the text's bytes.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub files: Vec<PathBuf>,

    /// Read all files in directories
    ///
    /// In sorted order; hidden files and folders are skipped, and links are not followed.
    #[arg(short, long, hide_short_help = true)]
    pub recursive: bool,

    /// What lines are: auto, ndjson, docker, cri, text [default: auto]
    ///
    /// `docker` is Docker's json-file, `cri` the Kubernetes CRI's: the application's line inside is
    /// judged as any other, its pieces joined first, and stays in its wrapper; a line that is no
    /// wrapper is not forwarded. `auto` takes an input for one of the two if its first line is such a
    /// wrapper; lines without one are then judged as they are. `text`: also a line that begins with
    /// `{` is text.
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        hide_possible_values = true,
        hide_short_help = true
    )]
    pub input_format: Option<FormatChoice>,

    /// Write to FILE; whole, or not at all
    ///
    /// The output is written beside FILE and renamed when all inputs were read to their end, so FILE is
    /// never half written, and is not there when the run fails or a signal ends it before; see
    /// --keep-partial. A FILE that is there already is refused, see --force and --append. A device or a named pipe is written to directly. `-` is
    /// standard output.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,

    /// Follow the files as they grow, and new ones
    ///
    /// As `tail -F`, for all FILEs, -r DIRs and globs: renamed files are read to their end, truncated
    /// ones from their beginning, compressed ones once. Ends with SIGINT or SIGTERM. -o FILE is
    /// appended to.
    #[arg(short, long, conflicts_with_all = ["out_dir", "force"])]
    pub follow: bool,

    /// Remember in DIR how far the followed files are delivered
    ///
    /// A restart goes on from there. One process at a time can use DIR.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, requires = "follow",
          hide_short_help = true)]
    pub data_dir: Option<PathBuf>,

    /// How long a followed line may wait for its end, in seconds [default: 60]
    ///
    /// Then it is judged as it is, and what comes up to its end is passed over: half a line may hide
    /// what the whole one shows.
    #[arg(long, value_name = "SECS", requires = "follow", hide_short_help = true)]
    pub line_timeout: Option<u32>,

    /// Look at the followed files often, in place of inotify
    ///
    /// For network file systems, whose changes inotify does not tell. Where there is no inotify, or no
    /// more of it (fs.inotify.max_user_watches), this is done unasked.
    #[arg(long, requires = "follow", hide_short_help = true)]
    pub poll: bool,

    /// Write a file for each input, of the same name, into DIR
    ///
    /// Below DIR it has the path that it has below the directory that was named, or below the part
    /// of a glob before the first wildcard; it is compressed as its input is, and appears
    /// when its input is done. Folders are made.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, hide_short_help = true,
          conflicts_with_all = ["output", "append", "compress"])]
    pub out_dir: Option<PathBuf>,

    /// Replace outputs that are there already
    ///
    /// At the end, so the old one stays until the new one is whole.
    #[arg(long, hide_short_help = true, conflicts_with = "append")]
    pub force: bool,

    /// Add to the end of -o FILE
    ///
    /// A run that fails, or that a signal ends before the end of its inputs, takes back what it added. A FILE whose last line has no end is refused.
    #[arg(long, hide_short_help = true, requires = "output")]
    pub append: bool,

    /// Keep what was written of an output that is not complete, as FILE.partial
    ///
    /// An output is complete when all of its inputs were read to their end. If a signal, an input or
    /// the disk ends the run before, FILE is left as it was, and without this option nothing stays of
    /// what was written. FILE.partial.1 and so on, where that is there already.
    #[arg(long, hide_short_help = true)]
    pub keep_partial: bool,

    /// Compress the output: gzip, zstd
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        hide_possible_values = true,
        hide_short_help = true
    )]
    pub compress: Option<CompressChoice>,

    /// How an output for long runs is written
    #[command(flatten)]
    pub log: LogArgs,

    /// Who watches
    #[command(flatten)]
    pub admin: AdminArgs,

    /// What lines are judged by
    #[command(flatten)]
    pub rules: RuleArgs,

    /// Keep what is not forwarded, redacted, in FILE
    ///
    /// Appended to, one JSON object a line; see "Dead letter" below.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub dead_letter: Option<PathBuf>,

    /// Keep the originals there, sealed to the public key KEY
    ///
    /// KEY is age's (age1…; `age-keygen -o key.txt` makes one). Each letter then has a field `sealed`, base64:
    /// the line as it came, which `tamis replay` opens with key.txt, and `base64 -d | age -d -i key.txt`, too.
    /// What is longer than --max-event-bytes is not sealed.
    #[arg(long, value_name = "KEY", hide_short_help = true)]
    pub dead_letter_encrypt_to: Option<String>,

    /// Exit with 1 if something was refused
    ///
    /// Dropped or kept in --dead-letter; what a rule of the configuration drops does not count.
    #[arg(long, hide_short_help = true)]
    pub fail_on_drop: bool,

    /// No summary, and no word about what is dropped
    ///
    /// Nor how far the run is, which a terminal shows where standard output goes elsewhere.
    #[arg(short, long)]
    pub quiet: bool,

    /// Write the summary as JSON to FILE
    ///
    /// Also with --quiet.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub stats: Option<PathBuf>,

    /// Colour the summary [default: auto]
    ///
    /// `auto` prints an aligned summary to a terminal, coloured where the terminal can, and one
    /// line of JSON to anything else; `always` the aligned one, coloured, wherever it goes.
    #[arg(long, value_name = "WHEN", value_enum, hide_short_help = true)]
    pub color: Option<ColorChoice>,

    /// Worker threads [default: the cores]
    ///
    /// The output is the same for any number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024),
          hide_short_help = true)]
    pub threads: Option<u16>,

    /// The memory to stay within, like 256MiB
    ///
    /// The ceiling is `batches × batch + threads × engine + fixed`, where a batch is a chunk of
    /// 256 KiB or the longest event, and the most that its output can grow to; the result is
    /// `memory_ceiling_bytes` in the JSON summary. `fixed` has room for a decoder's window of 128 MiB,
    /// or, where that does not fit, of 8 at least. A smaller budget means fewer batches in flight; one
    /// that cannot work is refused with the least that can.
    #[arg(long, value_name = "BYTES", value_parser = bytes, hide_short_help = true)]
    pub memory: Option<u64>,

    /// How long to read on after the first SIGINT or SIGTERM, in seconds [default: 5]
    ///
    /// So that the last words of an application that ends arrive.
    #[arg(long, value_name = "SECS", hide_short_help = true)]
    pub drain_timeout: Option<u32>,

    /// Leave the Kafka group for good at the end
    ///
    /// A member with an `instance` keeps its partitions for the time of a restart, as long as
    /// session.timeout.ms says (10 s). One that ends by SIGINT or SIGTERM and does not come back under
    /// its name gives them to the others at once with this. Of no meaning without `instance`.
    #[arg(long, hide_short_help = true)]
    pub leave: bool,

    /// What a configuration file says of topics
    #[arg(skip)]
    pub streams: Box<Streams>,

    /// Print the version, SIMD level and packs' digest
    #[arg(short = 'V', long)]
    pub version: bool,
}
