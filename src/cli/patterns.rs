//! `tamis patterns`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

/// `tamis patterns`
#[derive(Debug, Args)]
pub struct PatternsArgs {
    /// What to do with them
    #[command(subcommand)]
    pub command: PatternsCommand,
}

/// `tamis patterns …`
#[derive(Debug, Subcommand)]
pub enum PatternsCommand {
    /// List the detectors: id, category, pack and what it finds
    List {
        /// Add detectors of your own: a pack, or a folder of packs
        #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
        patterns: Vec<PathBuf>,
    },
    /// Show a detector: what it finds, how it decides, and its examples
    Show {
        /// The detector's id
        id: String,
        /// Add detectors of your own: a pack, or a folder of packs
        #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
        patterns: Vec<PathBuf>,
    },
    /// Run the detectors' examples and counter-examples; exit with 1 if one fails
    Test {
        /// Packs of your own, or folders of packs, tested beside those that ship
        #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
        paths: Vec<PathBuf>,
    },
}
