//! What was typed, word for word. `app` resolves and judges it.

pub mod admin;
pub mod config;
pub mod exec;
pub mod explain;
pub mod help;
pub mod kafka;
pub mod log;
pub mod man;
pub mod patterns;
pub mod refusal;
pub mod replay;
pub mod rules;
pub mod run;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

pub use log::LogArgs;
pub use rules::RuleArgs;
pub use run::RunArgs;

/// A fine sieve for JSON logs
///
/// Reads JSON lines, enforces a schema, redacts personal data and secrets, forwards clean events
/// byte for byte, and counts everything.
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
    /// The main job: sieve a stream or files.
    #[command(flatten)]
    pub run: RunArgs,

    /// Everything else.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What is not the main job.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run an application and sieve what it writes
    Exec(Box<exec::ExecArgs>),
    /// Send dead letters through the sieve again
    Replay(Box<replay::ReplayArgs>),
    /// Say why an event becomes what it becomes
    Explain(Box<explain::ExplainArgs>),
    /// List, show and test the detectors
    Patterns(patterns::PatternsArgs),
    /// Judge, show or describe a configuration file
    Config(config::ConfigArgs),
    /// Tell a run that reads Kafka what to pause, resume or skip
    Kafka(kafka::KafkaArgs),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page (roff)
    Man,
}
