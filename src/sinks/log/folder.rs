//! A folder that is held open, so that operations in it do not depend on its path.

use std::{
    fs::{self, File},
    io,
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{
        AtFlags, CWD, Dir, Mode, OFlags, Stat, fstat, fsync, mkdirat, openat, renameat, statat,
        unlinkat,
    },
    io::Errno,
};

use super::faults::{Faults, Op};
use crate::journal::visible;

/// Identifies a file by device and inode.
pub(super) type Identity = (u64, u64);

/// A folder. A clone shares the same descriptor.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    fd: Arc<OwnedFd>,
    path: PathBuf,
    /// The parent folder and the name in it, if the last part of the path was not given by the
    /// user.
    above: Option<(Arc<Self>, String)>,
    faults: Faults,
}

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// For appending; created if it does not exist.
    Append,
    /// A new file, which must not exist.
    New,
    /// An existing file.
    There,
    /// An existing file, for reading.
    Read,
}

impl Folder {
    /// Opens the folder at `path`. Links are followed, because the user gave the path.
    pub(super) fn open(path: &Path, faults: Faults) -> io::Result<Self> {
        let here = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(CWD, here, flags, Mode::empty())?;
        Ok(Self { fd: Arc::new(fd), path: path.to_path_buf(), above: None, faults })
    }

    /// Opens another folder that the user gave, and creates it if it does not exist.
    pub(super) fn at(&self, path: &Path) -> io::Result<Self> {
        if !path.as_os_str().is_empty() {
            fs::create_dir_all(path)?;
        }
        Self::open(path, self.faults.clone())
    }

    /// Returns the nearest parent that the user gave, or the folder itself.
    pub(super) fn root(&self) -> &Self {
        self.above.as_ref().map_or(self, |(above, _)| above.root())
    }

    /// Returns whether its path still leads to it.
    pub(super) fn is_in_place(&self) -> bool {
        let there = match &self.above {
            Some((above, name)) => above.is_in_place().then(|| above.identity(name)).flatten(),
            None => {
                let here =
                    if self.path.as_os_str().is_empty() { Path::new(".") } else { &self.path };
                fs::metadata(here).ok().map(|there| (there.dev(), there.ino()))
            }
        };
        there.is_some() && there == fstat(&*self.fd).ok().map(|own| of_stat(&own))
    }

    /// Returns the folder that its path leads to now. If the folder was moved or removed, it is
    /// created again.
    pub(super) fn again(&self) -> io::Result<Self> {
        if self.is_in_place() {
            return Ok(self.clone());
        }
        match &self.above {
            Some((above, name)) => above.again()?.below(name),
            None => self.at(&self.path),
        }
    }

    /// Opens the subfolder `name`, and creates it if it does not exist. A link is refused, because
    /// it would let others choose where we write.
    pub(super) fn below(&self, name: &str) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || openat(&*self.fd, name, flags, Mode::empty());
        let fd = match open() {
            Err(Errno::NOENT) => {
                match mkdirat(&*self.fd, name, Mode::from_raw_mode(0o777)) {
                    Ok(()) => self.sync()?,
                    Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
                open()
            }
            other => other,
        };
        let path = self.path.join(name);
        match fd {
            Ok(fd) => {
                let above = Some((Arc::new(self.clone()), name.to_owned()));
                Ok(Self { fd: Arc::new(fd), path, above, faults: self.faults.clone() })
            }
            Err(Errno::LOOP | Errno::NOTDIR) => {
                let shown = visible(&path.display().to_string());
                Err(io::Error::other(format!("{shown} is a symbolic link or a file, not a folder")))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the path of the file `name` for messages.
    pub(super) fn shown(&self, name: &str) -> String {
        visible(&self.path.join(name).display().to_string())
    }

    /// Opens the file `name`; a link is refused.
    pub(super) fn file(&self, name: &str, how: Opening) -> io::Result<File> {
        self.faults.check(Op::Open, name)?;
        let append = OFlags::RDWR | OFlags::APPEND;
        let flags = match how {
            Opening::Append => append | OFlags::CREATE,
            Opening::New => OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL,
            Opening::There => append,
            Opening::Read => OFlags::RDONLY,
        };
        // Opening a named pipe would block until it has a reader.
        let safe = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match openat(&*self.fd, name, flags | safe, Mode::from_raw_mode(0o666)) {
            Ok(fd) => Ok(File::from(fd)),
            Err(Errno::LOOP) => Err(io::Error::other(format!(
                "{} is a symbolic link, which is refused here",
                self.shown(name)
            ))),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the identity of the file that has this name now.
    pub(super) fn identity(&self, name: &str) -> Option<Identity> {
        let stat = statat(&*self.fd, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(of_stat(&stat))
    }

    /// Renames a file atomically. A file that has the new name is never replaced.
    pub(super) fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        self.faults.check(Op::Rename, from)?;
        #[cfg(any(target_os = "linux", target_os = "macos"))]
        {
            use rustix::fs::{RenameFlags, renameat_with};
            match renameat_with(&*self.fd, from, &*self.fd, to, RenameFlags::NOREPLACE) {
                // Not every file system supports it.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
                other => return Ok(other?),
            }
        }
        match self.identity(to) {
            Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
            None => Ok(renameat(&*self.fd, from, &*self.fd, to)?),
        }
    }

    /// Renames a file atomically, and replaces a file that has the new name.
    pub(super) fn rename_over(&self, from: &str, to: &str) -> io::Result<()> {
        self.faults.check(Op::Rename, from)?;
        Ok(renameat(&*self.fd, from, &*self.fd, to)?)
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&*self.fd, name, AtFlags::empty())?)
    }

    /// Removes a temporary file, unless a process holds its lock, or locks are not supported.
    pub(super) fn remove_if_dead(&self, name: &str) {
        let Ok(file) = self.file(name, Opening::Read) else { return };
        let is_file = file.metadata().is_ok_and(|file| file.is_file());
        if is_file && file.try_lock().is_ok() && self.identity(name) == identity(&file).ok() {
            // Otherwise it only takes space.
            let _ = self.remove(name);
        }
    }

    /// Returns the names in it that are UTF-8, as ours are.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&*self.fd)? {
            names.extend(entry?.file_name().to_str().ok().map(str::to_owned));
        }
        Ok(names)
    }

    /// Makes names durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        match fsync(&*self.fd) {
            // Not every file system can sync a directory.
            Ok(()) | Err(Errno::INVAL | Errno::BADF) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }
}

#[allow(clippy::unnecessary_cast)] // `st_dev` is no u64 everywhere
fn of_stat(stat: &Stat) -> Identity {
    (stat.st_dev as u64, stat.st_ino as u64)
}

/// Returns the identity of `file`.
pub(super) fn identity(file: &File) -> io::Result<Identity> {
    let metadata = file.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}
