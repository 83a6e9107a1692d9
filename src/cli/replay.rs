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
        arg.help("Replay the dead letters in FILE, which is not changed").long_help(None::<&str>)
    }),
    after_help = "If a dead letter has a sealed original (--dead-letter-encrypt-to), Tamis opens it with \
                  --identity and processes the original line. If it has none, Tamis processes the redacted \
                  event, provided that the dead letter holds a whole event.\n\nAn event that is rejected again \
                  goes to --remaining, with `attempts` one higher. Three kinds of dead letters go there \
                  unchanged: those that reached --attempts, those that cannot be opened, and those without a \
                  whole event. Without --remaining they are only counted.\n\nWithout --dead-letter, Tamis \
                  reads the dead letters from the topics in [dead_letter] of the configuration: see \
                  docs/kafka.md."
)]
pub struct ReplayArgs {
    /// The options of the main job
    #[command(flatten)]
    pub run: RunArgs,

    /// Open sealed originals with the identities in KEYFILE
    ///
    /// `age-keygen -o KEYFILE` writes such a file.
    #[arg(long, value_name = "KEYFILE", value_hint = ValueHint::FilePath)]
    pub identity: Option<PathBuf>,

    /// Write the dead letters that remain to FILE
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub remaining: Option<PathBuf>,

    /// The consumer group that reads dead letters from topics [default: GROUP.replay]
    ///
    /// GROUP is the group of `[source]`. A group without an offset begins with the earliest dead
    /// letter.
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub group: Option<String>,

    /// The most attempts for one dead letter
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub attempts: u32,
}
