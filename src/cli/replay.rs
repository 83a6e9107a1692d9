//! `tamis replay`

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::run::RunArgs;

/// `tamis replay`
#[derive(Debug, Args)]
#[command(
    override_usage = "tamis replay --dead-letter FILE [--identity KEYFILE] [OPTIONS]\n       \
                      tamis replay --config tamis.toml [--identity KEYFILE] [OPTIONS]",
    mut_arg("dead_letter", |arg| {
        arg.help("Replay the letters of FILE, which stays as it is").long_help(None::<&str>)
    }),
    after_help = "A letter with a sealed original (--dead-letter-encrypt-to) is opened with --identity, and goes \
                  through the sieve as it came; one that is not sealed only where it holds a whole event, \
                  redacted. What is not forwarded again goes to --remaining, with one attempt more; so do the \
                  letters that were tried often enough, that cannot be opened, or that hold no whole event, as \
                  they are. Without --remaining these are only counted: FILE is not changed. Without \
                  --dead-letter the letters are those of the topics that [dead_letter] of the configuration \
                  names: see docs/kafka.md."
)]
pub struct ReplayArgs {
    /// The options of the main job
    #[command(flatten)]
    pub run: RunArgs,

    /// Open sealed originals with the identities in KEYFILE
    ///
    /// As `age-keygen -o KEYFILE` writes it.
    #[arg(long, value_name = "KEYFILE", value_hint = ValueHint::FilePath)]
    pub identity: Option<PathBuf>,

    /// Keep in FILE what stays a dead letter
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub remaining: Option<PathBuf>,

    /// Read letters of topics as this group [default: GROUP.replay]
    ///
    /// GROUP is that of `[source]`. A group without an offset begins with the first letter that there is.
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub group: Option<String>,

    /// So often a letter is tried
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub attempts: u32,
}
