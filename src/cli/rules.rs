//! The options that say how lines are judged: of the main job, and of `tamis explain`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::config::{
    choice::{IpChoice, TextChoice},
    names::Names,
    policy::Entries,
    units::bytes,
};

/// What lines are judged by.
#[derive(Debug, Clone, Args)]
pub struct RuleArgs {
    /// Read options from FILE [default: what TAMIS_CONFIG names, or none]
    ///
    /// TOML; a flag overrides it. `tamis config schema` describes it. The working directory is never
    /// searched for one. SIGHUP, or a change of the file, reloads what lines are judged by; a file that
    /// does not hold is refused, and what was in force stays.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub config: Option<PathBuf>,

    /// The packs that ship, as a configuration file pins them; `None`: all
    #[arg(skip)]
    pub pinned: Option<Vec<String>>,

    /// What a configuration file says, and no flag
    #[arg(skip)]
    pub names: Names,

    /// What a configuration file says of the policy
    #[arg(skip)]
    pub policy: Box<Entries>,

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

    /// Lines that are not JSON: wrap, drop, dead-letter
    ///
    /// `wrap` scans the line and forwards it as {"message":"…"}; `drop` drops it; `dead-letter` keeps
    /// it, redacted, in the dead letter. With a schema in force a text line is a violation,
    /// whatever this says.
    /// The default is `wrap`.
    #[arg(long, value_name = "HOW", value_enum, hide_possible_values = true)]
    pub text: Option<TextChoice>,

    /// Global IP addresses: truncate, redact, keep
    ///
    /// `truncate` zeroes the host part, /24 for IPv4 and /48 for IPv6; `redact` puts a placeholder
    /// in its place; `keep` leaves it alone. Private and other special addresses always stay.
    /// The default is `truncate`.
    #[arg(long, value_name = "HOW", value_enum, hide_possible_values = true)]
    pub ip: Option<IpChoice>,

    /// Add your own detectors: a pack or a folder of packs
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub patterns: Vec<PathBuf>,

    /// Use only these detectors, categories or packs
    ///
    /// `tamis patterns list` shows the names.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', hide_short_help = true)]
    pub only: Vec<String>,

    /// Leave these out: phone,network
    #[arg(long, value_name = "NAMES", value_delimiter = ',', hide_short_help = true)]
    pub without: Vec<String>,

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
}
