//! `tamis explain`

use std::ffi::OsString;

use clap::Args;

use super::RuleArgs;
use crate::config::choice::ColorChoice;

/// `tamis explain`
#[derive(Debug, Args)]
#[command(
    override_usage = "tamis explain [OPTIONS] 'EVENT'\n       tail -n 1 app.log | tamis explain [OPTIONS]",
    after_help = "The explanation never shows a redacted value. It shows the value's shape: letters as x, digits \
                  as 0. The last line is the event as it is forwarded. The exit code is 0 for any event, also \
                  for one that is dropped."
)]
pub struct ExplainArgs {
    /// The event or text line [default: the first line of standard input, as for `-`]
    pub event: Option<OsString>,

    /// How the event is processed
    #[command(flatten)]
    pub rules: RuleArgs,

    /// Explain the event as if it came from this topic or file
    ///
    /// Only a configuration with `[[route]]` depends on the source of an event.
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub source: Option<String>,

    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,

    /// Colour the text
    #[arg(long, value_name = "WHEN", value_enum, default_value_t, hide_possible_values = true)]
    pub color: ColorChoice,
}
