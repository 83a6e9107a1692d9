//! A folder that is held open: what is done in it is done there, whatever becomes of its path.

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

/// Which file it is, by device and inode.
pub(super) type Identity = (u64, u64);

/// A folder; a copy is another handle on the same one.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    fd: Arc<OwnedFd>,
    path: PathBuf,
    /// The folder that it is in, and its name there, where the path's last part is no word of the user's.
    above: Option<(Arc<Self>, String)>,
    faults: Faults,
}

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// It is added to; made where it is not there.
    Append,
    /// It must not be there, and is written once.
    New,
    /// It is there.
    There,
    /// It is there, and read.
    Read,
}

impl Folder {
    /// The folder at `path`, which is the user's word: links in it are followed.
    pub(super) fn open(path: &Path, faults: Faults) -> io::Result<Self> {
        let here = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(CWD, here, flags, Mode::empty())?;
        Ok(Self { fd: Arc::new(fd), path: path.to_path_buf(), above: None, faults })
    }

    /// Another one that is the user's word, made where it is not there.
    pub(super) fn at(&self, path: &Path) -> io::Result<Self> {
        if !path.as_os_str().is_empty() {
            fs::create_dir_all(path)?;
        }
        Self::open(path, self.faults.clone())
    }

    /// The folder above it that is the user's word, or itself.
    pub(super) fn root(&self) -> &Self {
        self.above.as_ref().map_or(self, |(above, _)| above.root())
    }

    /// Whether its path leads to it.
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

    /// The folder that its path leads to now: this one, or, where it was moved or removed, another one
    /// that is made where it is not there.
    pub(super) fn again(&self) -> io::Result<Self> {
        if self.is_in_place() {
            return Ok(self.clone());
        }
        match &self.above {
            Some((above, name)) => above.again()?.below(name),
            None => self.at(&self.path),
        }
    }

    /// The folder `name` in this one, made where it is not there. A link is refused: whoever could
    /// put one here would say where we write.
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

    /// As messages show the file `name`.
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
        // A named pipe would keep us waiting for its reader.
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

    /// The file that has this name now.
    pub(super) fn identity(&self, name: &str) -> Option<Identity> {
        let stat = statat(&*self.fd, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(of_stat(&stat))
    }

    /// Gives a file another name, in one step; one that has that name already is never replaced.
    pub(super) fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        self.faults.check(Op::Rename, from)?;
        #[cfg(any(target_os = "linux", target_os = "macos"))]
        {
            use rustix::fs::{RenameFlags, renameat_with};
            match renameat_with(&*self.fd, from, &*self.fd, to, RenameFlags::NOREPLACE) {
                // Not every file system has it.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
                other => return Ok(other?),
            }
        }
        match self.identity(to) {
            Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
            None => Ok(renameat(&*self.fd, from, &*self.fd, to)?),
        }
    }

    /// Gives a file another name, in one step, in place of one that has it.
    pub(super) fn rename_over(&self, from: &str, to: &str) -> io::Result<()> {
        self.faults.check(Op::Rename, from)?;
        Ok(renameat(&*self.fd, from, &*self.fd, to)?)
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&*self.fd, name, AtFlags::empty())?)
    }

    /// Removes a temporary file, unless a process holds its lock, or locks cannot tell.
    pub(super) fn remove_if_dead(&self, name: &str) {
        let Ok(file) = self.file(name, Opening::Read) else { return };
        let is_file = file.metadata().is_ok_and(|file| file.is_file());
        if is_file && file.try_lock().is_ok() && self.identity(name) == identity(&file).ok() {
            // It takes room, and does no other harm.
            let _ = self.remove(name);
        }
    }

    /// The names in it that are UTF-8: ours are.
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

/// Which file `file` is.
pub(super) fn identity(file: &File) -> io::Result<Identity> {
    let metadata = file.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}
