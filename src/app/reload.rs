//! Reload: on SIGHUP, and when the configuration or a file that it names changes.
//!
//! What lines are judged by changes between two chunks; nothing is read twice and nothing lost. A
//! configuration that does not hold, or that changes what only a restart can, is refused as a whole, and
//! the one in force stays.

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

/// How often files are looked at. A change is taken when the next look shows no other one.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The keys that can change while lines are judged; all others need a restart.
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

/// How often the configuration was replaced, and how often it was not.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    reloads: AtomicU64,
    refused: AtomicU64,
    /// What the memory formula came to since, at most.
    ceiling_bytes: AtomicU64,
}

impl Counts {
    /// Replaced, and refused.
    pub(crate) fn reloads(&self) -> (u64, u64) {
        (self.reloads.load(Relaxed), self.refused.load(Relaxed))
    }

    pub(crate) fn ceiling_bytes(&self) -> u64 {
        self.ceiling_bytes.load(Relaxed)
    }
}

/// What a reload is made of.
pub(crate) struct Reload {
    /// What was typed, and the file.
    pub(crate) origin: Origin,
    pub(crate) live: Arc<Live>,
    pub(crate) counts: Arc<Counts>,
    /// What of the run stays as it is.
    pub(crate) room: Room,
    pub(crate) memory: Option<u64>,
    pub(crate) dead_letter: bool,
    /// Every reject is told, with its body.
    pub(crate) bodies: bool,
    pub(crate) all_text: bool,
    /// Says what became of it.
    pub(crate) say: Say,
}

/// What the thread that reloads is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Reload,
    End,
}

/// The thread that reloads; it ends when this is dropped.
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

    /// Replaces what is in force, or says why not; the files as they were before they were read, if
    /// it came to that.
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

    /// Whether only that changed which can.
    fn check(&self, args: &RunArgs, origin: &Origin) -> Result<()> {
        let mut changed = self.origin.differs_in(origin);
        changed.retain(|key| !RELOADED.contains(key));
        // Who keeps the dead letter knows which text lines it keeps.
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
