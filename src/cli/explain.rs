//! `tamis explain`

use std::ffi::OsString;

use clap::Args;

use super::RuleArgs;
use crate::config::choice::ColorChoice;

/// `tamis explain`
#[derive(Debug, Args)]
#[command(
    override_usage = "tamis explain [OPTIONS] 'EVENT'\n       tail -n 1 app.log | tamis explain [OPTIONS]",
    after_help = "The page shows shapes (letters as x, digits as 0) and never what was redacted; its last line is \
                  what is forwarded. The exit code is 0 whatever becomes of the event."
)]
pub struct ExplainArgs {
    /// The event or text line; `-` or none: the first line of standard input
    pub event: Option<OsString>,

    /// What it is judged by
    #[command(flatten)]
    pub rules: RuleArgs,

    /// Print one JSON object in place of the page
    #[arg(long)]
    pub json: bool,

    /// Colour the page
    #[arg(long, value_name = "WHEN", value_enum, default_value_t, hide_possible_values = true)]
    pub color: ColorChoice,
}
