//! A pipeline in this process that follows a folder by a clock of its own.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread::{JoinHandle, sleep, spawn},
    time::{Duration, Instant},
};

use tamis::{
    pipeline::{
        Budget, Checkpoint, Growing, Inputs, Outlets, Pipeline, Report, Sizes, budget::Demand,
    },
    shutdown::Shutdown,
    sources::{
        Follow,
        follow::{Listing, Settings},
    },
};
use tempfile::TempDir;

use super::agent::PATIENCE;
use crate::stand_ins::{Clerk, Seen, Tray};

pub(crate) const LINE_AGE: Duration = Duration::from_secs(60);

/// A clock that moves when it is told to, and counts how often it is asked.
#[derive(Clone)]
pub(crate) struct Clock {
    begun: Instant,
    ahead: Arc<AtomicU64>,
    asked: Arc<AtomicU64>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), ahead: Arc::default(), asked: Arc::default() }
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.ahead.fetch_add(by.as_millis() as u64, SeqCst);
    }

    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(SeqCst)
    }

    fn now(&self) -> Instant {
        self.asked.fetch_add(1, SeqCst);
        self.begun + Duration::from_millis(self.ahead.load(SeqCst))
    }
}

/// What follows all files in `folder` that end with `.log`.
pub(crate) fn follow(
    folder: PathBuf,
    clock: &Clock,
    seen: &Seen,
    shutdown: &Shutdown,
) -> (Follow, Box<dyn Checkpoint>) {
    follow_unless(Arc::default(), folder, clock, seen, shutdown)
}

/// The same; while it is `hidden` the folder cannot be looked into.
fn follow_unless(
    hidden: Arc<AtomicBool>,
    folder: PathBuf,
    clock: &Clock,
    seen: &Seen,
    shutdown: &Shutdown,
) -> (Follow, Box<dyn Checkpoint>) {
    let clock = clock.clone();
    let list = move || {
        if hidden.load(SeqCst) {
            return Listing { unknown: vec![folder.clone()], ..Listing::default() };
        }
        let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> =
            files.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
        files.sort();
        Listing { files, folders: vec![folder.clone()], ..Listing::default() }
    };
    let settings = Settings {
        list: Box::new(list),
        data_dir: None,
        line_age: LINE_AGE,
        polling: false,
        most_open: usize::MAX,
        window: tamis::compression::Window::new(20),
        clock: Box::new(move || clock.now()),
        observer: Arc::new(seen.clone()),
        shutdown: shutdown.clone(),
    };
    Follow::open(settings).unwrap()
}

/// Runs a pipeline over inputs that grow.
pub(crate) fn run(
    growing: Box<dyn Growing>,
    checkpoint: Box<dyn Checkpoint>,
    sizes: Sizes,
    seen: &Seen,
    shutdown: &Shutdown,
) -> JoinHandle<Report> {
    let demand = Demand::of_lines(&sizes, 1, true, 0, |_| 0);
    let tray = Tray {
        seen: seen.clone(),
        dawdle: Duration::ZERO,
        fails_at: None,
        panics: false,
        taken: 0,
    };
    let pipeline = Pipeline {
        framing: None,
        budget: Budget::fit(sizes, demand, None).unwrap(),
        inputs: Inputs::Growing { growing, checkpoint, every: Duration::from_millis(20) },
        outlets: Outlets { sink: Box::new(tray), dead_letter: Some(Box::new(seen.clone())) },
        observer: Arc::new(seen.clone()),
        meters: Arc::default(),
        shutdown: shutdown.clone(),
    };
    spawn(move || pipeline.run(vec![Clerk::new(sizes.max_event_bytes)]))
}

/// A folder that is followed.
pub(crate) struct Desk {
    folder: TempDir,
    pub(crate) clock: Clock,
    seen: Seen,
    shutdown: Shutdown,
    running: JoinHandle<Report>,
    beacons: u64,
    hidden: Arc<AtomicBool>,
}

/// As long as it lives, the folder cannot be looked into.
pub(crate) struct Hidden(Arc<AtomicBool>);

impl Drop for Hidden {
    fn drop(&mut self) {
        self.0.store(false, SeqCst);
    }
}

impl Desk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, seen) = (Clock::new(), Seen::default());
        let shutdown = Shutdown::new(Duration::from_secs(60)).unwrap();
        fs::write(folder.path().join("beacon.log"), "").unwrap();
        let (hidden, path) = (Arc::<AtomicBool>::default(), folder.path().to_path_buf());
        let (growing, checkpoint) = follow_unless(hidden.clone(), path, &clock, &seen, &shutdown);
        let running = run(Box::new(growing), checkpoint, Sizes::new(1 << 20), &seen, &shutdown);
        Self { folder, clock, seen, shutdown, running, beacons: 0, hidden }
    }

    /// Keeps the folder from being looked into.
    pub(crate) fn hide(&self) -> Hidden {
        self.hidden.store(true, SeqCst);
        Hidden(self.hidden.clone())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn append(&self, name: &str, text: &str) {
        append(&self.path(name), text);
    }

    /// Moves the clock, and waits until that was noticed: a line of another file comes by.
    pub(crate) fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
        self.look();
    }

    /// Waits until every file was looked at.
    pub(crate) fn look(&mut self) {
        // The first may be found before the look; what the look finds comes before the third.
        for _ in 0..3 {
            self.beacons += 1;
            let beacon = format!("beacon {}\n", self.beacons);
            self.append("beacon.log", &beacon);
            self.until(|clean| clean.contains(&beacon));
        }
    }

    pub(crate) fn until(&self, done: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        while !done(&self.all()) {
            assert!(begun.elapsed() < PATIENCE, "it did not come: {}", self.clean());
            sleep(Duration::from_millis(2));
        }
    }

    /// What was forwarded, but for beacons.
    pub(crate) fn clean(&self) -> String {
        let all = self.all();
        let lines = all.split_inclusive('\n').filter(|line| !line.starts_with("beacon"));
        lines.collect()
    }

    fn all(&self) -> String {
        String::from_utf8(self.seen.get().clean.clone()).unwrap()
    }

    /// Ends the run.
    pub(crate) fn end(self) -> Report {
        self.shutdown.request();
        let report = self.running.join().unwrap();
        assert_eq!((report.unwritten, report.tally.unaccounted()), (0, 0));
        report
    }
}

pub(crate) fn append(path: &std::path::Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
