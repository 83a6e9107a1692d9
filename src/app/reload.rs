//! Reloads the configuration on SIGHUP, and when the configuration or a file that it names changes.
//!
//! The rules change between two chunks; no line is read twice or lost. A configuration that is
//! invalid, or that changes a key which needs a restart, is refused completely, and the previous
//! one stays in effect.

mod live;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Result, anyhow, bail};

pub(crate) use live::Live;

use super::{
    config::{FileStamps, Origin},
    exit::Trouble,
    plan, resolve,
    resolved::Rules,
    room::Room,
};
use crate::{
    cli::RunArgs,
    config::choice::TextChoice,
    journal::{Event, Say},
};

/// How often files are checked for changes. A change is applied when the next check finds no
/// further change.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The keys that can change during a run; all others need a restart.
const RELOADED: &[&str] = &[
    "schema",
    "require",
    "text",
    "ip",
    "patterns",
    "only",
    "without",
    "numbers",
    "known_placeholders",
    "keys",
    "max_depth",
];

/// Counts successful and refused reloads.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    reloads: AtomicU64,
    refused: AtomicU64,
    /// The highest value of the memory formula since the start.
    ceiling_bytes: AtomicU64,
}

impl Counts {
    /// Returns the numbers of successful and of refused reloads.
    pub(crate) fn reloads(&self) -> (u64, u64) {
        (self.reloads.load(Relaxed), self.refused.load(Relaxed))
    }

    pub(crate) fn ceiling_bytes(&self) -> u64 {
        self.ceiling_bytes.load(Relaxed)
    }
}

/// What a reload needs.
pub(crate) struct Reload {
    /// The command line and the file.
    pub(crate) origin: Origin,
    pub(crate) live: Arc<Live>,
    pub(crate) counts: Arc<Counts>,
    /// The fixed part of the memory budget.
    pub(crate) room: Room,
    pub(crate) memory: Option<u64>,
    pub(crate) dead_letter: bool,
    /// Whether rejected lines are reported with their content.
    pub(crate) bodies: bool,
    pub(crate) all_text: bool,
    /// Reports the result.
    pub(crate) say: Say,
}

/// A request to the reload thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Reload,
    End,
}

/// The reload thread, which ends when this is dropped.
pub(crate) struct Reloading {
    requests: Sender<Request>,
    thread: Option<JoinHandle<()>>,
}

impl Reloading {
    pub(crate) fn start(
        reload: Reload,
        requests: Sender<Request>,
        received: Receiver<Request>,
    ) -> io::Result<Self> {
        let work = move || reload.watch(&received);
        let thread = thread::Builder::new().name("reload".into()).spawn(work)?;
        Ok(Self { requests, thread: Some(thread) })
    }
}

impl Drop for Reloading {
    fn drop(&mut self) {
        let _ = self.requests.send(Request::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Reload {
    fn watch(mut self, requests: &Receiver<Request>) {
        let mut tried = self.origin.stamps.clone();
        let mut last = tried.clone();
        loop {
            let asked = match requests.recv_timeout(LOOK_EVERY) {
                Ok(Request::Reload) => true,
                Err(RecvTimeoutError::Timeout) => false,
                Ok(Request::End) | Err(RecvTimeoutError::Disconnected) => return,
            };
            let now = tried.again();
            let settled = now == last;
            last = now;
            if asked || settled && last != tried {
                tried = self.attempt().unwrap_or(last);
                last = tried.clone();
            }
        }
    }

    /// Reloads the configuration, or reports why not. Returns the stamps of the files from before
    /// they were read, if they were.
    fn attempt(&mut self) -> Option<FileStamps> {
        let path = self.origin.path.display().to_string();
        let mut stamps = None;
        match self.replace(&mut stamps) {
            Ok(()) => {
                self.counts.reloads.fetch_add(1, Relaxed);
                (self.say)(Event::ConfigReloaded, &format!("{path}: reloaded"));
            }
            Err(trouble) => {
                self.counts.refused.fetch_add(1, Relaxed);
                let what = format!(
                    "{path}: not reloaded, the previous configuration stays in effect: {trouble}"
                );
                (self.say)(Event::ConfigRefused, &what);
            }
        }
        stamps
    }

    fn replace(&mut self, stamps: &mut Option<FileStamps>) -> Result<(), Trouble> {
        let (args, origin) = self.origin.again()?;
        *stamps = Some(origin.stamps.clone());
        self.check(&args, &origin)?;
        let rules = Rules { all_text: self.all_text, ..resolve::rules(args.rules)? };
        let ceiling = self.room.with_rules(&rules);
        if let Some(memory) = self.memory.filter(|memory| ceiling > *memory) {
            let (wanted, has) = (ceiling.div_ceil(1 << 20), memory >> 20);
            return Err(
                anyhow!("it needs {wanted}MiB of memory, but --memory allows {has}MiB").into()
            );
        }
        self.live.replace(plan::compile(rules, self.bodies)?);
        self.counts.ceiling_bytes.fetch_max(ceiling, Relaxed);
        self.origin = origin;
        Ok(())
    }

    /// Checks that only reloadable keys changed.
    fn check(&self, args: &RunArgs, origin: &Origin) -> Result<()> {
        let mut changed = self.origin.differs_in(origin);
        changed.retain(|key| !RELOADED.contains(key));
        // The sink for dead letters is not reloaded, and it knows which text lines it keeps.
        if origin.drops_text != self.origin.drops_text {
            changed.push("text");
        }
        // The sink knows which topics it writes.
        if origin.written != self.origin.written {
            changed.push("sink and dead_letter of [[route]]");
        }
        if !changed.is_empty() {
            let keys: Vec<_> = changed.iter().map(|key| format!("`{key}`")).collect();
            bail!("{} cannot change while Tamis runs: restart Tamis to apply it", keys.join(", "));
        }
        if args.rules.text == Some(TextChoice::DeadLetter) && !self.dead_letter {
            bail!("text = \"dead-letter\" needs `dead_letter`");
        }
        Ok(())
    }
}
