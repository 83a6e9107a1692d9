//! The options of an output for long runs.

use std::time::Duration;

use clap::Args;

use crate::config::{
    choice::FsyncChoice,
    units::{bytes, duration},
};

/// How an output is written that grows for ever: each of these makes it a log, which is added to.
#[derive(Debug, Clone, Default, Args)]
pub struct LogArgs {
    /// Rotate -o FILE before it grows beyond so much, like 100MiB
    ///
    /// FILE is then a log: it is added to, whole lines only, and nothing is taken back. At a
    /// rotation it becomes FILE.2026-11-28T02-00-00Z in one step, with `.1` behind it where that is
    /// taken, and never within a line. On a full disk a log waits, and the input with it. So is a
    /// FILE with a name by template: 'logs/{service}/{level}-{%Y-%m-%d}.ndjson' takes fields of the
    /// redacted event, and the time in UTC.
    #[arg(long, value_name = "BYTES", value_parser = bytes, hide_short_help = true)]
    pub rotate_size: Option<u64>,

    /// Rotate -o FILE when such a period ends, like 1h or 1d
    ///
    /// Periods are counted in UTC, days from midnight; without a line in it there is no file.
    #[arg(long, value_name = "TIME", value_parser = duration, hide_short_help = true)]
    pub rotate_every: Option<Duration>,

    /// Keep so many rotated files of each FILE, and remove older ones [default: all]
    ///
    /// --compress compresses rotated files, and leaves the one that is written to as it is.
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub rotate_keep: Option<u32>,

    /// When a log is on disk: always, acknowledged, never, or so often [default: acknowledged]
    ///
    /// `always`: after each write; `acknowledged`: before what was read is taken for delivered, and
    /// every 4 MiB; a time like `1s`: that often, too; `never`: when the system pleases, so a power
    /// cut may lose what was acknowledged. After a failed fsync what may be lost is written again
    /// from memory, once; then the run stops.
    #[arg(long, value_name = "WHEN", value_parser = FsyncChoice::parse, hide_short_help = true)]
    pub fsync: Option<FsyncChoice>,
}
