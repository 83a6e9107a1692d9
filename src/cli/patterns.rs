//! `tamis patterns`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

/// `tamis patterns`
#[derive(Debug, Args)]
pub struct PatternsArgs {
    /// What to do with the detectors
    #[command(subcommand)]
    pub command: PatternsCommand,
}

/// `tamis patterns …`
#[derive(Debug, Subcommand)]
pub enum PatternsCommand {
    /// List the detectors, each with its id, category, pack and description
    List {
        /// Add your own detectors: a pack, or a folder of packs
        #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
        patterns: Vec<PathBuf>,
    },
    /// Show one detector: what it finds, how it decides, and its examples
    Show {
        /// The detector's id
        id: String,
        /// Add your own detectors: a pack, or a folder of packs
        #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
        patterns: Vec<PathBuf>,
    },
    /// Test the detectors on their examples and counter-examples; exit with 1 if one fails
    Test {
        /// Your own packs, or folders of packs, to test as well as the built-in packs
        #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
        paths: Vec<PathBuf>,
    },
}
