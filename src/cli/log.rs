//! The options of a log: an output for long runs.

use std::time::Duration;

use clap::Args;

use crate::config::{
    choice::FsyncChoice,
    units::{bytes, duration},
};

/// How a log is written. Each of these options makes the output a log, which is appended to.
#[derive(Debug, Clone, Default, Args)]
pub struct LogArgs {
    /// Rotate -o FILE before it grows beyond this size, such as 100MiB
    ///
    /// This option makes FILE a log. Tamis appends whole lines to a log, and never takes a line
    /// back. A rotation renames FILE to FILE.2026-11-28T02-00-00Z in one step, and never splits a
    /// line. If that name is taken, `.1` and so on is added to it. On a full disk Tamis waits, and
    /// stops reading input. A FILE with braces in its name is a log, too:
    /// 'logs/{service}/{level}-{%Y-%m-%d}.ndjson' takes fields of the redacted event, and the time
    /// in UTC.
    #[arg(long, value_name = "BYTES", value_parser = bytes, hide_short_help = true)]
    pub rotate_size: Option<u64>,

    /// Rotate -o FILE at the end of each period, such as 1h or 1d
    ///
    /// Periods are in UTC, and days begin at midnight. A period without a line leaves no file.
    #[arg(long, value_name = "TIME", value_parser = duration, hide_short_help = true)]
    pub rotate_every: Option<Duration>,

    /// Keep N rotated files of each FILE, and remove older ones [default: all]
    ///
    /// --compress compresses the rotated files. It does not compress the file that is being
    /// written.
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub rotate_keep: Option<u32>,

    /// When to fsync a log: always, acknowledged, never, or a time [default:
    /// acknowledged]
    ///
    /// `always` syncs after each write. `acknowledged` syncs before input counts as delivered, and
    /// every 4 MiB. A time such as `1s` syncs at that interval as well. `never` leaves it to the
    /// operating system, so a power cut may lose acknowledged events. If fsync fails, Tamis writes
    /// what may be lost again from memory, once. If that fails, too, the run ends.
    #[arg(long, value_name = "WHEN", value_parser = FsyncChoice::parse, hide_short_help = true)]
    pub fsync: Option<FsyncChoice>,
}
