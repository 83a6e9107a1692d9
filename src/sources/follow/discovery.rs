//! Finds files, and recognizes those that were already read under another name.

use std::{
    collections::HashSet,
    fs::{self, File, Metadata},
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    Follow, MOST_FILES, Packed, Packing, Tail,
    fingerprint::{self, MIN_BYTES, Node, Stamp},
    finished::is_named_after,
    paths::{absolute, place},
    store::Entry,
};
use crate::{
    compression::{Format, Start},
    pipeline::Position,
};

/// How long an archive or a short copy must not have grown to count as complete.
const SETTLED_AFTER: Duration = Duration::from_millis(900);

/// How a new file is related to known files.
enum Origin {
    /// Read it from this position. Acknowledgements of the file with this number also apply to it.
    From(Position, Option<usize>),
    /// It is a copy of a file that is still followed: wait.
    Copy,
}

impl Origin {
    const BEGINNING: Self = Self::From(Position::START, None);
}

impl Follow {
    /// Lists the files, and follows new ones.
    pub(super) fn discover(&mut self, now: Instant) {
        let mut listing = (self.settings.list)();
        // The cause may be a lack of descriptors.
        if !listing.failed.is_empty() && self.in_turn && self.close_one(None) {
            listing = (self.settings.list)();
        }
        let mut unknown = listing.unknown;
        for (name, error) in listing.failed {
            self.tell(&name, error);
        }
        for folder in &listing.folders {
            self.watch.folder(folder);
        }
        let mut listed = HashSet::new();
        for path in &listing.files {
            match fs::metadata(path) {
                Ok(metadata) if metadata.is_file() => {
                    let node = Node::of(&metadata);
                    if listed.insert(node) {
                        self.met(path, node, &metadata, now);
                    }
                }
                Ok(metadata) => {
                    let error = match metadata.is_dir() {
                        true => io::ErrorKind::IsADirectory.into(),
                        false => io::Error::other(
                            "it is not a regular file, and only those can be followed",
                        ),
                    };
                    self.tell(&path.display().to_string(), error);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    self.tell(&path.display().to_string(), error);
                    unknown.push(path.clone());
                }
            }
        }
        self.unlist(&listed, &unknown, now);
        self.unsettled.retain(|node, _| listed.contains(node));
        if self.archives.len() > MOST_FILES {
            self.archives.retain(|node, _| listed.contains(node));
        }
        let tails = &self.tails;
        self.places.retain(|_, input| tails.contains_key(input));
        // Folders that could not be listed may have hidden some.
        let shown = unknown.len() < std::mem::replace(&mut self.unknown, unknown.len());
        if std::mem::take(&mut self.first) || shown {
            self.find_missing(&listed, now);
        }
    }

    /// Marks the files that no listing contains, except in folders that could not be listed.
    fn unlist(&mut self, listed: &HashSet<Node>, unknown: &[PathBuf], now: Instant) {
        for tail in self.tails.values_mut() {
            let there = listed.contains(&tail.node)
                || unknown.iter().any(|place| tail.path.starts_with(place));
            tail.unlisted = (!there).then(|| tail.unlisted.unwrap_or(now));
            if tail.unlisted.is_some() && tail.file.is_none() && !tail.is_in_place() {
                // It was renamed while it was closed, and is still in its folder.
                let folder = place(&tail.path).0;
                let node = tail.node;
                tail.path = found(&folder, |it| it == node)
                    .next()
                    .map_or_else(|| tail.path.clone(), |(path, _)| path);
            }
        }
    }

    /// Handles a listed file: a known one, perhaps renamed, or a new one.
    fn met(&mut self, path: &Path, node: Node, metadata: &Metadata, now: Instant) {
        if self.archives.get(&node) == Some(&Stamp::of(metadata)) {
            return;
        }
        let Some(&input) = self.nodes.get(&node) else {
            let size = metadata.len();
            if let Err(error) = self.follow(path, node, size, now)
                && error.kind() != io::ErrorKind::NotFound
            {
                self.tell(&path.display().to_string(), error);
            }
            return;
        };
        let Some(tail) = self.tails.get_mut(&input) else { return };
        // A file may have several names; the first one that leads to it is kept.
        if tail.path != path
            && fs::metadata(&tail.path).ok().is_none_or(|there| Node::of(&there) != node)
        {
            tail.move_to(path);
            self.place(input, path);
        }
    }

    /// Opens a new file.
    fn follow(&mut self, path: &Path, node: Node, size: u64, now: Instant) -> io::Result<()> {
        if self.tails.len() >= MOST_FILES {
            let why =
                format!("it waits, because at most {MOST_FILES} files are followed at a time");
            return Err(io::Error::other(why));
        }
        let file = self.open_file(path)?;
        let metadata = file.metadata()?;
        if Node::of(&metadata) != node {
            // It was replaced in the meantime.
            self.stale = true;
            return Ok(());
        }
        let start = fingerprint::start(&file)?;
        let packing = packing(&start);
        let packed = matches!(packing, Packing::Packed(_));
        let may_be_begun = start.len() < MIN_BYTES && self.is_named_after_one(path);
        if (packed || may_be_begun) && !self.is_settled(node, size, now) {
            return Ok(());
        }
        if !packed && let Some(origin) = self.returning(node, &start, &file, metadata.len())? {
            return self.start(path, file, node, packing, origin, now);
        }
        let origin = match self.registry.earlier(node, &start) {
            Some(entry) if packed && entry.ended => {
                self.archives.insert(node, Stamp::of(&metadata));
                self.registry.add(entry, None);
                return Ok(());
            }
            Some(entry) if packed || entry.offset <= metadata.len() => resumed(&entry),
            // It was truncated while no run was active.
            Some(_) => {
                self.settings.observer.input_truncated(&path.display().to_string());
                Origin::BEGINNING
            }
            None if packed => match self.unpacked_start(&file) {
                Some(start) => self.origin(path, &start, None)?,
                None => Origin::BEGINNING,
            },
            None => self.origin(path, &start, Some((&file, metadata.len())))?,
        };
        self.start(path, file, node, packing, origin, now)
    }

    fn start(
        &mut self,
        path: &Path,
        file: File,
        node: Node,
        packing: Packing,
        origin: Origin,
        now: Instant,
    ) -> io::Result<()> {
        let Origin::From(position, finished_file) = origin else { return Ok(()) };
        let tail = Tail::new(path.to_path_buf(), file, node, packing, position, now)?;
        let input = self.add(tail, finished_file);
        self.spare(Some(input));
        Ok(())
    }

    /// Returns where to continue in a file that this run no longer follows, whatever its name is.
    fn returning(
        &self,
        node: Node,
        start: &[u8],
        file: &File,
        size: u64,
    ) -> io::Result<Option<Origin>> {
        let Some(finished_file) =
            self.finished.iter().rev().find(|finished_file| finished_file.node == node)
        else {
            return Ok(None);
        };
        if !finished_file.start.fits(start) || !finished_file.is_like(file, size)? {
            return Ok(None);
        }
        let Position { offset, lines, .. } = finished_file.position;
        let lines = self.registry.lines_before(finished_file.input, offset).unwrap_or(lines);
        let position = Position { lines, ..finished_file.position };
        Ok(Some(Origin::From(position, Some(finished_file.input))))
    }

    /// Returns whether a file has not grown for a while, so that an archive or a copy is complete.
    fn is_settled(&mut self, node: Node, size: u64, now: Instant) -> bool {
        let (known, since) = self.unsettled.entry(node).or_insert((size, now));
        if *known != size {
            (*known, *since) = (size, now);
        }
        now.duration_since(*since) >= SETTLED_AFTER
    }

    /// Returns whether rotation may have created the name of a file.
    fn is_named_after_one(&self, path: &Path) -> bool {
        let mut tails = self.tails.values().map(|tail| &tail.first);
        tails.any(|first| is_named_after(path, first))
            || self.finished.iter().any(|finished_file| is_named_after(path, &finished_file.first))
    }

    /// Adds a new tail, which reads everything that exists.
    pub(super) fn add(&mut self, mut tail: Tail, finished_file: Option<usize>) -> usize {
        let Position { offset, lines, inside_line, frame, key_block } = tail.position;
        let entry = Entry {
            path: absolute(&tail.first).display().to_string(),
            node: tail.node,
            start: tail.start.clone(),
            offset,
            lines,
            inside_line,
            frame,
            key_block: key_block.bits(),
            ended: false,
        };
        let input = self.registry.add(entry, finished_file);
        tail.input = input;
        self.notes.met(input, tail.node);
        let path = tail.path.clone();
        self.nodes.insert(tail.node, input);
        self.tails.insert(input, tail);
        self.place(input, &path);
        self.enqueue(input);
        input
    }

    /// Forgets a file of which nothing was read, so that the next listing handles it as new.
    pub(super) fn meet_again(&mut self, input: usize) {
        if let Some(tail) = self.tails.remove(&input) {
            self.nodes.remove(&tail.node);
        }
        self.registry.forget(input);
        self.stale = true;
    }

    /// Registers where changes of a file are reported: its own folder, and that of a link's target.
    fn place(&mut self, input: usize, path: &Path) {
        let mut paths = vec![path.to_path_buf()];
        paths.extend(fs::canonicalize(path));
        for path in paths {
            let (folder, name) = place(&path);
            let folder = self.watch.folder(&folder);
            self.places.insert((folder, name), input);
        }
    }

    /// Returns how a file is related to known files, by its beginning `start` and, if it is
    /// `plain`, by more of its content.
    fn origin(&self, path: &Path, start: &[u8], plain: Option<(&File, u64)>) -> io::Result<Origin> {
        if start.len() < MIN_BYTES {
            return Ok(Origin::BEGINNING);
        }
        for tail in self.tails.values().filter(|tail| is_named_after(path, &tail.first)) {
            if tail.is_packed() || !tail.start.is_distinctive() || !tail.start.fits(start) {
                continue;
            }
            let like = match plain {
                // A file that was truncated just now will be finished at the next check.
                Some((file, size)) => tail.is_rewritten()? || tail.is_like(file, size)?,
                None => true,
            };
            if like {
                return Ok(Origin::Copy);
            }
        }
        for finished_file in self.finished.iter().rev().filter(|f| is_named_after(path, &f.first)) {
            if finished_file.start.is_distinctive()
                && finished_file.start.fits(start)
                && plain.map_or(Ok(true), |(file, size)| finished_file.is_like(file, size))?
            {
                return Ok(Origin::From(finished_file.position, Some(finished_file.input)));
            }
        }
        let lost = self.registry.lost(|entry| {
            is_named_after(path, Path::new(&entry.path))
                && entry.start.is_full()
                && entry.start.fits(start)
                && plain.is_none_or(|(_, size)| entry.offset <= size)
        });
        Ok(lost.map_or(Origin::BEGINNING, |entry| resumed(&entry)))
    }

    /// Returns the first bytes of a compressed file's text, or `None` if it is damaged.
    fn unpacked_start(&self, file: &File) -> Option<Vec<u8>> {
        let (window, shutdown) = (&self.settings.window, &self.settings.shutdown);
        let mut packed = Packed::open(file, 0, window, shutdown).ok()?;
        let (mut start, mut buf) = (Vec::new(), [0; fingerprint::MOST]);
        while start.len() < fingerprint::MOST {
            match packed.read(&mut buf) {
                Ok(0) => break,
                Ok(n) => start.extend_from_slice(&buf[..n]),
                Err(_) => return None,
            }
        }
        start.truncate(fingerprint::MOST);
        Some(start)
    }

    /// Finds files of an earlier run that were renamed while no run was active, and reads their
    /// rest.
    fn find_missing(&mut self, listed: &HashSet<Node>, now: Instant) {
        let missing = self.registry.missing();
        let folders: HashSet<PathBuf> =
            missing.iter().map(|entry| place(Path::new(&entry.path)).0).collect();
        for folder in folders {
            let sought = |node| missing.iter().any(|entry| entry.node == node);
            for (path, node) in found(&folder, sought) {
                // A listed one may still have to settle.
                if !listed.contains(&node) && self.follow_missing(&path, node, now).is_err() {
                    self.stale = true;
                }
            }
        }
    }

    fn follow_missing(&mut self, path: &Path, node: Node, now: Instant) -> io::Result<()> {
        if self.nodes.contains_key(&node) {
            return Ok(());
        }
        let file = self.open_file(path)?;
        let start = fingerprint::start(&file)?;
        let Some(entry) = self.registry.earlier(node, &start) else { return Ok(()) };
        let position = entry.position();
        let packing = packing(&start);
        if matches!(packing, Packing::Plain) && file.metadata()?.len() < position.offset {
            return Ok(());
        }
        let mut tail = Tail::new(path.to_path_buf(), file, node, packing, position, now)?;
        tail.first = PathBuf::from(entry.path);
        tail.unlisted = Some(now);
        let input = self.add(tail, None);
        self.spare(Some(input));
        Ok(())
    }
}

/// Returns the files of a folder whose node is `sought`.
fn found(folder: &Path, sought: impl Fn(Node) -> bool) -> impl Iterator<Item = (PathBuf, Node)> {
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let files = fs::read_dir(here).into_iter().flatten().flatten();
    files.filter_map(move |file| {
        let metadata = file.metadata().ok().filter(Metadata::is_file)?;
        let node = Node::of(&metadata);
        sought(node).then(|| (folder.join(file.file_name()), node))
    })
}

/// Returns how the text of a file that begins with `start` is stored.
fn packing(start: &[u8]) -> Packing {
    match Format::of(start) {
        Start::Packed(_) => Packing::Packed(None),
        Start::Plain | Start::Unsure => Packing::Plain,
    }
}

fn resumed(entry: &Entry) -> Origin {
    Origin::From(entry.position(), None)
}
