//! Lines that crash or block every process that judges them, detected by notes on disk.
//!
//! Lines are noted before they are judged ([`judging`]), and the note is removed afterwards. Lines
//! that take long also get a note that survives a crash of the machine. A note that exists at the
//! start shows what was being judged when the previous process ended. Those lines are judged one by
//! one, and never two at the same time, so that only the culprit is left. A line that is left three
//! times in a row is not judged any more.

mod judging;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use judging::Judging;

use super::{
    fingerprint::{Fingerprint, Node, read_at},
    registry::Registry,
    tail::Tail,
};
use crate::{
    pipeline::{Caution, Checkpoint, Delivered, Suspect, Suspects},
    sources::checksum::{verified, with_checksum},
};

const NAME: &str = "suspects.json";
/// The number of ends in a row that are no coincidence.
const DEATHS: u32 = 3;
/// How far before noted lines others are judged one by one, too, so that they are not in the same
/// chunk.
const BEFORE: u64 = 16 << 20;

/// The notes; without a folder, nothing is noted.
#[derive(Clone, Default)]
pub(super) struct Notes(Arc<Mutex<Noted>>);

#[derive(Default)]
struct Noted {
    folder: Option<PathBuf>,
    /// The inputs of this run.
    nodes: BTreeMap<usize, Node>,
    notes: Vec<Note>,
    judging: Option<Judging>,
}

/// A note about a range of lines of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    #[serde(flatten)]
    node: Node,
    from: u64,
    to: u64,
    /// The fingerprint of their beginning.
    text: Fingerprint,
    /// Whether it is a single line.
    alone: bool,
    /// How many processes in a row ended with them.
    deaths: u32,
    /// Whether they are being judged.
    judging: bool,
}

impl Note {
    fn is_quarantined(&self) -> bool {
        self.alone && self.deaths >= DEATHS
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.node == other.node && self.from < other.to && other.from < self.to
    }
}

impl Notes {
    /// Opens the notes that an earlier run left in `folder`, which no other process uses.
    pub(super) fn open(folder: Option<&Path>) -> Self {
        let mut noted = Noted { folder: folder.map(Path::to_path_buf), ..Noted::default() };
        let old = folder.and_then(|folder| fs::read(folder.join(NAME)).ok()).unwrap_or_default();
        // Damaged or unreadable notes are ignored.
        let old: Vec<Note> = verified(&old).unwrap_or_default();
        let left = folder.map(judging::left).unwrap_or_default();
        for mut note in old.into_iter().chain(left) {
            note.deaths += u32::from(note.judging);
            if note.judging || note.is_quarantined() {
                note.judging = false;
                noted.add(note);
            }
        }
        let kept = noted.notes.is_empty() || noted.keep();
        // The notes are removed only now, so that a crash before this does not lose them. What
        // could not be written stays in the file as it is.
        let stay = if kept { &[][..] } else { &noted.notes };
        noted.judging = folder.and_then(|folder| Judging::begin(folder, stay).ok());
        Self(Arc::new(Mutex::new(noted)))
    }

    /// Registers the file of an input.
    pub(super) fn met(&self, input: usize, node: Node) {
        self.noted().nodes.insert(input, node);
    }

    /// Returns how the next line of a file is judged.
    pub(super) fn caution_of(&self, tail: &Tail) -> Caution {
        let offset = tail.position.offset;
        // The text of an archive cannot be looked up.
        let plain = tail.file.as_ref().filter(|_| !tail.is_packed());
        self.caution(tail.node, offset, |len| read_at(plain?, offset, len).ok())
    }

    /// Returns how the line at `offset` is judged. `text` returns the given number of bytes there.
    fn caution(&self, node: Node, offset: u64, text: impl Fn(usize) -> Option<Vec<u8>>) -> Caution {
        let noted = self.noted();
        let near = |note: &&Note| {
            note.node == node && offset < note.to && note.from <= offset.saturating_add(BEFORE)
        };
        let mut caution = Caution::None;
        for note in noted.notes.iter().filter(near) {
            let same = || text(note.text.bytes).is_none_or(|text| note.text.fits(&text));
            match note.is_quarantined() && note.from == offset && same() {
                true => return Caution::Quarantined,
                false => caution = Caution::Alone,
            }
        }
        caution
    }

    /// Forgets notes about delivered lines.
    pub(super) fn delivered(&self, delivered: &[Delivered]) {
        let mut noted = self.noted();
        let before = noted.notes.len();
        for Delivered { input, position, ended } in delivered {
            let Some(node) = noted.nodes.get(input).copied() else { continue };
            let offset = position.map_or(0, |position| position.offset);
            noted.notes.retain(|note| note.node != node || note.to > offset);
            if *ended {
                noted.nodes.remove(input);
            }
        }
        if noted.notes.len() != before {
            noted.keep();
        }
    }

    pub(super) fn is_kept(&self) -> bool {
        self.noted().folder.is_some()
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Suspects for Notes {
    fn suspect(&self, suspect: &Suspect<'_>) {
        let mut noted = self.noted();
        let Some(note) = noted.note(suspect) else { return };
        noted.add(note);
        noted.keep();
    }

    fn begun(&self, suspect: &Suspect<'_>) -> Option<usize> {
        let mut noted = self.noted();
        let note = noted.note(suspect)?;
        noted.judging.as_mut()?.note(&note)
    }

    fn over(&self, number: usize) {
        if let Some(judging) = &mut self.noted().judging {
            judging.over(number);
        }
    }

    fn cleared(&self, input: usize, from: u64) {
        let mut noted = self.noted();
        let Some(node) = noted.nodes.get(&input).copied() else { return };
        noted.notes.retain(|note| note.node != node || note.from != from);
        noted.keep();
    }
}

impl Noted {
    /// Creates a note, with the number of ends that are known.
    fn note(&self, suspect: &Suspect<'_>) -> Option<Note> {
        let node = *self.nodes.get(&suspect.input)?;
        let Suspect { from, to, text, alone, .. } = *suspect;
        let text = Fingerprint::of(text);
        let note = Note { node, from, to, text, alone, deaths: 0, judging: true };
        let known = self.notes.iter().filter(|known| known.overlaps(&note));
        let deaths = known.map(|known| known.deaths).max().unwrap_or_default();
        Some(Note { deaths, ..note })
    }

    /// Adds a note in place of overlapping ones. Two notes about one end count once.
    fn add(&mut self, mut note: Note) {
        let known = self.notes.extract_if(.., |known| known.overlaps(&note));
        note.deaths = known.map(|known| known.deaths).fold(note.deaths, u32::max);
        self.notes.push(note);
    }

    /// Writes the notes, and returns whether that succeeded. If it fails, there is no note, and
    /// nothing else is lost.
    fn keep(&self) -> bool {
        self.folder.as_ref().is_some_and(|folder| write(folder, &self.notes).is_ok())
    }
}

fn write(folder: &Path, notes: &[Note]) -> io::Result<()> {
    // The same prefix as checkpoints, so that what a killed process was writing is removed.
    let mut file = tempfile::Builder::new().prefix(".checkpoints.").tempfile_in(folder)?;
    file.write_all(&with_checksum(notes)?)?;
    file.as_file().sync_all()?;
    file.persist(folder.join(NAME))?;
    Ok(())
}

/// Keeps the positions, and the notes about lines that crash or block runs.
pub(super) struct Kept {
    registry: Registry,
    pub(super) notes: Notes,
}

impl Kept {
    pub(super) fn open(registry: &Registry, folder: Option<&Path>) -> Self {
        Self { registry: registry.clone(), notes: Notes::open(folder) }
    }
}

impl Checkpoint for Kept {
    fn acknowledge(&mut self, delivered: &[Delivered]) -> io::Result<()> {
        self.registry.acknowledge(delivered)?;
        self.notes.delivered(delivered);
        Ok(())
    }

    fn suspects(&self) -> Option<Arc<dyn Suspects>> {
        let notes = self.notes.clone();
        notes.is_kept().then(|| Arc::new(notes) as Arc<dyn Suspects>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Position;

    const NODE: Node = Node { device: 1, inode: 2 };

    fn open(folder: &Path) -> Notes {
        let notes = Notes::open(Some(folder));
        notes.met(7, NODE);
        notes
    }

    fn suspect(from: u64, to: u64, alone: bool) -> Suspect<'static> {
        Suspect { input: 7, from, to, text: b"{\"slow\"", alone }
    }

    fn caution(notes: &Notes, offset: u64) -> Caution {
        notes.caution(NODE, offset, |_| Some(b"{\"slow\":1}".to_vec()))
    }

    #[test]
    fn what_ends_three_runs_is_judged_alone_and_then_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let notes = open(folder.path());
        notes.suspect(&suspect(0, 100, false));
        assert_eq!(caution(&notes, 0), Caution::Alone, "of no use in this run, and no harm");
        let notes = open(folder.path());
        assert_eq!([0, 40, 99, 100].map(|at| caution(&notes, at)), {
            let alone = Caution::Alone;
            [alone, alone, alone, Caution::None]
        });
        notes.suspect(&suspect(40, 60, true));
        let notes = open(folder.path());
        assert_eq!(
            [0, 40, 60].map(|at| caution(&notes, at)),
            [Caution::Alone, Caution::Alone, Caution::None]
        );
        notes.suspect(&suspect(40, 60, true));
        // The note stays until the line is delivered, also through runs that do not reach it.
        for _ in 0..3 {
            let notes = open(folder.path());
            assert_eq!(
                [0, 40].map(|at| caution(&notes, at)),
                [Caution::Alone, Caution::Quarantined]
            );
            let other = notes.caution(NODE, 40, |_| Some(b"{\"fine\":1}".to_vec()));
            assert_eq!(other, Caution::Alone, "another line at its place");
        }
        let position = Position { offset: 60, ..Position::default() };
        open(folder.path()).delivered(&[Delivered {
            input: 7,
            position: Some(position),
            ended: false,
        }]);
        assert_eq!(caution(&open(folder.path()), 40), Caution::None);
    }

    #[test]
    fn what_is_being_judged_when_the_process_dies_is_noted_however_short_that_was() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..3 {
            let notes = open(folder.path());
            let [before, culprit] = [(0, 40), (40, 60)].map(|(from, to)| suspect(from, to, true));
            let number = notes.begun(&before).unwrap();
            assert_eq!(
                notes.begun(&suspect(900, 950, true)),
                Some(number + 1),
                "of another thread"
            );
            notes.over(number);
            assert_eq!(notes.begun(&culprit), Some(number), "its place is free");
            notes.over(number + 1);
            if caution(&notes, 40) == Caution::Alone {
                // It also blocks the run.
                notes.suspect(&culprit);
            }
        }
        let notes = open(folder.path());
        assert_eq!([0, 40, 900].map(|at| caution(&notes, at)), {
            [Caution::Alone, Caution::Quarantined, Caution::None]
        });
        // A process that ended while it judged nothing.
        drop(notes);
        let notes = open(folder.path());
        assert_eq!(caution(&notes, 40), Caution::Quarantined, "until it is delivered");
    }

    #[test]
    fn deaths_are_counted_while_their_file_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        // A folder cannot be replaced by a file.
        fs::create_dir(path.join(NAME)).unwrap();
        for (from, to, alone) in [(40, 160, false), (40, 60, true), (40, 60, true)] {
            let notes = open(path);
            assert_ne!(caution(&notes, 40), Caution::Quarantined);
            let number = notes.begun(&suspect(900, 950, true)).unwrap();
            notes.begun(&suspect(from, to, alone)).unwrap();
            notes.over(number);
        }
        // Through runs that judge other lines.
        for _ in 0..3 {
            let notes = open(path);
            assert_eq!(caution(&notes, 40), Caution::Quarantined);
            for _ in 0..3 {
                let number = notes.begun(&suspect(900, 950, true)).unwrap();
                notes.over(number);
            }
        }
        fs::remove_dir(path.join(NAME)).unwrap();
        assert_eq!(caution(&open(path), 40), Caution::Quarantined);
        assert_eq!(judging::left(path), [], "its own file has it now");
        assert_eq!(caution(&open(path), 40), Caution::Quarantined);
        // Ends with other lines in between do not add up.
        fs::remove_file(path.join(NAME)).unwrap();
        fs::create_dir(path.join(NAME)).unwrap();
        for _ in 0..5 {
            open(path).begun(&suspect(40, 60, true));
            open(path).begun(&suspect(900, 950, true));
        }
        assert_ne!(caution(&open(path), 40), Caution::Quarantined);
    }

    #[test]
    fn what_was_damaged_is_as_good_as_no_note() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..3 {
            open(folder.path()).suspect(&suspect(40, 60, true));
        }
        let notes = open(folder.path());
        assert_eq!(caution(&notes, 40), Caution::Quarantined);
        notes.begun(&suspect(100, 160, true));
        let [kept, judging] =
            [NAME, "judging"].map(|name| fs::read(folder.path().join(name)).unwrap());
        assert_eq!(verified::<Vec<Note>>(&kept).unwrap().len(), 1);
        assert_eq!(judging::notes(&judging).len(), 1);
        let flipped = |text: &[u8], bit: usize| {
            let mut text = text.to_vec();
            text[bit / 8] ^= 1 << (bit % 8);
            text
        };
        for bit in 0..kept.len() * 8 {
            assert_eq!(verified::<Vec<Note>>(&flipped(&kept, bit)), None, "bit {bit}");
        }
        for bit in 0..judging.len() * 8 {
            assert_eq!(judging::notes(&flipped(&judging, bit)), [], "bit {bit}");
        }
    }

    #[test]
    fn what_was_judged_after_all_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..5 {
            let notes = open(folder.path());
            notes.suspect(&suspect(0, 100, true));
            notes.cleared(7, 0);
        }
        assert_eq!(caution(&open(folder.path()), 0), Caution::None);
        // Neither does a line that did not end another run.
        open(folder.path()).suspect(&suspect(0, 100, true));
        open(folder.path());
        assert_eq!(caution(&open(folder.path()), 0), Caution::None);
    }
}
