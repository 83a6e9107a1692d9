//! `tamis pseudonym`

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, ValueHint};

/// `tamis pseudonym`
#[derive(Debug, Args)]
#[command(
    override_usage = "tamis pseudonym [OPTIONS] VALUE\n       tamis pseudonym [OPTIONS] - < FILE",
    after_help = "Prints a line for each key, the active one first, to search forwarded events for. \
                  With `-` the value stays out of the shell's history."
)]
pub struct PseudonymArgs {
    /// The value as it stood in the event, decoded; `-`: all of standard input, less one line end
    #[arg(value_name = "VALUE", allow_negative_numbers = true)]
    pub value: OsString,

    /// The configuration that has the keys [default: what TAMIS_CONFIG names]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,

    /// The name of the keys, where there are several
    #[arg(long, value_name = "NAME")]
    pub key: Option<String>,
}
