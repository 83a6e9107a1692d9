//! Compresses rotated files and removes the oldest, one after another on a thread of its own.

use std::{
    io::{self, Read as _, Write as _},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use super::{
    folder::{Folder, Opening},
    rotated::{Rotated, ending},
};
use crate::{
    compression::{Encoder, Format},
    journal::Event,
    shutdown::Phase,
    sinks::retry::Retry,
    temporary,
};

/// How many files may wait; the sink waits for more.
const WAITING: usize = 16;
const PIECE: usize = 64 << 10;

/// The thread, and the channel for its jobs.
pub(super) struct RetentionThread {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// The rotated files of one file.
struct Job {
    folder: Folder,
    base: String,
}

/// What to do with rotated files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retention {
    pub(super) compress: Option<Format>,
    pub(super) keep: Option<usize>,
}

impl RetentionThread {
    /// Returns `None` if there is nothing to do.
    pub(super) fn start(retention: Retention, retry: Retry) -> io::Result<Option<Self>> {
        if retention.compress.is_none() && retention.keep.is_none() {
            return Ok(None);
        }
        let (jobs, waiting) = sync_channel(WAITING);
        let work = move || retention.work(&waiting, &retry);
        let thread = thread::Builder::new().name("rotated".into()).spawn(work)?;
        Ok(Some(Self { jobs: Some(jobs), thread: Some(thread) }))
    }

    /// Requests work on the rotated files of `base`, which may be from an earlier run.
    pub(super) fn request(&self, folder: &Folder, base: &str) {
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(Job { folder: folder.clone(), base: base.to_owned() });
        }
    }
}

impl Drop for RetentionThread {
    /// Waits until all work is done. After a shutdown request, only the current piece is finished.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Retention {
    fn work(self, jobs: &Receiver<Job>, retry: &Retry) {
        for Job { folder, base } in jobs {
            if let Err(error) = self.request(&folder, &base, retry) {
                let shown = folder.shown(&base);
                let what =
                    format!("{shown}: rotated files could not be compressed or removed: {error}");
                (retry.say)(Event::RotationFailed, &what);
            }
        }
    }

    fn request(self, folder: &Folder, base: &str, retry: &Retry) -> io::Result<()> {
        // Remove what a killed run was compressing.
        for name in folder.names()? {
            let target = temporary::target(&name).and_then(|target| Rotated::parse(base, target));
            if target.is_some_and(|target| !target.is_plain()) {
                folder.remove_if_dead(&name);
            }
        }
        let all = Rotated::all(folder, base)?;
        let mut distinct: Vec<&Rotated> = Vec::new();
        for rotated in &all {
            if !distinct.iter().any(|other| other.is_twin(rotated)) {
                distinct.push(rotated);
            }
        }
        let keep = self.keep.unwrap_or(usize::MAX);
        for old in distinct.iter().skip(keep) {
            for twin in all.iter().filter(|twin| twin.is_twin(old)) {
                folder.remove(&twin.name(base))?;
            }
        }
        let Some(format) = self.compress else { return Ok(()) };
        for rotated in distinct.iter().take(keep) {
            // If a file exists in both forms, a crash came before the plain one was removed.
            let plain = all.iter().find(|twin| twin.is_twin(rotated) && twin.is_plain());
            if let Some(plain) = plain
                && !compress(folder, &plain.name(base), format, retry)?
            {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Compresses the file `name`. The compressed file is complete and durable before it gets its name,
/// and only then the plain one is removed. Returns `false` if the work was left to the next start.
fn compress(folder: &Folder, name: &str, format: Format, retry: &Retry) -> io::Result<bool> {
    let ending = ending(format);
    let temporary = temporary::name(&format!("{name}.{ending}"));
    let done = write_compressed(folder, name, &temporary, format, retry);
    if !matches!(done, Ok(true)) {
        let _ = folder.remove(&temporary);
        return done;
    }
    folder.rename_over(&temporary, &format!("{name}.{ending}"))?;
    folder.sync()?;
    folder.remove(name)?;
    Ok(true)
}

fn write_compressed(
    folder: &Folder,
    name: &str,
    temporary: &str,
    format: Format,
    retry: &Retry,
) -> io::Result<bool> {
    let mut plain = folder.file(name, Opening::Read)?;
    let mut packed = folder.file(temporary, Opening::New)?;
    // Not every file system supports locks. If it does, the lock shows that this process is alive.
    let _ = packed.try_lock();
    packed.set_permissions(plain.metadata()?.permissions())?;
    let mut encoder = Encoder::new(format)?;
    let mut piece = vec![0; PIECE];
    loop {
        if retry.shutdown.phase() != Phase::Running {
            return Ok(false);
        }
        match plain.read(&mut piece)? {
            0 => break,
            n => packed.write_all(&encoder.write(&piece[..n])?)?,
        }
    }
    packed.write_all(&encoder.finish()?)?;
    packed.sync_all()?;
    Ok(true)
}
