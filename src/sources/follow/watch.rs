//! When to check for changes: inotify, or a timer without it.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs, io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags},
    io::Errno,
};

use crate::{shutdown::Wake, sources::descriptor::timespec};

/// Changes in the watched folders.
#[derive(Default)]
pub(super) struct News {
    /// Files that were written, by folder (as it was given to [`Watch::folder`]) and name.
    pub(super) written: Vec<(PathBuf, OsString)>,
    /// Whether something was created, removed or renamed, or it is unknown what happened.
    pub(super) changed: bool,
    /// Whether it is unknown what was written.
    pub(super) lost: bool,
}

/// Watched folders. If inotify is not available, or its limit is reached, this only waits.
pub(super) struct Watch {
    inotify: Option<OwnedFd>,
    folders: HashMap<PathBuf, i32>,
    paths: HashMap<i32, PathBuf>,
    /// Whether some folder could not be watched.
    incomplete: bool,
}

impl Watch {
    /// With `polling`, nothing is watched.
    pub(super) fn new(polling: bool) -> Self {
        let inotify = (!polling)
            .then(|| inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok())
            .flatten();
        Self {
            incomplete: inotify.is_none(),
            inotify,
            folders: HashMap::new(),
            paths: HashMap::new(),
        }
    }

    /// Returns whether writes are reported; if not, files must be checked often.
    pub(super) fn reports_writes(&self) -> bool {
        !self.incomplete
    }

    /// Watches a folder, and returns the name by which its changes are reported, with links
    /// resolved.
    pub(super) fn folder(&mut self, folder: &Path) -> PathBuf {
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let Ok(real) = fs::canonicalize(here) else { return here.to_path_buf() };
        let Some(inotify) = &self.inotify else { return real };
        if self.folders.contains_key(&real) {
            return real;
        }
        let flags = WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::ONLYDIR;
        match inotify::add_watch(inotify, &real, flags) {
            Ok(number) => {
                self.folders.insert(real.clone(), number);
                self.paths.insert(number, real.clone());
            }
            // It was removed, or the user has no watches left.
            Err(Errno::NOENT) => {}
            Err(_) => self.incomplete = true,
        }
        real
    }

    /// Waits at most `wait` for changes, or for a shutdown.
    pub(super) fn wait(&mut self, wake: &Wake, wait: Duration) -> io::Result<News> {
        let mut polled = vec![PollFd::from_borrowed_fd(wake.as_fd(), PollFlags::IN)];
        if let Some(inotify) = &self.inotify {
            polled.push(PollFd::new(inotify, PollFlags::IN));
        }
        match poll(&mut polled, Some(&timespec(wait))) {
            Ok(0) | Err(Errno::INTR) => return Ok(News::default()),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        if !polled[0].revents().is_empty() {
            wake.clear();
        }
        let woken = polled.get(1).is_some_and(|fd| !fd.revents().is_empty());
        if woken { self.news() } else { Ok(News::default()) }
    }

    fn news(&mut self) -> io::Result<News> {
        let mut news = News::default();
        let Some(inotify) = &self.inotify else { return Ok(news) };
        let mut buffer = [MaybeUninit::uninit(); 16 << 10];
        let mut reader = inotify::Reader::new(inotify, &mut buffer);
        // One buffer at a time; more changes are reported by the next wait.
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN | Errno::INTR) => break,
                Err(error) => return Err(error.into()),
            };
            let (flags, number) = (event.events(), event.wd());
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                (news.changed, news.lost) = (true, true);
            } else if flags.contains(ReadFlags::IGNORED) {
                // The folder is gone; another one with its name may appear.
                if let Some(path) = self.paths.remove(&number) {
                    self.folders.remove(&path);
                }
                news.changed = true;
            } else if !flags.contains(ReadFlags::MODIFY) {
                news.changed = true;
            } else if let (Some(folder), Some(name)) = (self.paths.get(&number), event.file_name())
            {
                let name = OsStr::from_bytes(name.to_bytes());
                let last = news.written.last();
                if last.is_none_or(|(f, n)| n != name || f != folder) {
                    news.written.push((folder.clone(), name.to_os_string()));
                }
            }
            if reader.is_buffer_empty() {
                break;
            }
        }
        Ok(news)
    }
}
