//! A file that is either complete or unchanged: it is written under a temporary name and renamed at
//! the end. Or a file that is appended to.

mod opened;

use std::{
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::NamedTempFile;

use super::named;
use crate::{journal::visible, pipeline::Sink, temporary};
pub use opened::ends_inside_a_line;
pub(super) use opened::{leads_to, or_nothing_to_sync};

/// What happens to an existing file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It is kept, and reported as an error.
    Keep,
    /// It is replaced when the new file is complete.
    Replace,
    /// It is appended to. If the run fails, what was added is removed.
    Append,
}

/// A file that is replaced when its new content is complete. Until then the old one stays.
///
/// A device or a named pipe (`/dev/null`) cannot be replaced, so it is written directly.
pub struct FileSink {
    target: Target,
    /// Its name in errors.
    shown: String,
    /// Reports where a partial output is kept, if it is.
    kept: Option<Kept>,
    /// How many bytes of the last write were accepted.
    taken: usize,
}

/// Reports where a partial output is kept, or why it could not be kept.
pub type Kept = Arc<dyn Fn(Result<&Path, &io::Error>) + Send + Sync>;

enum Target {
    Replace {
        temporary: Option<NamedTempFile>,
        path: PathBuf,
        keep: bool,
    },
    /// `new`: the file did not exist; `begun`: its size before; `written`: the number of bytes
    /// added.
    Append {
        file: File,
        path: PathBuf,
        new: bool,
        begun: u64,
        written: u64,
    },
    Direct(File),
}

/// Replaces a file, completely or not at all.
///
/// # Errors
/// The file cannot be written; the old one stays.
pub fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let mut file = FileSink::create(path, Existing::Replace)?;
    file.put(text.as_bytes())?;
    file.complete()
}

impl FileSink {
    /// Opens a file that will become `path`. A symbolic link is followed, and kept.
    pub fn create(path: &Path, existing: Existing) -> io::Result<Self> {
        let target = match fs::canonicalize(path) {
            Ok(there) => open_existing(there, existing)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => match existing {
                Existing::Append => append(path, true)?,
                // The umask applies, as for any new file.
                _ => replace(
                    path.to_path_buf(),
                    Permissions::from_mode(0o666),
                    existing == Existing::Keep,
                )?,
            },
            Err(error) => return Err(error),
        };
        Ok(Self { target, shown: visible(&path.display().to_string()), kept: None, taken: 0 })
    }

    /// Keeps a partial output in a file of its own if the output is not completed, and reports it
    /// to `kept`.
    pub fn keeping_partial(self, kept: Option<Kept>) -> Self {
        Self { kept, ..self }
    }

    /// Keeps what was written in a file next to the output. Returns `None` if there is nothing to
    /// keep.
    fn keep_partial(&mut self) -> io::Result<Option<PathBuf>> {
        let (mut temporary, path) = match &mut self.target {
            Target::Direct(_) => return Ok(None),
            Target::Replace { temporary, path, .. } => {
                let Some(temporary) = temporary.take() else { return Ok(None) };
                (temporary, path)
            }
            Target::Append { file, path, begun, written, .. } => {
                let permissions = file.metadata()?.permissions();
                let mut added = file.try_clone()?;
                added.seek(SeekFrom::Start(*begun))?;
                let mut temporary = temporary_beside(path, permissions)?;
                io::copy(&mut added.take(*written), temporary.as_file_mut())?;
                (temporary, path)
            }
        };
        if temporary.as_file().metadata()?.len() == 0 {
            return Ok(None);
        }
        temporary.as_file().sync_all()?;
        for number in 0_u32.. {
            let partial = partial_name(path, number);
            match temporary.persist_noclobber(&partial) {
                Ok(_) => return Ok(Some(partial)),
                Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => {
                    temporary = failed.file;
                }
                Err(failed) => return Err(failed.error),
            }
        }
        Ok(None)
    }
}

/// Returns the name of a partial output: `FILE.partial`, or `FILE.partial.1` and so on.
pub fn partial_name(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(".partial");
    if number > 0 {
        name.push(format!(".{number}"));
    }
    name.into()
}

fn open_existing(path: PathBuf, existing: Existing) -> io::Result<Target> {
    let metadata = fs::metadata(&path)?;
    if !metadata.is_file() {
        return Ok(Target::Direct(OpenOptions::new().write(true).open(path)?));
    }
    match existing {
        Existing::Keep => Err(io::ErrorKind::AlreadyExists.into()),
        Existing::Append => append(&path, false),
        Existing::Replace => {
            let permissions = metadata.permissions();
            let target = replace(path, permissions.clone(), false)?;
            if let Target::Replace { temporary: Some(temporary), .. } = &target {
                temporary.as_file().set_permissions(permissions)?;
            }
            Ok(target)
        }
    }
}

/// Locks the file, because two runs that append to it could not remove what they added.
fn append(path: &Path, new: bool) -> io::Result<Target> {
    let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            return Err(io::Error::other(
                "another run is appending to it: use a different file for each run",
            ));
        }
        // Not every file system supports locks.
        Err(TryLockError::Error(_)) | Ok(()) => {}
    }
    let begun = file.metadata()?.len();
    // Another process may have created it meanwhile.
    let new = new && begun == 0;
    Ok(Target::Append { file, path: path.to_path_buf(), new, begun, written: 0 })
}

fn moved() -> io::Error {
    io::Error::other("it was moved or removed while it was written")
}

fn replace(path: PathBuf, permissions: Permissions, keep: bool) -> io::Result<Target> {
    let temporary = temporary_beside(&path, permissions)?;
    Ok(Target::Replace { temporary: Some(temporary), path, keep })
}

fn temporary_beside(path: &Path, permissions: Permissions) -> io::Result<NamedTempFile> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    temporary::create(directory(path), &name, permissions.mode())
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

impl FileSink {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (file, added) = match &mut self.target {
            Target::Direct(file) => (file, None),
            Target::Append { file, written, .. } => (file, Some(written)),
            Target::Replace { temporary: Some(temporary), .. } => (temporary.as_file_mut(), None),
            Target::Replace { temporary: None, .. } => return Err(io::ErrorKind::BrokenPipe.into()),
        };
        self.taken = 0;
        let written = loop {
            if self.taken == bytes.len() {
                break Ok(());
            }
            match file.write(&bytes[self.taken..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.taken += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        // Also after a failed write.
        added.into_iter().for_each(|added| *added += self.taken as u64);
        written
    }

    fn save(&mut self) -> io::Result<()> {
        let synced = match &mut self.target {
            Target::Direct(file) | Target::Append { file, .. } => file.sync_data(),
            Target::Replace { temporary, .. } => {
                temporary.as_ref().map_or(Ok(()), |temporary| temporary.as_file().sync_data())
            }
        };
        or_nothing_to_sync(synced)
    }

    fn complete(&mut self) -> io::Result<()> {
        let (temporary, path, keep) = match &mut self.target {
            Target::Direct(_) => return Ok(()),
            Target::Append { file, path, .. } => {
                file.sync_all()?;
                return if leads_to(path, file) { Ok(()) } else { Err(moved()) };
            }
            Target::Replace { temporary, path, keep } => (temporary, path, *keep),
        };
        let Some(finished) = temporary.take() else { return Ok(()) };
        // The data is synced before the rename, so that after a power failure the file is either
        // the old one or the complete new one.
        finished.as_file().sync_all()?;
        match keep {
            true => finished.persist_noclobber(&path).map_err(|failed| failed.error)?,
            false => finished.persist(&path).map_err(|failed| failed.error)?,
        };
        // Not every file system can sync a directory, and the file itself is safe.
        let _ = File::open(directory(path)).and_then(|directory| directory.sync_all());
        Ok(())
    }
}

impl Sink for FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.put(bytes).map_err(|error| named(&self.shown, &error))
    }

    fn taken(&self) -> usize {
        self.taken
    }

    fn sync(&mut self) -> io::Result<()> {
        self.save().map_err(|error| named(&self.shown, &error))
    }

    fn finish(&mut self) -> io::Result<()> {
        self.complete().map_err(|error| named(&self.shown, &error))
    }

    fn abort(&mut self) {
        if let Some(kept) = self.kept.take() {
            match self.keep_partial() {
                Ok(Some(partial)) => kept(Ok(&partial)),
                Ok(None) => {}
                Err(error) => kept(Err(&error)),
            }
        }
        match &mut self.target {
            Target::Direct(_) => {}
            Target::Append { file, path, new, begun, written } => {
                // If this fails, the next run reports the incomplete line. If another process
                // appended to the file, it is unknown whose the bytes at the end are.
                if file.metadata().is_ok_and(|file| file.len() == *begun + *written) {
                    let _ = file.set_len(*begun).and_then(|()| file.sync_all());
                    if *new {
                        let _ = fs::remove_file(path);
                    }
                }
            }
            Target::Replace { temporary, .. } => *temporary = None,
        }
    }

    fn keeps_partial(&self) -> bool {
        self.kept.is_some() || matches!(self.target, Target::Direct(_))
    }
}

#[cfg(test)]
mod tests;
