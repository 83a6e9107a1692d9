//! The walk: one validating pass over the bytes *between* an event's strings, which the quote
//! index lets it skip. It holds the event to RFC 8259 (escapes and UTF-8 apart, which the engine
//! judges), follows the path, asks the schema, and reports the strings, keys and numbers in which
//! something is marked.

pub(crate) mod asked;
mod begin;
mod number;
mod pass;
mod report;

use std::sync::Arc;

use super::decode::OffsetMap;
use super::index::Mark;
use super::memory;
use super::outcome::Reason;
use super::path::Paths;
use super::schema::{Contract as _, Schema};
use asked::Asked;
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

/// The schema that events are held to.
#[derive(Default)]
pub(crate) struct Held {
    schema: Option<Arc<Schema>>,
    /// The schema allows no object as an event, or only those that it lists.
    asks_event: bool,
}

impl Held {
    pub(crate) fn to(schema: Option<Arc<Schema>>) -> Self {
        let asks_event = schema
            .as_ref()
            .is_some_and(|s| s.check_object(s.root()).is_err() || s.compares_containers(s.root()));
        Self { schema, asks_event }
    }
}

/// The walk's scratch space.
pub(crate) struct Walk {
    /// What the next event is held to.
    pub(crate) held: Held,
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
    /// The fields of the last event that routes ask for.
    pub(crate) asked: Asked,
    /// Whether the present pass goes by nodes.
    walking_nodes: bool,
}

/// States are full.
struct Full;
type Step<T> = Result<T, Result<Stop, Full>>;

impl Walk {
    pub(crate) fn new(max_depth: usize, held: Held) -> Self {
        Self {
            held,
            max_depth,
            frames: vec![Frame::default(); max_depth + 1],
            named: Vec::new(),
            scratch: Vec::new(),
            map: OffsetMap::default(),
            sites: Vec::new(),
            keys: Vec::new(),
            rows: Vec::new(),
            violation: None,
            asked: Asked::default(),
            walking_nodes: false,
        }
    }

    /// The bytes of memory that grow with an event.
    pub(crate) fn memory(&self) -> usize {
        let Self { named, scratch, map, sites, keys, rows, .. } = self;
        let lists = memory::of(sites) + memory::of(keys) + memory::of(rows);
        lists + memory::of(named) + memory::of(scratch) + map.memory()
    }

    /// Gives that memory back.
    #[cold]
    pub(crate) fn give_back(&mut self) {
        let Self { named, scratch, map, sites, keys, rows, .. } = self;
        (*named, *scratch, *map) = Default::default();
        (*sites, *keys, *rows) = Default::default();
    }

    /// Walks one event. On success `sites`, `keys` and `violation` tell about it.
    #[inline(always)]
    pub(crate) fn event(&mut self, line: &Line<'_>, paths: &mut Paths) -> Result<(), Stop> {
        self.passed(line, paths)?;
        if self.held.asks_event {
            self.check_event(line);
        }
        Ok(())
    }

    #[inline(always)]
    fn passed(&mut self, line: &Line<'_>, paths: &mut Paths) -> Result<(), Stop> {
        if paths.pace.tries_states() {
            match Pass::<false>::over(self, paths, line) {
                Ok(()) => {
                    paths.pace.fitted();
                    return Ok(());
                }
                Err(Ok(stop)) => return Err(stop),
                Err(Err(Full)) => missed(paths),
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
        if paths.pace.tries_states() {
            match Pass::<false>::prefix(self, paths, line) {
                Ok(end) => {
                    paths.pace.fitted();
                    return Ok(end);
                }
                Err(Ok(stop)) => return Err(stop),
                Err(Err(Full)) => missed(paths),
            }
        }
        Pass::<true>::prefix(self, paths, line).map_err(|stopped| match stopped {
            Ok(stop) => stop,
            // By nodes there is always a spare place.
            Err(Full) => Stop { reason: Reason::TooDeep, at: line.start },
        })
    }
}

/// States did not fit.
#[cold]
fn missed(paths: &mut Paths) {
    if paths.pace.missed() {
        paths.reset();
    }
}
