//! When to look: inotify, and a timer where there is none.

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

/// What happened in the folders that are watched.
#[derive(Default)]
pub(super) struct News {
    /// Files that were written to, by folder (as it was given to [`Watch::folder`]) and name.
    pub(super) written: Vec<(PathBuf, OsString)>,
    /// Something appeared, vanished or was renamed; or it is not known what happened.
    pub(super) changed: bool,
    /// It is not known what was written to.
    pub(super) lost: bool,
}

/// Folders that are watched. Where the system has no inotify, or no more of it, it only waits.
pub(super) struct Watch {
    inotify: Option<OwnedFd>,
    folders: HashMap<PathBuf, i32>,
    paths: HashMap<i32, PathBuf>,
    /// Some folder could not be watched.
    incomplete: bool,
}

impl Watch {
    /// With `polling` nothing is watched.
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

    /// Whether writes are heard of; if not, somebody must look often.
    pub(super) fn hears(&self) -> bool {
        !self.incomplete
    }

    /// Watches a folder. The name by which news of it come: links in it are resolved.
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
            // It vanished, or the user has no more watches.
            Err(Errno::NOENT) => {}
            Err(_) => self.incomplete = true,
        }
        real
    }

    /// Waits at most `wait` for news, or for a shutdown to move on.
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
        let heard = polled.get(1).is_some_and(|fd| !fd.revents().is_empty());
        if heard { self.news() } else { Ok(News::default()) }
    }

    fn news(&mut self) -> io::Result<News> {
        let mut news = News::default();
        let Some(inotify) = &self.inotify else { return Ok(news) };
        let mut buffer = [MaybeUninit::uninit(); 16 << 10];
        let mut reader = inotify::Reader::new(inotify, &mut buffer);
        // One buffer at a time: who writes all the time is heard again at the next wait.
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
                // The folder is gone; one of its name may come.
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
