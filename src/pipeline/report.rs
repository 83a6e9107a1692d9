//! The result of a run.

use std::{collections::BTreeMap, fmt, io, ops::Range, sync::Arc};

use super::outcome::Tally;
use crate::{engine::RouteCounts, shutdown::Signal};

/// How a run ended.
#[derive(Debug, Default)]
pub enum End {
    /// Everything that was read was delivered.
    #[default]
    Complete,
    /// A signal ended it before its inputs were read to their end.
    Unfinished(Unfinished),
    /// Nobody reads the output any more. This is not a failure, but the run cannot continue.
    Closed,
    /// The output made no progress after a stop.
    Stuck,
    /// Something else made no progress.
    Stalled(Stall),
    /// Something failed.
    Failed(Failure),
}

/// The progress of a run that a signal ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The signal.
    pub signal: Signal,
    /// The number of inputs.
    pub inputs: u64,
    /// The number of inputs that were not read to their end.
    pub left: u64,
    /// The last line that was delivered.
    pub last: Option<Spot>,
    /// What made no progress, if the rest was abandoned because of it.
    pub stall: Option<Stall>,
}

/// The end of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The input's name.
    pub input: Arc<str>,
    /// The number of lines up to there.
    pub lines: u64,
    /// The number of bytes of text up to there.
    pub bytes: u64,
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signal, inputs, left, last, stall } = self;
        let (signal, read) = (signal.name(), inputs.saturating_sub(*left));
        let noun = if *inputs == 1 { "input was" } else { "inputs were" };
        write!(f, "stopped by {signal}: {read} of {inputs} {noun} read to the end")?;
        if let Some(Spot { input, lines, bytes }) = last {
            write!(f, "; the last line written is {input}:{lines}, which ends at byte {bytes}")?;
        }
        stall.as_ref().map_or(Ok(()), |stall| write!(f, "; {stall}"))
    }
}

/// What made no progress after a stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stall {
    /// The output.
    Output,
    /// The judging of lines.
    Judging {
        /// The input of the lines.
        input: Arc<str>,
        /// The range of their bytes in it. It is not known for records.
        bytes: Option<Range<u64>>,
    },
    /// An input.
    Input,
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output => {
                f.write_str("the output did not respond; lines that it did not accept are lost")
            }
            Self::Judging { input, bytes: Some(Range { start, end }) } => write!(
                f,
                "a line takes too long to judge: it is in {input} between byte {start} and byte \
                 {end}, and this part was not written"
            ),
            Self::Judging { input, bytes: None } => {
                write!(f, "a record in {input} takes too long to judge; it was not written")
            }
            Self::Input => f.write_str("an input did not respond"),
        }
    }
}

/// What failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The output.
    #[error("the output failed: {0}")]
    Sink(#[source] io::Error),
    /// The source of records.
    #[error("the source failed: {0}")]
    Source(#[source] io::Error),
    /// The dead letter.
    #[error("the dead letter failed: {0}")]
    DeadLetter(#[source] io::Error),
    /// A worker, because of a bug.
    #[error("internal error (see above): the run stopped; please report it")]
    Worker,
    /// The system provided no threads.
    #[error("cannot start threads: {0}; try a smaller --threads")]
    Threads(#[source] io::Error),
}

/// The lines that schemas refused, by schema and reason.
pub type Violations = BTreeMap<(Arc<str>, &'static str), u64>;

/// Counts by route, without the default route.
pub type RouteTotals = BTreeMap<Arc<str>, RouteCounts>;

/// The counts of a run, and its end.
#[derive(Debug, Default)]
pub struct Report {
    /// The counts of what was judged *and* delivered.
    pub tally: Tally,
    /// Those of them that schemas refused. A reload can change the schema.
    pub violations: Violations,
    /// Those of them by route, if there are any. The rest took the default route.
    pub routes: RouteTotals,
    /// Lines that were read, and neither written nor kept in the dead letter.
    pub unwritten: u64,
    /// Records that were read and given back. They are read again, and counted then.
    pub returned: u64,
    /// Bytes of input, including byte order marks and discarded rests of lines.
    pub bytes_in: u64,
    /// Inputs that could not be opened or read to their end.
    pub failed_inputs: u64,
    /// Inputs that were truncated in place while they were followed.
    pub truncated_inputs: u64,
    /// How it ended.
    pub end: End,
}

impl Report {
    /// All lines that were read.
    pub fn read(&self) -> u64 {
        self.tally.read + self.unwritten
    }
}
