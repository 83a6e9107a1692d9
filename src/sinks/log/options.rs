//! The options that apply to all files of a log.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;

use super::{folder::Identity, retention::RetentionThread};
use crate::{metrics::Meters, sinks::retry::Retry};

/// How often the name of each open file is checked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// When written lines are made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fsync {
    /// After each write.
    Always,
    /// Before anything is acknowledged, and before more is kept in memory than allowed.
    #[default]
    Acknowledged,
    /// Also at this interval.
    Every(Duration),
    /// When the operating system does it: acknowledged lines may be lost in a power failure.
    Never,
}

pub(super) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

pub(super) struct FileOptions {
    pub(super) fsync: Fsync,
    pub(super) rotate_size: Option<u64>,
    pub(super) rotate_every: Option<Duration>,
    pub(super) longest_line: u64,
    pub(super) avoid: Vec<Identity>,
    /// The symbolic link that the user named.
    pub(super) link: Option<PathBuf>,
    /// Whether fields of events select the file. Then a file that cannot be written must not stop
    /// the others.
    pub(super) by_field: bool,
    pub(super) meters: Arc<Meters>,
    pub(super) clock: Clock,
    pub(super) retry: Retry,
    pub(super) retention: Option<RetentionThread>,
}

impl FileOptions {
    /// Returns the rotation period that contains `at`. Periods begin at midnight UTC, or at whole
    /// multiples since the Unix epoch.
    pub(super) fn period(&self, at: SystemTime) -> u64 {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.rotate_every.map_or(0, |every| since.as_secs() / every.as_secs().max(1))
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::try_from((self.clock)()).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Returns how long nothing is due if no lines come.
    pub(super) fn rests(&self) -> Duration {
        let every = match self.fsync {
            Fsync::Every(every) => Some(every),
            _ => None,
        };
        let rotation = self.rotate_every.map(|every| {
            let now = (self.clock)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let whole = every.as_secs().max(1);
            Duration::from_secs((now.as_secs() / whole + 1) * whole).saturating_sub(now)
        });
        [every, rotation].into_iter().flatten().fold(LOOK_EVERY, Duration::min)
    }
}
