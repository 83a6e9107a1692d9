//! The command line as it was typed. `app` resolves and validates it.

pub mod admin;
pub mod config;
pub mod exec;
pub mod explain;
pub mod help;
pub mod kafka;
pub mod log;
pub mod man;
pub mod patterns;
pub mod pseudonym;
pub mod refusal;
pub mod replay;
pub mod rules;
pub mod run;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

pub use log::LogArgs;
pub use rules::RuleArgs;
pub use run::RunArgs;

/// Redact personal data and secrets in JSON logs
///
/// Tamis reads JSON lines, enforces a schema, and redacts personal data and secrets. It forwards
/// clean events byte for byte, and counts everything that it reads.
#[derive(Debug, Parser)]
#[command(
    name = "tamis",
    disable_version_flag = true,
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = true,
    override_usage = help::USAGE,
    help_template = help::TEMPLATE,
    after_help = help::SHORT,
    after_long_help = help::LONG,
    max_term_width = 100
)]
pub struct Cli {
    /// The main job: process a stream or files.
    #[command(flatten)]
    pub run: RunArgs,

    /// A command, in place of the main job.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run an application and process its output
    Exec(Box<exec::ExecArgs>),
    /// Process dead letters again
    Replay(Box<replay::ReplayArgs>),
    /// Explain why an event is forwarded, changed or dropped
    Explain(Box<explain::ExplainArgs>),
    /// List, show and test detectors
    Patterns(patterns::PatternsArgs),
    /// Print the pseudonym of a value, to find the events that have it
    Pseudonym(pseudonym::PseudonymArgs),
    /// Check or show a configuration, or print its JSON Schema
    Config(config::ConfigArgs),
    /// Control a running Kafka job, or remove a member from its group
    Kafka(kafka::KafkaArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page (roff)
    Man,
}
