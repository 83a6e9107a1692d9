//! The files of a log: which line goes to which file, and which files are open.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    io,
};

use memchr::memchr_iter;
use rustix::io::Errno;

use super::{
    active::Active,
    folder::Folder,
    options::{FileOptions, Fsync},
    template::{Name, Template},
};
use crate::{
    journal::Event,
    sinks::{named, retry::is_full},
};

/// The maximum number of open files. If there are more, the least recently used one is closed.
const OPEN: usize = 64;
/// The maximum number of combinations of values that get files of their own, as long as the times
/// in the name do not change.
const COMBINATIONS: usize = 4096;
/// The maximum number of bytes in all files that are not known to be on disk.
pub(super) const REMEMBERED: usize = 4 << 20;

pub(super) struct Files {
    template: Template,
    folder: Folder,
    pub(super) options: FileOptions,
    open: HashMap<Name, Active>,
    /// The number of writes so far.
    writes: u64,
    /// The second for which `times` were computed.
    second: i64,
    times: Vec<String>,
    /// Hashes of the combinations of values so far.
    known: HashSet<u64>,
    /// Hashes of the files that were opened before.
    opened: HashSet<u64>,
    hasher: RandomState,
    /// Whether a name that cannot be written was reported.
    refused: bool,
    /// How many bytes of the last write to a file were accepted.
    pub(super) taken: usize,
    /// How many lines of the last write each file accepted.
    taken_by: HashMap<Name, usize>,
    /// The error after which the log is unusable.
    failed: Option<(io::ErrorKind, String)>,
}

impl Files {
    pub(super) fn new(
        template: Template,
        folder: Folder,
        options: FileOptions,
    ) -> io::Result<Self> {
        let mut files = Self {
            template,
            folder,
            options,
            open: HashMap::new(),
            writes: 0,
            second: i64::MIN,
            times: Vec::new(),
            known: HashSet::new(),
            opened: HashSet::new(),
            hasher: RandomState::new(),
            refused: false,
            taken: 0,
            taken_by: HashMap::new(),
            failed: None,
        };
        if files.template.is_plain() {
            // A file that cannot be written is reported at the start.
            let name = files.template.name(&[], &[]);
            files.active(&name)?;
        }
        Ok(files)
    }

    /// Writes complete lines.
    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.taken = 0;
        self.taken_by.clear();
        self.attempt(|files| {
            files.refresh()?;
            if files.template.has_fields() {
                for (name, lines) in files.sort(lines) {
                    let appended = files.append(&name, &lines);
                    let taken = if appended.is_ok() { &lines } else { &lines[..files.taken] };
                    files.taken_by.insert(name, memchr_iter(b'\n', taken).count());
                    appended?;
                }
            } else {
                let name = files.template.name(&[], &files.times);
                files.append(&name, lines)?;
            }
            let remembered: usize = files.open.values().map(Active::remembers).sum();
            if remembered > REMEMBERED { files.sync_all() } else { Ok(()) }
        })
    }

    /// Returns for each line of a failed write whether it was accepted. Each file accepts its first
    /// lines.
    pub(super) fn taken_lines(&mut self, lines: &[u8]) -> Vec<bool> {
        let mut taken_by = std::mem::take(&mut self.taken_by);
        let mut values = Vec::new();
        let is_taken = |line| {
            self.template.values(line, &mut values);
            let left = taken_by.get_mut(&self.name(&values)).filter(|left| **left > 0);
            left.map(|left| *left -= 1).is_some()
        };
        lines.split_inclusive(|&byte| byte == b'\n').map(is_taken).collect()
    }

    /// Makes everything durable, if the settings require it.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.attempt(Self::sync_all)
    }

    /// Does what is due, whether lines come or not.
    pub(super) fn tick(&mut self) -> io::Result<()> {
        self.attempt(|files| {
            files.refresh()?;
            if matches!(files.options.fsync, Fsync::Every(_)) {
                files.sync_all()?;
            }
            let mut refused = Vec::new();
            for (name, active) in &mut files.open {
                active.look(&files.options);
                match active.rotate_if_due(&files.options) {
                    Err(error) if files.options.by_field && !is_full(&error) => {
                        refused.push((name.clone(), error));
                    }
                    rotated => rotated?,
                }
            }
            refused.into_iter().try_for_each(|(name, error)| files.give_up(&name, &[], &error))
        })
    }

    /// Fails forever after the first error, because later lines must not count as written.
    fn attempt(&mut self, what: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        if let Some((kind, text)) = &self.failed {
            return Err(io::Error::new(*kind, text.clone()));
        }
        what(self).inspect_err(|error| self.failed = Some((error.kind(), error.to_string())))
    }

    fn sync_all(&mut self) -> io::Result<()> {
        let mut displaced = Vec::new();
        for (name, active) in &mut self.open {
            match active.sync(&self.options) {
                Err(error) if self.options.by_field && active.displaced => {
                    displaced.push((name.clone(), error));
                }
                synced => drop(synced?),
            }
        }
        displaced.into_iter().try_for_each(|(name, error)| self.give_up(&name, &[], &error))
    }

    /// Writes `rest` to `_other`, because a file cannot be written. If the file is gone, or its end
    /// is unknown, its unacknowledged lines follow.
    fn give_up(&mut self, name: &Name, rest: &[u8], error: &io::Error) -> io::Result<()> {
        if self.open.get(name).is_some_and(|active| !active.is_lost()) {
            return self.append_to_other(name, rest, error);
        }
        let Some(mut active) = self.open.remove(name) else { return Ok(()) };
        let mut lines = active.take_tail();
        let before = lines.len();
        lines.extend_from_slice(rest);
        let taken = self.taken;
        self.append_to_other(name, &lines, error)
            .inspect_err(|_| self.taken = taken + (self.taken - taken).saturating_sub(before))?;
        let other = self.template.other(&self.times);
        self.open.get_mut(&other).map_or(Ok(()), |other| other.sync(&self.options).map(drop))
    }

    /// Returns the open files.
    #[cfg(test)]
    pub(super) fn open(&self) -> Vec<String> {
        let mut names: Vec<_> = self.open.keys().map(|name| name.join("/")).collect();
        names.sort();
        names
    }

    /// Closes all files.
    pub(super) fn close(&mut self) {
        self.open.clear();
        self.options.retention = None;
    }

    /// If a time in the name changed, the old files are finished.
    fn refresh(&mut self) -> io::Result<()> {
        let now = self.options.now();
        if now.as_second() == self.second || self.template.is_plain() {
            return Ok(());
        }
        self.second = now.as_second();
        let times = self.template.times(now);
        if times != self.times {
            self.sync_all()?;
            self.open.clear();
            self.known.clear();
            self.opened.clear();
            self.times = times;
        }
        Ok(())
    }

    /// Sorts lines by file, keeping their order.
    fn sort(&mut self, lines: &[u8]) -> Vec<(Name, Vec<u8>)> {
        let mut sorted: Vec<(Name, Vec<u8>)> = Vec::new();
        let mut places: HashMap<Name, usize> = HashMap::new();
        let (mut values, mut last, mut place) = (Vec::new(), None, 0);
        let mut start = 0;
        for end in memchr_iter(b'\n', lines).map(|at| at + 1) {
            let line = &lines[start..end];
            start = end;
            self.template.values(line, &mut values);
            if last.as_ref() != Some(&values) {
                let name = self.name(&values);
                place = *places.entry(name.clone()).or_insert_with(|| {
                    sorted.push((name, Vec::new()));
                    sorted.len() - 1
                });
                last = Some(values.clone());
            }
            sorted[place].1.extend_from_slice(line);
        }
        sorted
    }

    fn name(&mut self, values: &[Option<String>]) -> Name {
        let hash = self.hasher.hash_one(values);
        let room = self.known.len() < COMBINATIONS;
        if self.known.contains(&hash) || room && self.known.insert(hash) {
            self.template.name(values, &self.times)
        } else {
            self.template.other(&self.times)
        }
    }

    fn append(&mut self, name: &Name, lines: &[u8]) -> io::Result<()> {
        self.taken = 0;
        match self.active(name) {
            Err(error) if self.options.by_field && !is_full(&error) => {
                return self.append_to_other(name, lines, &error);
            }
            opened => opened?,
        }
        let Some(active) = self.open.get_mut(name) else { return Ok(()) };
        let mut rest = lines;
        let appended = active.append(&mut rest, &self.options);
        self.taken = lines.len() - rest.len();
        match appended {
            Err(error)
                if self.options.by_field
                    && !is_full(&error)
                    && (active.displaced || !rest.is_empty()) =>
            {
                self.give_up(name, rest, &error)
            }
            appended => appended,
        }
    }

    /// Writes lines to `_other`, because a name that an event selected must not stop the other
    /// files.
    fn append_to_other(
        &mut self,
        name: &Name,
        mut lines: &[u8],
        error: &io::Error,
    ) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let other = self.template.other(&self.times);
        if *name == other {
            return Err(io::Error::new(error.kind(), error.to_string()));
        }
        if !std::mem::replace(&mut self.refused, true) {
            let shown = self.folder.shown(&other.join("/"));
            let what = format!(
                "{error}: its lines go to {shown}, as do the lines for all names that cannot be \
                 written"
            );
            (self.options.retry.say)(Event::OutputNameRefused, &what);
        }
        self.options.meters.sent_to_other(memchr_iter(b'\n', lines).count() as u64);
        self.active(&other)?;
        let Some(active) = self.open.get_mut(&other) else { return Ok(()) };
        let all = lines.len();
        let appended = active.append(&mut lines, &self.options);
        self.taken += all - lines.len();
        appended
    }

    /// Opens the file with this name, if it is not open.
    fn active(&mut self, name: &Name) -> io::Result<()> {
        self.writes += 1;
        while !self.open.contains_key(name) {
            if self.open.len() >= OPEN {
                self.close_one()?;
            }
            match self.begin(name) {
                // The process may have fewer descriptors than [`OPEN`].
                Err(error) if is_short(&error) && !self.open.is_empty() => self.close_one()?,
                opened => {
                    opened.map_err(|e| named(&self.folder.shown(&name.join("/")), &e))?;
                }
            }
        }
        if let Some(active) = self.open.get_mut(name) {
            active.used = self.writes;
        }
        Ok(())
    }

    fn begin(&mut self, name: &Name) -> io::Result<()> {
        let Some((file, folders)) = name.split_last() else { return Ok(()) };
        let (options, shown) = (&self.options, self.folder.shown(&name.join("/")));
        self.folder = options.retry.until_back(&shown, || self.folder.again())?;
        let mut folder = self.folder.clone();
        for part in folders {
            folder = options.retry.until_room(&shown, || folder.below(part))?;
        }
        let active = Active::open(folder, file, options)?;
        if self.opened.insert(self.hasher.hash_one(name)) {
            active.look_back(&self.options);
        }
        self.open.insert(name.clone(), active);
        Ok(())
    }

    /// Closes the least recently used file.
    fn close_one(&mut self) -> io::Result<()> {
        let oldest = self.open.iter().min_by_key(|(_, active)| active.used);
        let Some(name) = oldest.map(|(name, _)| name.clone()) else { return Ok(()) };
        let Some(active) = self.open.get_mut(&name) else { return Ok(()) };
        match active.sync(&self.options) {
            Err(error) if self.options.by_field && active.displaced => {
                self.give_up(&name, &[], &error)
            }
            synced => {
                self.open.remove(&name);
                synced.map(drop)
            }
        }
    }
}

/// Returns whether there are no descriptors left.
fn is_short(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}
