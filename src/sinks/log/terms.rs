//! What holds for every file of the sink.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;

use super::{folder::Identity, keeper::Keeper};
use crate::{metrics::Meters, sinks::patience::Patience};

/// How often every file's name is looked at, whether lines come or not.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// When what was written is made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fsync {
    /// After each write.
    Always,
    /// Before anything is acknowledged, and before more waits than is remembered.
    #[default]
    Acknowledged,
    /// Also this often.
    Every(Duration),
    /// The system decides: what is acknowledged may be lost with the power.
    Never,
}

pub(super) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

pub(super) struct Terms {
    pub(super) fsync: Fsync,
    pub(super) rotate_size: Option<u64>,
    pub(super) rotate_every: Option<Duration>,
    pub(super) longest_line: u64,
    pub(super) avoid: Vec<Identity>,
    /// The link that the user named.
    pub(super) link: Option<PathBuf>,
    /// Events choose the names: one that cannot be written to must not stop the others.
    pub(super) by_field: bool,
    pub(super) meters: Arc<Meters>,
    pub(super) clock: Clock,
    pub(super) patience: Patience,
    pub(super) keeper: Option<Keeper>,
}

impl Terms {
    /// Which period of the rotation `at` is in. They begin with the day in UTC, or with a whole
    /// number of periods behind 1970.
    pub(super) fn period(&self, at: SystemTime) -> u64 {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.rotate_every.map_or(0, |every| since.as_secs() / every.as_secs().max(1))
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::try_from((self.clock)()).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// How long nothing is due where no line comes.
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
