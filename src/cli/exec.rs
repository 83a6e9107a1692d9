//! `tamis exec`

use std::ffi::OsString;

use clap::Args;

use super::run::RunArgs;

/// `tamis exec`
#[derive(Debug, Args)]
#[command(
    override_usage = "tamis exec [OPTIONS] -- my-app [ARGS]…",
    after_help = "Standard output and standard error of the application are sieved as one stream, a line \
                  at a time.\n\nThe exit code is the application's, or 128 + N when signal N ended it; where that \
                  is 0, tamis's own. 126: the application cannot be executed; 127: it was not found; then, as \
                  for bad usage (2), nothing ran.\n\nSIGINT, SIGTERM and SIGHUP are passed on (those \
                  of the terminal reach the application anyway), and everything is read until both streams \
                  end; if others still hold them when the application has ended, for --drain-timeout at most."
)]
pub struct ExecArgs {
    /// The options of the main job
    #[command(flatten)]
    pub run: RunArgs,

    /// The application and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}
