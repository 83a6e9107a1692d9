//! The walk: one validating pass over the bytes *between* an event's strings, which the quote
//! index lets it skip. It holds the event to RFC 8259 (escapes and UTF-8 apart, which the engine
//! judges), follows the path, asks the schema, and reports the strings, keys and numbers in which
//! something is marked.

mod number;
mod pass;
mod report;

use std::sync::Arc;

use super::decode::OffsetMap;
use super::index::Mark;
use super::outcome::Reason;
use super::path::Paths;
use super::schema::{Contract as _, Schema};
pub(crate) use number::is_other_spelling;
use pass::Pass;
pub(crate) use report::{Kind, Site};

/// Why an event is malformed, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) reason: Reason,
    pub(crate) at: usize,
}

/// A schema's refusal: the first one of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) reason: Reason,
    pub(crate) at: usize,
}

/// An event's bytes and what the index says of them.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    /// The whole buffer: 32 bytes and more stand behind `end`.
    pub(crate) buf: &'a [u8],
    /// The `{`.
    pub(crate) start: usize,
    /// The newline, or whatever ends the event and is not JSON.
    pub(crate) end: usize,
    /// The unescaped quotes between `start` and `end`.
    pub(crate) quotes: &'a [u32],
    /// The marks between `start` and `end`.
    pub(crate) marks: &'a [Mark],
}

/// An open container.
#[derive(Clone, Copy, Default)]
struct Frame {
    /// The state (walking by states) or the node (by nodes) whose value the container is.
    owner: u32,
    /// Where it opens.
    start: u32,
    /// The key that it is the value of: raw, without quotes.
    key: (u32, u32),
    array: bool,
    /// By nodes: the object's node, its required fields so far, and its part of `named`.
    node: u32,
    seen: u64,
    named: u32,
}

/// Where the walk is among an object's keys, or in an array.
#[derive(Clone, Copy)]
struct Here {
    /// State or node of the value that comes next.
    id: u32,
    key: (u32, u32),
}

/// The walk's scratch space.
pub(crate) struct Walk {
    schema: Option<Arc<Schema>>,
    /// The schema allows no object as an event, or only those that it lists.
    asks_event: bool,
    max_depth: usize,
    frames: Vec<Frame>,
    /// By nodes: the constrained fields seen in the open objects.
    named: Vec<u32>,
    scratch: Vec<u8>,
    map: OffsetMap,
    /// What was reported of the last event, in its order.
    pub(crate) sites: Vec<Site>,
    /// The keys above and of each site.
    pub(crate) keys: Vec<(u32, u32)>,
    /// The rows of globs of the sites.
    rows: Vec<u64>,
    /// The first violation of the last event.
    pub(crate) violation: Option<Violation>,
    /// Events to walk by nodes before states are tried again.
    by_nodes: u32,
    /// Whether the present pass goes by nodes.
    walking_nodes: bool,
    /// Rises when states don't fit, falls when they do.
    misses: u32,
    /// Misses since the states were last forgotten.
    missed: u32,
}

/// States are full.
struct Full;
type Step<T> = Result<T, Result<Stop, Full>>;

impl Walk {
    pub(crate) fn new(max_depth: usize, schema: Option<Arc<Schema>>) -> Self {
        let asks_event = schema
            .as_ref()
            .is_some_and(|s| s.check_object(s.root()).is_err() || s.compares_containers(s.root()));
        Self {
            schema,
            asks_event,
            max_depth,
            frames: vec![Frame::default(); max_depth + 1],
            named: Vec::new(),
            scratch: Vec::new(),
            map: OffsetMap::default(),
            sites: Vec::new(),
            keys: Vec::new(),
            rows: Vec::new(),
            violation: None,
            by_nodes: 0,
            walking_nodes: false,
            misses: 0,
            missed: 0,
        }
    }

    /// Walks one event. On success `sites`, `keys` and `violation` tell about it.
    #[inline(always)]
    pub(crate) fn event(&mut self, line: &Line<'_>, paths: &mut Paths) -> Result<(), Stop> {
        self.passed(line, paths)?;
        if self.asks_event {
            self.check_event(line);
        }
        Ok(())
    }

    #[inline(always)]
    fn passed(&mut self, line: &Line<'_>, paths: &mut Paths) -> Result<(), Stop> {
        if self.by_nodes > 0 {
            self.by_nodes -= 1;
        } else {
            match Pass::<false>::over(self, paths, line) {
                Ok(()) => {
                    self.misses = self.misses.saturating_sub(1);
                    return Ok(());
                }
                Err(Ok(stop)) => return Err(stop),
                Err(Err(Full)) => self.missed(paths),
            }
        }
        match Pass::<true>::over(self, paths, line) {
            Ok(()) => Ok(()),
            Err(Ok(stop)) => Err(stop),
            // By nodes there is always a spare place.
            Err(Err(Full)) => Err(Stop { reason: Reason::TooDeep, at: line.start }),
        }
    }

    /// Walks the object or array that begins `line`, whatever follows it, and returns where it
    /// ends. On success `sites` and `keys` tell about it.
    pub(crate) fn embedded(&mut self, line: &Line<'_>, paths: &mut Paths) -> Result<usize, Stop> {
        if self.by_nodes > 0 {
            self.by_nodes -= 1;
        } else {
            match Pass::<false>::prefix(self, paths, line) {
                Ok(end) => {
                    self.misses = self.misses.saturating_sub(1);
                    return Ok(end);
                }
                Err(Ok(stop)) => return Err(stop),
                Err(Err(Full)) => self.missed(paths),
            }
        }
        Pass::<true>::prefix(self, paths, line).map_err(|stopped| match stopped {
            Ok(stop) => stop,
            // By nodes there is always a spare place.
            Err(Full) => Stop { reason: Reason::TooDeep, at: line.start },
        })
    }

    /// States did not fit. Where keys come in ever new orders, they are not tried on every event;
    /// now and then all is forgotten, for the stream may have changed since the states filled up.
    #[cold]
    fn missed(&mut self, paths: &mut Paths) {
        self.misses += 16;
        if self.misses > 128 {
            self.misses = 112;
            self.by_nodes = 500;
        }
        self.missed += 1;
        if self.missed > 1000 {
            self.missed = 0;
            self.by_nodes = 0;
            paths.reset();
        }
    }
}
