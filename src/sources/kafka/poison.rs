//! Records that crash the process that judges them, detected by notes on disk.
//!
//! Each worker notes what it is about to judge, and removes the note afterwards. A note that exists
//! at the start shows what was being judged when the previous process crashed. Records in three
//! such notes in a row are judged one by one. A record that crashes the process alone is not judged
//! again: it is quarantined.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    pipeline::records::{Block, Judged, Place, RecordWorker},
    sources::checksum::{verified, with_checksum},
    temporary,
};

/// The number of crashes in a row that are no coincidence.
const DEATHS: u32 = 3;

/// A range of offsets of a partition, and how many processes in a row crashed while judging it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Suspect {
    topic: String,
    partition: i32,
    first: i64,
    last: i64,
    deaths: u32,
}

/// What is known about earlier crashes.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    suspects: Vec<Suspect>,
    /// The topic, partition and offset of quarantined records.
    quarantined: Vec<(String, i32, i64)>,
}

impl Suspect {
    fn is_of(&self, topic: &str, partition: i32) -> bool {
        self.topic == topic && self.partition == partition
    }
}

impl Record {
    /// Returns what is known after another crash, which left the notes `left`.
    fn after(mut self, left: Vec<Suspect>) -> Self {
        let old = std::mem::take(&mut self.suspects);
        for mut suspect in left {
            let same = old.iter().filter(|known| {
                known.is_of(&suspect.topic, suspect.partition)
                    && known.first <= suspect.last
                    && suspect.first <= known.last
            });
            suspect.deaths = same.map(|known| known.deaths).max().unwrap_or_default() + 1;
            if suspect.first == suspect.last && suspect.deaths >= DEATHS {
                self.quarantined.push((suspect.topic, suspect.partition, suspect.first));
            } else {
                self.suspects.push(suspect);
            }
        }
        self
    }
}

/// The notes of one member, in a folder.
pub struct Notes {
    folder: PathBuf,
    name: String,
    record: Mutex<Record>,
    /// Held while a suspect is judged, so that a crash leaves only the note of the culprit.
    alone: Mutex<()>,
    /// Locks the notes against other processes.
    _lock: File,
}

impl Notes {
    /// Opens the notes of a member of `group`, and evaluates those that a crash left.
    ///
    /// # Errors
    /// The folder cannot be used, or another process uses the same notes.
    pub fn open(folder: &Path, group: &str, instance: Option<&str>) -> io::Result<Arc<Self>> {
        fs::create_dir_all(folder)?;
        let name = file_name(&format!("{group}.{}", instance.unwrap_or_default()));
        let lock = File::create(folder.join(format!("{name}.lock")))?;
        if lock.try_lock().is_err() {
            let fix = "another process of this group uses it: give each process an `instance`, \
                        or a folder of its own";
            return Err(io::Error::other(fix));
        }
        let path = folder.join(format!("{name}.deaths"));
        // Damaged or unreadable notes are ignored.
        let old: Record = verified(&fs::read(&path).unwrap_or_default()).unwrap_or_default();
        let mut left = Vec::new();
        for slot in 0.. {
            let path = folder.join(format!("{name}.{slot}.work"));
            let Ok(text) = fs::read(&path) else { break };
            left.extend(noted(&text).unwrap_or_default());
        }
        let record = old.after(left);
        let deaths = format!("{name}.deaths");
        temporary::sweep(folder, |target| temporary::is_for(target, &deaths));
        let notes = Self {
            folder: folder.to_path_buf(),
            name,
            record: Mutex::new(record),
            alone: Mutex::default(),
            _lock: lock,
        };
        notes.keep()?;
        // The notes are removed only now, so that a crash before this does not lose them.
        for slot in 0.. {
            let path = notes.work(slot);
            if !path.exists() {
                break;
            }
            fs::write(path, "\n")?;
        }
        Ok(Arc::new(notes))
    }

    fn work(&self, slot: usize) -> PathBuf {
        self.folder.join(format!("{}.{slot}.work", self.name))
    }

    fn keep(&self) -> io::Result<()> {
        let text = {
            let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
            with_checksum(&*record)?
        };
        let target = format!("{}.deaths", self.name);
        let mut file = temporary::create(&self.folder, &target, 0o600)?;
        file.write_all(&text)?;
        file.as_file().sync_all()?;
        file.persist(self.folder.join(target))?;
        Ok(())
    }

    /// Returns the quarantined records.
    pub(super) fn quarantined(&self) -> Vec<(String, i32, i64)> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).quarantined.clone()
    }

    /// Forgets a quarantined record after it was delivered as such.
    pub(super) fn is_over(&self, spot: &(String, i32, i64)) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.quarantined.retain(|known| known != spot);
        drop(record);
        // If this fails, the record is forgotten at the next start.
        let _ = self.keep();
    }

    /// Returns the offset up to which a partition's records are judged one by one.
    pub(super) fn one_by_one(&self, place: &Place) -> Option<i64> {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        let of = record.suspects.iter().filter(|suspect| {
            suspect.deaths >= DEATHS && suspect.is_of(&place.topic, place.partition)
        });
        of.map(|suspect| suspect.last).max()
    }

    /// Describes the suspects.
    pub(super) fn shown(&self) -> Vec<String> {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        let of = record.suspects.iter().filter(|suspect| suspect.deaths >= DEATHS);
        of.map(|s| {
            format!(
                "{}[{}]:{} to {}: the process crashed {} times in a row while it judged these \
                 records",
                s.topic, s.partition, s.first, s.last, s.deaths
            )
        })
        .collect()
    }

    fn suspects(&self, ranges: &[Suspect]) -> bool {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        ranges.iter().any(|range| {
            record.suspects.iter().any(|known| {
                known.is_of(&range.topic, range.partition)
                    && known.first <= range.last
                    && range.first <= known.last
            })
        })
    }
}

/// A worker that notes what it judges.
pub struct Noting<W> {
    worker: W,
    notes: Arc<Notes>,
    file: File,
}

impl<W> Noting<W> {
    /// Wraps the worker with this number.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn new(worker: W, notes: &Arc<Notes>, slot: usize) -> io::Result<Self> {
        let file =
            File::options().create(true).truncate(true).write(true).open(notes.work(slot))?;
        Ok(Self { worker, notes: notes.clone(), file })
    }
}

impl<W: RecordWorker> RecordWorker for Noting<W> {
    fn process(&mut self, block: &Block, out: &mut Judged) {
        let ranges = ranges(block);
        let suspected = self.notes.suspects(&ranges);
        let _alone =
            suspected.then(|| self.notes.alone.lock().unwrap_or_else(PoisonError::into_inner));
        // Written data survives a crash of the process, but perhaps not of the machine. If writing
        // fails, there is no note, and nothing else is lost.
        if let Ok(mut text) = with_checksum(&ranges) {
            text.push(b'\n');
            let _ = self.file.write_all_at(&text, 0);
        }
        self.worker.process(block, out);
        let _ = self.file.write_all_at(b"\n", 0);
    }
}

/// Returns what a worker was judging: the first line of its file. After that there may be the rest
/// of a longer note.
fn noted(text: &[u8]) -> Option<Vec<Suspect>> {
    verified(text.split(|&byte| byte == b'\n').next()?)
}

/// Returns the offset range of each partition in a block. Skipped records are not judged.
fn ranges(block: &Block) -> Vec<Suspect> {
    let mut all: Vec<Option<Suspect>> = vec![None; block.places().len()];
    for record in block.records().iter().filter(|record| !record.is_skipped()) {
        let place = &block.places()[record.place];
        let known = all[record.place].get_or_insert_with(|| Suspect {
            topic: place.topic.to_string(),
            partition: place.partition,
            first: record.offset,
            last: record.offset,
            deaths: 0,
        });
        known.first = known.first.min(record.offset);
        known.last = known.last.max(record.offset);
    }
    all.into_iter().flatten().collect()
}

/// Replaces characters that are not safe in a file name.
fn file_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    format!("tamis-{}", name.chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::pipeline::records::Incoming;

    fn block(offsets: std::ops::RangeInclusive<i64>) -> Block {
        let mut block = Block::default();
        let place = Place { id: 1, topic: "t".into(), partition: 3 };
        for offset in offsets {
            let value = Some(&b"{}"[..]);
            block.push(&place, &Incoming { offset, value, ..Incoming::default() }, 99);
        }
        block
    }

    /// Crashes on a block with this offset.
    struct Mortal(i64);

    impl RecordWorker for Mortal {
        fn process(&mut self, block: &Block, _: &mut Judged) {
            assert!(block.records().iter().all(|record| record.offset != self.0));
        }
    }

    /// One life of a process: judges these blocks until it crashes.
    fn live(folder: &Path, blocks: &[std::ops::RangeInclusive<i64>]) -> Arc<Notes> {
        let notes = Notes::open(folder, "g/1", None).unwrap();
        let mut worker = Noting::new(Mortal(17), &notes, 0).unwrap();
        for range in blocks {
            let block = block(range.clone());
            if catch_unwind(AssertUnwindSafe(|| worker.process(&block, &mut Judged::default())))
                .is_err()
            {
                break;
            }
        }
        notes
    }

    #[test]
    fn what_dies_three_times_is_judged_one_by_one_and_then_quarantined() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place { id: 9, topic: "t".into(), partition: 3 };
        for deaths in 0..3 {
            let notes = live(folder.path(), &[0..=9, 10..=19 + deaths, 30..=39]);
            assert_eq!((notes.one_by_one(&place), notes.quarantined()), (None, vec![]), "{deaths}");
        }
        let notes = live(folder.path(), &[0..=9, 10..=10, 16..=16, 17..=17]);
        assert_eq!(notes.one_by_one(&place), Some(21));
        assert_eq!(
            notes.shown(),
            ["t[3]:10 to 21: the process crashed 3 times in a row while it judged these records"]
        );
        drop(notes);
        let notes = live(folder.path(), &[0..=9, 18..=30]);
        let spot = ("t".to_owned(), 3, 17);
        assert_eq!((notes.one_by_one(&place), notes.quarantined()), (None, vec![spot.clone()]));
        drop(notes);
        // Until the record is delivered.
        let notes = live(folder.path(), &[18..=30]);
        assert_eq!(notes.quarantined(), std::slice::from_ref(&spot));
        notes.is_over(&spot);
        drop(notes);
        assert!(live(folder.path(), &[]).quarantined().is_empty());
    }

    #[test]
    fn what_was_damaged_is_as_good_as_no_note() {
        let folder = tempfile::tempdir().unwrap();
        for range in [10..=19, 10..=19, 10..=19, 17..=17] {
            live(folder.path(), &[range]);
        }
        // It crashed on one record, and now crashes on others.
        let notes = live(folder.path(), &[11..=17]);
        assert_eq!(notes.quarantined(), [("t".to_owned(), 3, 17)]);
        let [deaths, work] = ["deaths", "0.work"].map(|end| {
            let path = folder.path().join(format!("tamis-g_1..{end}"));
            (fs::read(&path).unwrap(), path)
        });
        assert_eq!(noted(&work.0).unwrap().len(), 1);
        drop(notes);
        let flipped = |text: &[u8], bit: usize| {
            let mut text = text.to_vec();
            text[bit / 8] ^= 1 << (bit % 8);
            text
        };
        for bit in 0..deaths.0.len() * 8 {
            assert_eq!(verified::<Record>(&flipped(&deaths.0, bit)), None, "bit {bit}");
        }
        let line = work.0.iter().position(|&byte| byte == b'\n').unwrap();
        for bit in 0..(line + 1) * 8 {
            assert_eq!(noted(&flipped(&work.0, bit)), None, "bit {bit}");
        }
        // A damaged note does not hide those of other workers.
        fs::write(&deaths.1, flipped(&deaths.0, 300)).unwrap();
        fs::write(folder.path().join("tamis-g_1..1.work"), &work.0).unwrap();
        fs::write(&work.1, flipped(&work.0, 7)).unwrap();
        let notes = Notes::open(folder.path(), "g/1", None).unwrap();
        assert!(notes.quarantined().is_empty());
        assert_eq!(notes.record.lock().unwrap().suspects.len(), 1);
    }

    #[test]
    fn deaths_elsewhere_do_not_add_up() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place { id: 9, topic: "t".into(), partition: 3 };
        for _ in 0..2 {
            live(folder.path(), &[10..=19]);
        }
        live(folder.path(), &[0..=9]);
        for _ in 0..2 {
            let notes = live(folder.path(), &[10..=19]);
            assert_eq!(notes.one_by_one(&place), None);
        }
    }

    #[test]
    fn two_processes_do_not_share_their_notes() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Notes::open(folder.path(), "g", None).unwrap();
        assert!(Notes::open(folder.path(), "g", None).is_err());
        assert!(Notes::open(folder.path(), "g", Some("b")).is_ok());
    }
}
