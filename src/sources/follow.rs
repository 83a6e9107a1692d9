//! Growing files: found, identified, read in turn, and closed when they are finished.
//!
//! | file | does |
//! | --- | --- |
//! | `discovery` | finds files, and recognizes those that were read under another name |
//! | `fingerprint` | identifies a file |
//! | `tail` | one followed file |
//! | `finished` | files that are no longer followed, to recognize their copies |
//! | `packed` | a compressed file |
//! | `failures` | files that cannot be read, and too few descriptors |
//! | `watch` | when to check for changes |
//! | `registry` | how far each file was delivered |
//! | `store` | the registry on disk |
//! | `suspects` | lines that crash or block every run |
//! | `settings` | what is followed, and how |
//!
//! A file is identified by its device, its inode and the beginning of its content; its name may
//! change. A file that has no name any more is read to its end, and kept open for a while.
//!
//! Only durations are measured, never the time of day, so a clock that is set has no effect.

mod discovery;
mod failures;
mod fingerprint;
mod finished;
mod packed;
mod paths;
mod registry;
mod settings;
mod store;
mod suspects;
mod tail;
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
use finished::FinishedFiles;
use packed::Packed;
use registry::Registry;
use suspects::{Kept, Notes};
use tail::{Packing, Tail};
use watch::Watch;

/// The maximum number of followed files; more wait until one is finished.
pub const MOST_FILES: usize = 8192;
/// The memory of a followed file in the formula: its paths, fingerprints, table entries, and its
/// entry in a checkpoint that is being written.
pub const FILE_BYTES: u64 = 4 << 10;
/// How often files are listed, whatever inotify reports.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often files are checked without inotify.
const POLL_EVERY: Duration = Duration::from_millis(20);
/// How long a file that has no name is followed after its last growth.
const LINGER: Duration = Duration::from_secs(10);

/// A source of growing files.
pub struct Follow {
    settings: Settings,
    registry: Registry,
    notes: Notes,
    watch: Watch,
    tails: BTreeMap<usize, Tail>,
    nodes: HashMap<Node, usize>,
    /// Archives that were read, with their stamps, because an inode number may be reused.
    archives: HashMap<Node, Stamp>,
    /// Inputs by folder, as the watch names it, and file name.
    places: HashMap<(PathBuf, OsString), usize>,
    finished: FinishedFiles,
    /// Tails that have something to read, in order.
    queue: VecDeque<usize>,
    /// The compressed file that is open; only one is at a time.
    unpacking: Option<usize>,
    /// Archives and copies that may still be written: their size, and since when.
    unsettled: HashMap<Node, (u64, Instant)>,
    /// Inputs whose end was not reported yet.
    ended: VecDeque<(usize, bool)>,
    current: Option<usize>,
    /// The number of turns so far.
    turns: u64,
    /// Whether it was reported that there are more files than descriptors.
    in_turn: bool,
    /// When files were last listed; `None` if they must be listed immediately.
    listed: Option<Instant>,
    /// Whether a listing is needed.
    stale: bool,
    looked: Instant,
    /// Failures that were reported, and those that are to be reported.
    told: HashSet<String>,
    failures: VecDeque<(String, io::Error)>,
    /// Whether files of an earlier run must still be searched.
    first: bool,
    /// How many files and folders could not be listed the last time.
    unknown: usize,
    drained: bool,
}

impl Follow {
    /// Opens a source that follows files, and the checkpoint that keeps their positions.
    ///
    /// # Errors
    /// The data directory is used by another process, or is damaged.
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
            finished: FinishedFiles::default(),
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

    /// Begins the turn of the next tail in the queue that has something to read.
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

    /// Begins the turn of a tail. Returns `None` if the file was truncated and is read as another
    /// file, or is not the same any more.
    fn begin(&mut self, input: usize, now: Instant) -> io::Result<Option<Ready>> {
        match self.open_for_turn(input) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // It was closed and has been renamed; a listing will find it.
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
            // It was empty when it was found.
            self.meet_again(input);
            return Ok(None);
        }
        if !tail.has_news(now, self.settings.line_age)? {
            return Ok(None);
        }
        let mut take_partial = tail.aged_to.is_some();
        if let Packing::Packed(packed) = &mut tail.packing {
            // Nothing will be appended to it.
            take_partial = true;
            if packed.is_none() {
                let start = tail.file.as_ref().map(fingerprint::start).transpose()?;
                let start = start.unwrap_or_default();
                if !matches!(Format::of(&start), Start::Packed(_)) {
                    // It is being rewritten.
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

    /// Handles a file that was truncated in place: its new content is read as another file.
    fn truncated(&mut self, input: usize, now: Instant) -> io::Result<()> {
        let Some(mut tail) = self.tails.remove(&input) else { return Ok(()) };
        self.settings.observer.input_truncated(&tail.name);
        self.finished.remember(tail.finished_file());
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

    /// Checks every file: which has grown, and which is finished.
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
            self.finished.remember(tail.finished_file());
        }
        self.ended.push_back((input, false));
    }

    /// Does what is due, and returns how long nothing will be.
    fn upkeep(&mut self, now: Instant) -> Duration {
        let since = |at: Instant| now.saturating_duration_since(at);
        let due = self.listed.is_none_or(|at| {
            since(at) >= LOOK_EVERY || self.stale && since(at) >= Duration::from_millis(5)
        });
        if due {
            (self.listed, self.stale) = (Some(now), false);
            self.discover(now);
            self.look(now);
        } else if !self.watch.reports_writes() && since(self.looked) >= POLL_EVERY {
            self.look(now);
        }
        let soon = if self.stale || !self.watch.reports_writes() { POLL_EVERY } else { LOOK_EVERY };
        soon.min(LOOK_EVERY.saturating_sub(self.listed.map_or(LOOK_EVERY, since)))
    }

    /// Waits for changes, and queues the changed files.
    fn wait_for_news(&mut self, wait: Duration) {
        let news = match self.watch.wait(self.settings.shutdown.wake(), wait) {
            Ok(news) => news,
            Err(error) => return self.tell("inotify", error),
        };
        self.stale |= news.changed;
        for place in news.written {
            match self.places.get(&place) {
                Some(&input) => self.enqueue(input),
                // An unknown name, or one that is no longer known.
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
            // Permanent writers must not prevent new files from being found.
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
            self.wait_for_news(left.min(nothing_for));
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
            // It was reported, and will be retried from here when the file changes.
            return self.park(input);
        }
        match (tail.is_packed(), exhausted && !tail.rewritten) {
            (true, true) => {
                // It was read once, and a listing does not add it again.
                let stamp = tail.metadata().map(|metadata| Stamp::of(&metadata));
                self.archives.extend(stamp.ok().map(|stamp| (tail.node, stamp)));
                self.let_go(input);
            }
            (_, false) => self.enqueue(input),
            // It waits until something is written.
            (false, true) => {}
        }
    }
}
