//! What becomes of rotated files: compressed, and the oldest removed, one after another on a thread of
//! its own.

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
    sinks::patience::Patience,
    temporary,
};

/// How many files may wait for their turn; then the sink waits, too.
const WAITING: usize = 16;
const PIECE: usize = 64 << 10;

/// The thread, and who it is told by.
pub(super) struct Keeper {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// The rotated files of one file.
struct Job {
    folder: Folder,
    base: String,
}

/// What is wanted of rotated files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keeping {
    pub(super) compress: Option<Format>,
    pub(super) keep: Option<usize>,
}

impl Keeper {
    /// `None` where nothing is wanted.
    pub(super) fn start(keeping: Keeping, patience: Patience) -> io::Result<Option<Self>> {
        if keeping.compress.is_none() && keeping.keep.is_none() {
            return Ok(None);
        }
        let (jobs, waiting) = sync_channel(WAITING);
        let work = move || keeping.work(&waiting, &patience);
        let thread = thread::Builder::new().name("rotated".into()).spawn(work)?;
        Ok(Some(Self { jobs: Some(jobs), thread: Some(thread) }))
    }

    /// There are rotated files of `base`, or there may be some that an earlier run left.
    pub(super) fn look_after(&self, folder: &Folder, base: &str) {
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(Job { folder: folder.clone(), base: base.to_owned() });
        }
    }
}

impl Drop for Keeper {
    /// Waits until all is done, or, after a request to end, for no more than a piece.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Keeping {
    fn work(self, jobs: &Receiver<Job>, patience: &Patience) {
        for Job { folder, base } in jobs {
            if let Err(error) = self.look_after(&folder, &base, patience) {
                let shown = folder.shown(&base);
                let what =
                    format!("{shown}: rotated files could not be compressed or removed: {error}");
                (patience.say)(Event::RotationFailed, &what);
            }
        }
    }

    fn look_after(self, folder: &Folder, base: &str, patience: &Patience) -> io::Result<()> {
        // What a killed run was compressing.
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
            // Of twins one is plain: a crash came before it was removed.
            let plain = all.iter().find(|twin| twin.is_twin(rotated) && twin.is_plain());
            if let Some(plain) = plain
                && !compress(folder, &plain.name(base), format, patience)?
            {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Compresses the file `name`: whole and durable under another name before the new one is given,
/// and that before the old one goes. `false`: it was left to the next start.
fn compress(folder: &Folder, name: &str, format: Format, patience: &Patience) -> io::Result<bool> {
    let ending = ending(format);
    let temporary = temporary::name(&format!("{name}.{ending}"));
    let done = write_compressed(folder, name, &temporary, format, patience);
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
    patience: &Patience,
) -> io::Result<bool> {
    let mut plain = folder.file(name, Opening::Read)?;
    let mut packed = folder.file(temporary, Opening::New)?;
    // Not every file system has locks; where there are some, it says that this process is alive.
    let _ = packed.try_lock();
    packed.set_permissions(plain.metadata()?.permissions())?;
    let mut encoder = Encoder::new(format)?;
    let mut piece = vec![0; PIECE];
    loop {
        if patience.shutdown.phase() != Phase::Running {
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
