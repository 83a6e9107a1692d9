//! Files that grow: found, told apart, read in turn, and let go.
//!
//! | file | does |
//! | --- | --- |
//! | `discovery` | which files there are, and which of them were read already under another name |
//! | `fingerprint` | which file it is |
//! | `tail` | one file that is followed |
//! | `former` | files that are no longer followed, and how their copies are recognised |
//! | `packed` | one that is compressed |
//! | `trouble` | what cannot be read, told once |
//! | `watch` | when to look |
//! | `registry` | how far each file was delivered |
//! | `store` | the same on disk |
//! | `suspects` | which lines hold up every run |
//! | `settings` | what there is to follow, and how |
//!
//! A file is its device and inode, and the start of what it says; its name may change. A file that
//! no name leads to any more is read to its end, and for a while longer, before it is let go.
//!
//! Only how long something lasted is ever asked of the clock, never the time of day: a clock that is
//! set changes nothing here.

mod discovery;
mod fingerprint;
mod former;
mod packed;
mod registry;
mod settings;
mod store;
mod suspects;
mod tail;
mod trouble;
mod watch;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    ffi::OsString,
    io,
    path::PathBuf,
    time::{Duration, Instant},
};

pub use settings::{Listing, Settings};
pub use store::StoreError;

use crate::{
    compression::{Format, Start},
    pipeline::{Checkpoint, Growing, Reached, Ready, Turn},
    shutdown::Phase,
};

use fingerprint::{Node, Stamp};
use former::Formers;
use packed::Packed;
use registry::Registry;
use suspects::{Kept, Notes};
use tail::{Packing, Tail};
use watch::Watch;

/// So many files are followed at once; more wait until one is let go.
pub const MOST_FILES: usize = 8192;
/// What a followed file costs, in the memory formula: its paths, its fingerprints, its places in
/// tables, its entry in a checkpoint that is being written.
pub const FILE_BYTES: u64 = 4 << 10;
/// How often files are looked for, whatever was heard.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often files are looked at where nothing is heard.
const POLL_EVERY: Duration = Duration::from_millis(20);
/// A file is let go when no name has led to it, and it has not grown, for so long.
const LINGER: Duration = Duration::from_secs(10);

/// Files that grow.
pub struct Follow {
    settings: Settings,
    registry: Registry,
    notes: Notes,
    watch: Watch,
    tails: BTreeMap<usize, Tail>,
    nodes: HashMap<Node, usize>,
    /// Archives that were read, as they were then: a node alone is soon another file's.
    archives: HashMap<Node, Stamp>,
    /// By folder, as the watch names it, and name.
    places: HashMap<(PathBuf, OsString), usize>,
    formers: Formers,
    /// Tails that have something to read, in turn.
    queue: VecDeque<usize>,
    /// The compressed file that is open: one at a time.
    unpacking: Option<usize>,
    /// Archives and copies that may still be written: their size, and since when.
    unsettled: HashMap<Node, (u64, Instant)>,
    /// Who still has to be told as ended.
    ended: VecDeque<(usize, bool)>,
    current: Option<usize>,
    /// Turns so far.
    turns: u64,
    /// There are more files than descriptors, which was said.
    in_turn: bool,
    /// When files were listed last; `None`: they must be listed at once.
    listed: Option<Instant>,
    /// A listing is wanted.
    stale: bool,
    looked: Instant,
    /// Failures that were told, and those that are yet to be.
    told: HashSet<String>,
    failures: VecDeque<(String, io::Error)>,
    /// Files of an earlier run are yet to be searched for.
    first: bool,
    /// So much could not be listed the last time.
    unknown: usize,
    drained: bool,
}

impl Follow {
    /// What follows files, and what keeps their positions.
    ///
    /// # Errors
    /// A data directory that another process has, or that does not hold what it should.
    pub fn open(settings: Settings) -> Result<(Self, Box<dyn Checkpoint>), StoreError> {
        let registry = Registry::open(settings.data_dir.as_deref())?;
        let checkpoint = Box::new(Kept::open(&registry, settings.data_dir.as_deref()));
        let follow = Self {
            watch: Watch::new(settings.polling),
            looked: (settings.clock)(),
            settings,
            registry,
            notes: checkpoint.notes.clone(),
            tails: BTreeMap::new(),
            nodes: HashMap::new(),
            archives: HashMap::new(),
            places: HashMap::new(),
            formers: Formers::default(),
            queue: VecDeque::new(),
            unpacking: None,
            unsettled: HashMap::new(),
            ended: VecDeque::new(),
            current: None,
            turns: 0,
            in_turn: false,
            listed: None,
            stale: false,
            told: HashSet::new(),
            failures: VecDeque::new(),
            first: true,
            unknown: 0,
            drained: false,
        };
        Ok((follow, checkpoint))
    }

    fn now(&self) -> Instant {
        (self.settings.clock)()
    }

    /// The next tail in the queue that has something to say.
    fn next_in_queue(&mut self, now: Instant) -> Option<Turn> {
        for _ in 0..self.queue.len() {
            let input = self.queue.pop_front()?;
            let Some(tail) = self.tails.get_mut(&input) else { continue };
            tail.queued = false;
            if tail.is_packed() && self.unpacking.is_some_and(|open| open != input) {
                tail.queued = true;
                self.queue.push_back(input);
                continue;
            }
            match self.begin(input, now) {
                Ok(Some(ready)) => return Some(Turn::Ready(ready)),
                Ok(None) => return None,
                Err(error) => self.fail(input, error),
            }
        }
        None
    }

    /// Begins a tail's turn; `None`: it was truncated and another takes its place, or it is not what
    /// it was.
    fn begin(&mut self, input: usize, now: Instant) -> io::Result<Option<Ready>> {
        match self.open_for_turn(input) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // It was closed, and is somewhere else by now: a listing finds it.
                self.stale = true;
                return Ok(None);
            }
            opened => opened?,
        }
        let Some(tail) = self.tails.get_mut(&input) else { return Ok(None) };
        if !tail.begin(now, self.settings.line_age)? {
            self.truncated(input, now)?;
            return Ok(None);
        }
        let new = tail.position.offset == 0 && !tail.is_packed();
        if new && matches!(Format::of(&tail.ask(fingerprint::start)?), Start::Packed(_)) {
            // It was empty when it was met.
            self.meet_again(input);
            return Ok(None);
        }
        if !tail.has_news(now, self.settings.line_age)? {
            return Ok(None);
        }
        let mut take_partial = tail.aged_to.is_some();
        if let Packing::Packed(packed) = &mut tail.packing {
            // Nothing will be added to it.
            take_partial = true;
            if packed.is_none() {
                let start = tail.file.as_ref().map(fingerprint::start).transpose()?;
                let start = start.unwrap_or_default();
                if !matches!(Format::of(&start), Start::Packed(_)) {
                    // It is being written anew.
                    self.park(input);
                    return Ok(None);
                }
                let (skip, window) = (tail.position.offset, &self.settings.window);
                if let Some(file) = &tail.file {
                    *packed = Some(Packed::open(file, skip, window, &self.settings.shutdown)?);
                }
                self.unpacking = Some(input);
            }
        }
        self.current = Some(input);
        let (name, position) = (tail.name.clone(), tail.position);
        let take_waiting = tail.has_waited(now, self.settings.line_age);
        let caution = self.notes.caution_of(tail);
        Ok(Some(Ready { input, name, position, take_partial, take_waiting, caution }))
    }

    /// A file was truncated in place: what is in it now is read as another file.
    fn truncated(&mut self, input: usize, now: Instant) -> io::Result<()> {
        let Some(mut tail) = self.tails.remove(&input) else { return Ok(()) };
        self.settings.observer.input_truncated(&tail.name);
        self.formers.remember(tail.former());
        self.ended.push_back((input, true));
        let Some(file) = tail.file.take() else { return Ok(()) };
        let fresh =
            Tail::new(tail.path.clone(), file, tail.node, Packing::Plain, Default::default(), now)?;
        let unlisted = tail.unlisted;
        let number = self.add(fresh, None);
        if let Some(tail) = self.tails.get_mut(&number) {
            tail.unlisted = unlisted;
        }
        Ok(())
    }

    fn enqueue(&mut self, input: usize) {
        if let Some(tail) = self.tails.get_mut(&input)
            && !tail.queued
        {
            tail.queued = true;
            self.queue.push_back(input);
        }
    }

    /// Looks at every file: which of them grew, and which is let go.
    fn look(&mut self, now: Instant) {
        self.looked = now;
        let inputs: Vec<_> = self.tails.keys().copied().collect();
        for input in inputs {
            let Some(tail) = self.tails.get_mut(&input) else { continue };
            match tail.has_changed() {
                Ok(false) if !tail.has_aged(now, self.settings.line_age) => {
                    if tail.is_over(now, LINGER) && !tail.queued {
                        self.let_go(input);
                    }
                }
                Ok(_) => self.enqueue(input),
                Err(error) => self.fail(input, error),
            }
        }
    }

    fn let_go(&mut self, input: usize) {
        let Some(mut tail) = self.tails.remove(&input) else { return };
        if self.nodes.get(&tail.node) == Some(&input) {
            self.nodes.remove(&tail.node);
        }
        if self.unpacking == Some(input) {
            self.unpacking = None;
        }
        if tail.is_somewhere() {
            self.registry.is_elsewhere(input);
        } else if tail.file.is_none() && tail.exhausted_at.is_none() {
            let why = "it was removed before it was read to its end, because there are too few \
                       file descriptors (`ulimit -n`)";
            self.tell(&tail.name.clone(), io::Error::other(why));
        }
        if !tail.is_packed() {
            self.formers.remember(tail.former());
        }
        self.ended.push_back((input, false));
    }

    /// Does what is due, and says how long nothing will be.
    fn upkeep(&mut self, now: Instant) -> Duration {
        let since = |at: Instant| now.saturating_duration_since(at);
        let due = self.listed.is_none_or(|at| {
            since(at) >= LOOK_EVERY || self.stale && since(at) >= Duration::from_millis(5)
        });
        if due {
            (self.listed, self.stale) = (Some(now), false);
            self.discover(now);
            self.look(now);
        } else if !self.watch.hears() && since(self.looked) >= POLL_EVERY {
            self.look(now);
        }
        let soon = if self.stale || !self.watch.hears() { POLL_EVERY } else { LOOK_EVERY };
        soon.min(LOOK_EVERY.saturating_sub(self.listed.map_or(LOOK_EVERY, since)))
    }

    /// Waits for news, and queues whose news it is.
    fn hear(&mut self, wait: Duration) {
        let news = match self.watch.wait(self.settings.shutdown.wake(), wait) {
            Ok(news) => news,
            Err(error) => return self.tell("inotify", error),
        };
        self.stale |= news.changed;
        for place in news.written {
            match self.places.get(&place) {
                Some(&input) => self.enqueue(input),
                // A name that is not known, or not any more.
                None => self.stale = true,
            }
        }
        if news.lost {
            self.look(self.now());
        }
    }
}

impl Growing for Follow {
    fn turn(&mut self, wait: Duration) -> Turn {
        let begun = self.now();
        loop {
            let now = self.now();
            match self.settings.shutdown.phase() {
                Phase::Stopped { .. } | Phase::GivenUp => return Turn::End,
                Phase::Draining { .. } if !self.drained => {
                    self.drained = true;
                    self.discover(now);
                    self.look(now);
                }
                _ => {}
            }
            if let Some((input, truncated)) = self.ended.pop_front() {
                return Turn::Ended { input, truncated };
            }
            if let Some((name, error)) = self.failures.pop_front() {
                return Turn::Failed { name, error };
            }
            // Writers that never rest must not keep new files from being found.
            let nothing_for = self.upkeep(now);
            if let Some(turn) = self.next_in_queue(now) {
                return turn;
            }
            if !(self.queue.is_empty() && self.ended.is_empty() && self.failures.is_empty()) {
                continue;
            }
            if self.drained {
                return Turn::End;
            }
            let left = wait.saturating_sub(now.saturating_duration_since(begun));
            if left.is_zero() {
                return Turn::Idle;
            }
            self.hear(left.min(nothing_for));
        }
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let tail = self.current.and_then(|input| self.tails.get_mut(&input));
        tail.map_or(Ok(0), |tail| tail.read(buf))
    }

    fn end_turn(&mut self, reached: Reached) {
        let now = self.now();
        let Some(input) = self.current.take() else { return };
        let Some(tail) = self.tails.get_mut(&input) else { return };
        let exhausted = tail.exhausted_at.is_some();
        if tail.end(reached, now) {
            self.registry.grew(input, &tail.start);
        }
        if tail.failed {
            // Told already; tried again from here when it changes.
            return self.park(input);
        }
        match (tail.is_packed(), exhausted && !tail.rewritten) {
            (true, true) => {
                // Read once: no listing brings it back.
                let stamp = tail.metadata().map(|metadata| Stamp::of(&metadata));
                self.archives.extend(stamp.ok().map(|stamp| (tail.node, stamp)));
                self.let_go(input);
            }
            (_, false) => self.enqueue(input),
            // Until somebody writes.
            (false, true) => {}
        }
    }
}
