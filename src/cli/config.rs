//! `tamis config`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::run::RunArgs;

/// `tamis config`
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// What to do with it
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// `tamis config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Judge a configuration: keys, values, schema, packs; nothing is read or written
    Check {
        /// The file [default: what TAMIS_CONFIG names]
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// Print what is in force, and where it comes from: flag, file or default
    Show(Box<RunArgs>),
    /// Print the JSON Schema of the format, for editors
    Schema,
}
