//! The options that decide how lines are processed: for the main job and for `tamis explain`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::config::{
    choice::{IpChoice, TextChoice},
    names::Names,
    policy::Entries,
    units::bytes,
};

/// How lines are processed.
#[derive(Debug, Clone, Args)]
pub struct RuleArgs {
    /// Read options from FILE [default: the file that TAMIS_CONFIG names, or none]
    ///
    /// FILE is TOML. A flag overrides it. `tamis config schema` prints its format. Tamis never
    /// searches the working directory for a configuration. SIGHUP, or a change of FILE, reloads the
    /// settings that decide how lines are processed. If the new configuration is not valid, Tamis
    /// rejects it and keeps the old one.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub config: Option<PathBuf>,

    /// The built-in packs that a configuration file pins; `None`: all of them
    #[arg(skip)]
    pub pinned: Option<Vec<String>>,

    /// The options that the configuration file sets and no flag overrides
    #[arg(skip)]
    pub names: Names,

    /// The policy of the configuration file
    #[arg(skip)]
    pub policy: Box<Entries>,

    /// Enforce a schema: service-log, or a JSON Schema file
    ///
    /// An event that violates the schema is dropped and counted, or kept in --dead-letter. These
    /// keywords of JSON Schema 2020-12 are supported: type, required, properties,
    /// additionalProperties, enum, const, pattern, format date-time, minimum, maximum, minLength,
    /// maxLength, items. A schema with another keyword is rejected, and the message shows its line
    /// and column.
    #[arg(long, value_name = "NAME|PATH", conflicts_with = "require")]
    pub schema: Option<String>,

    /// Require these fields: timestamp,level,service
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', hide_short_help = true)]
    pub require: Vec<String>,

    /// Handle non-JSON lines: wrap, drop, dead-letter
    ///
    /// `wrap` redacts the line and forwards it as {"message":"…"}. `drop` drops the line.
    /// `dead-letter` keeps it, redacted, in the dead letter. If a schema is enforced, every text
    /// line violates it, and this option has no effect. The default is `wrap`.
    #[arg(long, value_name = "HOW", value_enum, hide_possible_values = true)]
    pub text: Option<TextChoice>,

    /// Handle global IP addresses: truncate, redact, keep
    ///
    /// `truncate` sets the host part to zero, and keeps a /24 network for IPv4 and a /48 network
    /// for IPv6. `redact` replaces the address with a placeholder. `keep` does not change it.
    /// Private and other special addresses are never changed. The default is `truncate`.
    #[arg(long, value_name = "HOW", value_enum, hide_possible_values = true)]
    pub ip: Option<IpChoice>,

    /// Add your own detectors: a pack, or a folder of packs
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub patterns: Vec<PathBuf>,

    /// Use only these detectors, categories or packs
    ///
    /// `tamis patterns list` prints the names.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', hide_short_help = true)]
    pub only: Vec<String>,

    /// Turn off these detectors, categories or packs: phone,network
    #[arg(long, value_name = "NAMES", value_delimiter = ',', hide_short_help = true)]
    pub without: Vec<String>,

    /// The longest line that is processed [default: 1MiB]
    ///
    /// A longer line is not forwarded, with the reason `oversize`. Tamis goes on with the next
    /// line. The limit is 1GiB at most.
    #[arg(long, value_name = "BYTES", value_parser = bytes, hide_short_help = true)]
    pub max_event_bytes: Option<u64>,

    /// The deepest nesting that is processed [default: 128]
    ///
    /// An event with deeper nesting is not forwarded, with the reason `too_deep`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..),
          hide_short_help = true)]
    pub max_depth: Option<u16>,
}
