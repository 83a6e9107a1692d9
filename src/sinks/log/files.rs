//! The files of the sink: which line goes to which, and which of them are open.

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
    template::{Name, Template},
    terms::{Fsync, Terms},
};
use crate::{
    journal::Event,
    sinks::{named, patience::is_full},
};

/// How many files are open at a time; of more, the one that was used longest ago is closed.
const OPEN: usize = 64;
/// How many combinations of values have files of their own, while the times stay.
const COMBINATIONS: usize = 4096;
/// How much of all files is remembered that is not known to be on disk.
pub(super) const REMEMBERED: usize = 4 << 20;

pub(super) struct Files {
    template: Template,
    folder: Folder,
    pub(super) terms: Terms,
    open: HashMap<Name, Active>,
    /// Writes so far.
    writes: u64,
    /// The second that `times` are of.
    second: i64,
    times: Vec<String>,
    /// The combinations of values so far, as hashes.
    known: HashSet<u64>,
    /// The files that were opened before, as hashes.
    opened: HashSet<u64>,
    hasher: RandomState,
    /// It was said that a name cannot be written to.
    refused: bool,
    /// How many of the bytes that were last written to one file were taken.
    pub(super) taken: usize,
    /// How many lines of the last write were taken, by the file that they were for.
    taken_by: HashMap<Name, usize>,
    /// What failed for good.
    failed: Option<(io::ErrorKind, String)>,
}

impl Files {
    pub(super) fn new(template: Template, folder: Folder, terms: Terms) -> io::Result<Self> {
        let mut files = Self {
            template,
            folder,
            terms,
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
            // What cannot be written to is told at the start.
            let name = files.template.name(&[], &[]);
            files.active(&name)?;
        }
        Ok(files)
    }

    /// Takes whole lines.
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

    /// Of the lines of a write that failed, in order, whether they were taken: of each file the first ones.
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

    /// Makes all durable, where that is wanted.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.attempt(Self::sync_all)
    }

    /// Does what is due whether lines come or not.
    pub(super) fn tick(&mut self) -> io::Result<()> {
        self.attempt(|files| {
            files.refresh()?;
            if matches!(files.terms.fsync, Fsync::Every(_)) {
                files.sync_all()?;
            }
            let mut refused = Vec::new();
            for (name, active) in &mut files.open {
                active.look(&files.terms);
                match active.rotate_if_due(&files.terms) {
                    Err(error) if files.terms.by_field && !is_full(&error) => {
                        refused.push((name.clone(), error));
                    }
                    rotated => rotated?,
                }
            }
            refused.into_iter().try_for_each(|(name, error)| files.give_up(&name, &[], &error))
        })
    }

    /// What failed once fails for ever: what came behind it must not be taken for written.
    fn attempt(&mut self, what: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        if let Some((kind, text)) = &self.failed {
            return Err(io::Error::new(*kind, text.clone()));
        }
        what(self).inspect_err(|error| self.failed = Some((error.kind(), error.to_string())))
    }

    fn sync_all(&mut self) -> io::Result<()> {
        let mut displaced = Vec::new();
        for (name, active) in &mut self.open {
            match active.sync(&self.terms) {
                Err(error) if self.terms.by_field && active.displaced => {
                    displaced.push((name.clone(), error));
                }
                synced => drop(synced?),
            }
        }
        displaced.into_iter().try_for_each(|(name, error)| self.give_up(&name, &[], &error))
    }

    /// A file cannot be written to: `rest` goes to `_other`, and, where the file is gone, or nobody knows
    /// how it ends, so does what is not acknowledged of it.
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
        self.open.get_mut(&other).map_or(Ok(()), |other| other.sync(&self.terms).map(drop))
    }

    /// The files that are open.
    #[cfg(test)]
    pub(super) fn open(&self) -> Vec<String> {
        let mut names: Vec<_> = self.open.keys().map(|name| name.join("/")).collect();
        names.sort();
        names
    }

    /// Closes everything.
    pub(super) fn close(&mut self) {
        self.open.clear();
        self.terms.keeper = None;
    }

    /// Names with another time are other files: those of the old one are done.
    fn refresh(&mut self) -> io::Result<()> {
        let now = self.terms.now();
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

    /// The lines of each file, in their order.
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
            Err(error) if self.terms.by_field && !is_full(&error) => {
                return self.append_to_other(name, lines, &error);
            }
            opened => opened?,
        }
        let Some(active) = self.open.get_mut(name) else { return Ok(()) };
        let mut rest = lines;
        let appended = active.append(&mut rest, &self.terms);
        self.taken = lines.len() - rest.len();
        match appended {
            Err(error)
                if self.terms.by_field
                    && !is_full(&error)
                    && (active.displaced || !rest.is_empty()) =>
            {
                self.give_up(name, rest, &error)
            }
            appended => appended,
        }
    }

    /// Nothing can be written to the file of this name, which an event chose: it must not stop the rest.
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
            (self.terms.patience.say)(Event::OutputNameRefused, &what);
        }
        self.terms.meters.sent_to_other(memchr_iter(b'\n', lines).count() as u64);
        self.active(&other)?;
        let Some(active) = self.open.get_mut(&other) else { return Ok(()) };
        let all = lines.len();
        let appended = active.append(&mut lines, &self.terms);
        self.taken += all - lines.len();
        appended
    }

    /// Opens the file of this name, if it is not.
    fn active(&mut self, name: &Name) -> io::Result<()> {
        self.writes += 1;
        while !self.open.contains_key(name) {
            if self.open.len() >= OPEN {
                self.close_one()?;
            }
            match self.begin(name) {
                // The process may have fewer descriptors than that.
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
        let (terms, shown) = (&self.terms, self.folder.shown(&name.join("/")));
        self.folder = terms.patience.until_back(&shown, || self.folder.again())?;
        let mut folder = self.folder.clone();
        for part in folders {
            folder = terms.patience.until_room(&shown, || folder.below(part))?;
        }
        let active = Active::open(folder, file, terms)?;
        if self.opened.insert(self.hasher.hash_one(name)) {
            active.look_back(&self.terms);
        }
        self.open.insert(name.clone(), active);
        Ok(())
    }

    /// Closes the one that was used longest ago.
    fn close_one(&mut self) -> io::Result<()> {
        let oldest = self.open.iter().min_by_key(|(_, active)| active.used);
        let Some(name) = oldest.map(|(name, _)| name.clone()) else { return Ok(()) };
        let Some(active) = self.open.get_mut(&name) else { return Ok(()) };
        match active.sync(&self.terms) {
            Err(error) if self.terms.by_field && active.displaced => {
                self.give_up(&name, &[], &error)
            }
            synced => {
                self.open.remove(&name);
                synced.map(drop)
            }
        }
    }
}

/// There are no descriptors left.
fn is_short(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}
