//! `tamis config`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::run::RunArgs;

/// `tamis config`
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// What to do with the configuration
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// `tamis config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check a configuration: keys, values, schema and packs; no events are read or written
    Check {
        /// The configuration file [default: the file that TAMIS_CONFIG names]
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// Print the settings in effect, and where each comes from: flag, file or default
    Show(Box<RunArgs>),
    /// Print the JSON Schema of the configuration file, for editors
    Schema,
}
