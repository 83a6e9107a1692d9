//! The options of the main job.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::units::bytes;

/// The options of the main job.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Files to read, one after another; `-` or none: standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub files: Vec<PathBuf>,

    /// Write to FILE; whole, or not at all
    ///
    /// The output is written beside FILE and renamed at the end, so FILE is never half written.
    /// It stays as it was when the run fails or nothing could be forwarded. A device or a named
    /// pipe is written to directly. `-` is standard output.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,

    /// Enforce a schema: service-log, or a JSON Schema file
    ///
    /// An event that does not fit is dropped and counted, or kept in --dead-letter. Of JSON Schema
    /// 2020-12 these keywords are enforced: type, required, properties, additionalProperties, enum,
    /// const, pattern, format date-time, minimum, maximum, minLength, maxLength, items. A schema
    /// with another one is refused, with its line and column.
    #[arg(long, value_name = "NAME|PATH", conflicts_with = "require")]
    pub schema: Option<String>,

    /// Enforce a bare list: timestamp,level,service
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub require: Vec<String>,

    /// Keep what is not forwarded, redacted, in FILE
    ///
    /// Appended to, one JSON object a line; see "Dead letter" below.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub dead_letter: Option<PathBuf>,

    /// Lines that are not JSON: wrap, drop, dead-letter
    ///
    /// `wrap` scans the line and forwards it as {"message":"…"}; `drop` drops it; `dead-letter` keeps
    /// it, redacted, in the dead letter. With a schema in force a text line is a violation,
    /// whatever this says.
    /// The default is `wrap`.
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        default_value_t,
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub text: TextChoice,

    /// Global IP addresses: truncate, redact, keep
    ///
    /// `truncate` zeroes the host part, /24 for IPv4 and /48 for IPv6; `redact` puts a placeholder
    /// in its place; `keep` leaves it alone. Private and other special addresses always stay.
    /// The default is `truncate`.
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        default_value_t,
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub ip: IpChoice,

    /// Add detectors of your own: a pack, or a folder of packs
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub patterns: Vec<PathBuf>,

    /// Use only these detectors, categories or packs
    ///
    /// `tamis patterns list` shows the names.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub only: Vec<String>,

    /// Leave these out: phone,network
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub without: Vec<String>,

    /// Exit with 1 if something was dropped
    #[arg(long)]
    pub fail_on_drop: bool,

    /// No summary, and no word about what is dropped
    #[arg(short, long)]
    pub quiet: bool,

    /// Write the summary as JSON to FILE
    ///
    /// Also with --quiet.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub stats: Option<PathBuf>,

    /// Colour the summary
    ///
    /// `auto` prints an aligned summary to a terminal, coloured where the terminal can, and one
    /// line of JSON to anything else; `always` the aligned one, coloured, wherever it goes.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t, hide_short_help = true)]
    pub color: ColorChoice,

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
    /// `memory_ceiling_bytes` in the JSON summary. A smaller budget means fewer batches in flight;
    /// one that cannot work is refused with the least that can.
    #[arg(long, value_name = "BYTES", value_parser = bytes, hide_short_help = true)]
    pub memory: Option<u64>,

    /// The longest line that is judged [default: 1MiB]
    ///
    /// A longer one is not forwarded, reason oversize; the next line is found. 1GiB at most.
    #[arg(long, value_name = "BYTES", value_parser = bytes, hide_short_help = true)]
    pub max_event_bytes: Option<u64>,

    /// The deepest nesting that is judged [default: 128]
    ///
    /// An event that nests deeper is not forwarded, reason too_deep.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..),
          hide_short_help = true)]
    pub max_depth: Option<u16>,

    /// How long to read on after the first SIGINT or SIGTERM, in seconds
    ///
    /// So that the last words of an application that ends arrive.
    #[arg(long, value_name = "SECS", default_value_t = 5, hide_short_help = true)]
    pub drain_timeout: u32,

    /// Print the version, the SIMD level and the packs' digest
    #[arg(short = 'V', long)]
    pub version: bool,
}

/// `--text`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum TextChoice {
    /// Forward it as {"message":"…"}
    #[default]
    Wrap,
    /// Drop it
    Drop,
    /// Keep it, redacted, in the dead letter
    DeadLetter,
}

/// `--ip`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum IpChoice {
    /// Leave it alone
    Keep,
    /// Zero the host part: /24 for IPv4, /48 for IPv6
    #[default]
    Truncate,
    /// Replace it by a placeholder
    Redact,
}

/// `--color`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorChoice {
    /// As the terminal and the environment say
    #[default]
    Auto,
    /// Colour, and the layout for people
    Always,
    /// No colour
    Never,
}
