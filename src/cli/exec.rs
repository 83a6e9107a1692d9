//! `tamis exec`

use std::ffi::OsString;

use clap::Args;

use super::run::RunArgs;

/// `tamis exec`
#[derive(Debug, Args)]
#[command(
    override_usage = "tamis exec [OPTIONS] -- my-app [ARGS]…",
    after_help = "Tamis processes the standard output and the standard error of the application as one \
                  stream, line by line.\n\nThe exit code is that of the application, or 128 + N if signal N \
                  ended it. If the application's code is 0, the exit code is that of Tamis. 126 means that the \
                  application cannot be executed, and 127 that it was not found. In these two cases, and for \
                  bad usage (2), nothing ran.\n\nTamis passes SIGINT, SIGTERM and SIGHUP on to the \
                  application. (Signals from the terminal reach it anyway.) It then reads both streams to \
                  their end. If other processes still hold the streams open after the application has ended, \
                  Tamis reads on for --drain-timeout at most."
)]
pub struct ExecArgs {
    /// The options of the main job
    #[command(flatten)]
    pub run: RunArgs,

    /// The application and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}
