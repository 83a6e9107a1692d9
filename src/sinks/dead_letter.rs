//! Dead letters in a file: one JSON object for each line that was not forwarded.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    file::{ends_inside_a_line, leads_to, or_nothing_to_sync},
    named,
    retry::Retry,
};
use crate::{
    journal::{Event, Say, visible},
    pipeline::{EngineReason, Letter, Payload, Place, Reason, Reject, RejectSink},
    seal::Seal,
    shutdown::Shutdown,
};

/// Dead letters are written when there are this many bytes of them.
const WRITTEN_AT: usize = 64 << 10;
/// The maximum number of bytes of unacknowledged dead letters that are kept in memory.
const REMEMBERED: usize = 1 << 20;
/// How often a file may be moved or removed while it is being recreated.
const ATTEMPTS: usize = 1000;

/// A file that dead letters are appended to. A restart keeps those of earlier runs.
pub struct DeadLetterFile {
    file: File,
    /// Whether it is a regular file, which can be moved or removed, and not a device or a pipe.
    is_regular: bool,
    path: PathBuf,
    /// Unacknowledged dead letters; the first `written` bytes are in the file.
    letters: Vec<u8>,
    written: usize,
    /// Bytes that were written since the last [flush](RejectSink::flush).
    fresh: usize,
    settings: Settings,
    retry: Retry,
}

/// The settings for dead letters.
#[derive(Clone, Default)]
pub struct Settings {
    /// Whether text lines are dropped.
    pub drop_text: bool,
    /// The public key that originals are encrypted to.
    pub seal: Option<Seal>,
    /// Whether to wait for space on a full disk, as the output of such a run does.
    pub waits: bool,
}

impl DeadLetterFile {
    /// Opens `path` for appending. An incomplete dead letter that a killed process left gets a line
    /// end, so that what follows can be read. `say` reports that the file was moved or removed;
    /// `shutdown` ends a wait for it.
    ///
    /// # Errors
    /// The file cannot be written, or another run is writing to it.
    pub fn open(path: &Path, settings: Settings, shutdown: Shutdown, say: Say) -> io::Result<Self> {
        let (file, is_regular) = opened(path)?;
        let (path, retry) = (path.to_path_buf(), Retry { shutdown, say });
        let letters = Vec::with_capacity(WRITTEN_AT);
        Ok(Self { file, is_regular, path, letters, written: 0, fresh: 0, settings, retry })
    }

    /// Returns whether the open file is the one that has the name now.
    fn is_in_place(&self) -> bool {
        !self.is_regular || leads_to(&self.path, &self.file)
    }

    fn shown(&self) -> String {
        visible(&self.path.display().to_string())
    }

    /// Ensures that all dead letters are in the file that has the name now. If the file was moved
    /// or removed, it is recreated with the unacknowledged dead letters.
    fn settle(&mut self, durable: bool) -> io::Result<()> {
        for _ in 0..ATTEMPTS {
            self.spill()?;
            if durable {
                or_nothing_to_sync(self.file.sync_all())?;
            }
            if self.is_in_place() {
                self.letters.clear();
                self.letters.shrink_to(WRITTEN_AT);
                self.written = 0;
                return Ok(());
            }
            let (shown, path) = (self.shown(), &self.path);
            let make = || {
                if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
                {
                    fs::create_dir_all(folder)?;
                }
                opened(path)
            };
            (self.file, self.is_regular) = self.retry.until_back(&shown, make)?;
            (self.written, self.fresh) = (0, 0);
            let what = "it was moved or removed; it is recreated, and what was not acknowledged \
                        is written again";
            (self.retry.say)(Event::OutputReplaced, &format!("{shown}: {what}"));
        }
        Err(io::Error::other("another process repeatedly moves or removes it"))
    }

    /// Writes the dead letters that are not written yet. If that fails, everything since the last
    /// flush is removed, because none of it counts as kept, and no incomplete dead letter must
    /// stay.
    fn spill(&mut self) -> io::Result<()> {
        let letters = &self.letters[self.written..];
        if letters.is_empty() {
            return Ok(());
        }
        let before = if self.is_regular { self.file.metadata()?.len() } else { 0 };
        let (mut file, is_regular) = (&self.file, self.is_regular);
        let mut attempt = || {
            file.write_all(letters).inspect_err(|_| {
                if is_regular {
                    // If this fails, too, a later run ends the line.
                    let _ = file.set_len(before);
                }
            })
        };
        let written = match is_regular && self.settings.waits {
            true => self.retry.until_room(&self.shown(), attempt),
            false => attempt(),
        };
        if let Err(error) = written {
            if is_regular {
                let _ = self.file.set_len(before.saturating_sub(self.fresh as u64));
            }
            self.letters.truncate(self.written.saturating_sub(self.fresh));
            (self.written, self.fresh) = (self.letters.len(), 0);
            return Err(error);
        }
        self.fresh += letters.len();
        self.written = self.letters.len();
        if !self.is_regular {
            (self.letters, self.written) = (Vec::with_capacity(WRITTEN_AT), 0);
        }
        Ok(())
    }
}

/// Opens a file for appending, and returns whether it is a regular file.
fn opened(path: &Path) -> io::Result<(File, bool)> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    if !file.metadata()?.is_file() {
        return Ok((file, false));
    }
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            return Err(io::Error::other(
                "another run is writing to it: use a different file for each run",
            ));
        }
        // Not every file system supports locks.
        Err(TryLockError::Error(_)) | Ok(()) => {}
    }
    if has_half_a_letter(path)? {
        file.write_all(b"\n")?;
    }
    Ok((file, true))
}

fn has_half_a_letter(path: &Path) -> io::Result<bool> {
    match File::open(path) {
        Ok(file) => ends_inside_a_line(&file),
        // Without permission to read, this is unknown.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
        Err(error) => Err(error),
    }
}

impl Settings {
    /// Returns whether rejects for this reason are kept.
    pub fn takes(&self, reason: Reason) -> bool {
        // A dead letter of a record in a loop would continue the loop.
        reason != Reason::Loop && !(self.drop_text && reason == EngineReason::Text)
    }
}

impl RejectSink for DeadLetterFile {
    fn takes(&self, reject: &Reject) -> bool {
        self.settings.takes(reject.reason)
    }

    fn seal(&self) -> Option<&Seal> {
        self.settings.seal.as_ref()
    }

    fn write(&mut self, letter: &Letter<'_>) -> io::Result<()> {
        write(&mut self.letters, letter)?;
        if self.letters.len() - self.written < WRITTEN_AT {
            return Ok(());
        }
        let settled = match self.spill() {
            Ok(()) if self.letters.len() >= REMEMBERED => self.settle(false),
            spilled => spilled,
        };
        settled.map_err(|error| named(&self.shown(), &error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.spill().map_err(|error| named(&self.shown(), &error))?;
        self.fresh = 0;
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.settle(true).map_err(|error| named(&self.shown(), &error))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.finish()
    }
}

fn write(out: &mut impl Write, letter: &Letter<'_>) -> io::Result<()> {
    let Letter { place, reject, body, schema, route, sealed, attempts } = letter;
    write!(out, r#"{{"reason":"{}""#, reject.reason.word())?;
    if let Some(keyword) = reject.reason.keyword() {
        write!(out, r#","keyword":"{keyword}""#)?;
    }
    if let Some(schema) = schema.filter(|_| reject.reason.is_violation()) {
        string(out, "schema", schema)?;
        if reject.reason != EngineReason::NotJson {
            string(out, "pointer", &reject.pointer)?;
        }
        if !reject.missing.is_empty() {
            string(out, "missing", &reject.missing)?;
        }
    }
    if let Some(route) = route {
        string(out, "route", route)?;
    }
    string(out, "input", place.input)?;
    let Place { line, offset, length, .. } = place;
    write!(out, r#","line":{line},"offset":{offset},"length":{length}"#)?;
    if *attempts > 0 {
        write!(out, r#","attempts":{attempts}"#)?;
    }
    if let Some(sealed) = sealed {
        string(out, "sealed", &STANDARD.encode(sealed))?;
    }
    match reject.payload {
        Payload::None => {}
        Payload::Shape => string(out, "shape", &String::from_utf8_lossy(body))?,
        Payload::Redacted if reject.reason.is_text() => {
            string(out, "text", &String::from_utf8_lossy(body))?;
        }
        Payload::Redacted => {
            // The redacted event is one valid JSON object on one line.
            out.write_all(br#","event":"#)?;
            out.write_all(body)?;
        }
    }
    out.write_all(b"}\n")
}

fn string(out: &mut impl Write, key: &str, value: &str) -> io::Result<()> {
    write!(out, r#","{key}":"#)?;
    Ok(serde_json::to_writer(&mut *out, value)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> io::Result<DeadLetterFile> {
        let shutdown = Shutdown::new(std::time::Duration::from_secs(60)).unwrap();
        DeadLetterFile::open(path, Settings::default(), shutdown, std::sync::Arc::new(|_, _| {}))
    }

    #[test]
    fn half_a_letter_gets_a_line_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dead");
        for (there, wanted) in [("", ""), ("{}\n", "{}\n"), ("{}\n{\"re", "{}\n{\"re\n")] {
            fs::write(&path, there).unwrap();
            open(&path).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), wanted);
        }
        assert!(open(Path::new("/dev/null")).is_ok());
    }

    #[test]
    fn two_runs_do_not_write_to_one_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dead");
        let first = open(&path).unwrap();
        let refused = open(&path).err().unwrap().to_string();
        assert!(refused.contains("another run is writing to it"), "{refused}");
        drop(first);
        assert!(open(&path).is_ok());
    }

    /// Returns the maximum size of a file here.
    fn longest(file: &File) -> u64 {
        let (mut fits, mut fails) = (0, i64::MAX as u64);
        while fits + 1 < fails {
            let middle = fits + (fails - fits) / 2;
            match file.set_len(middle) {
                Ok(()) => fits = middle,
                Err(_) => fails = middle,
            }
        }
        fits
    }

    #[test]
    fn letters_of_a_batch_that_fails_are_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dead");
        let file = File::create(&path).unwrap();
        let begun = longest(&file) - 3 * WRITTEN_AT as u64;
        file.set_len(begun).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"\n", begun - 1).unwrap();
        let mut letters = open(&path).unwrap();
        let reject = Reject::of(EngineReason::Unterminated, 0);
        let place = Place { input: "a.log", line: 1, offset: 0, length: 9 };
        let (reject, body, schema, sealed) = (&reject, &b"{xxx"[..], None, None);
        let route = None;
        let letter = Letter { place, reject, body, schema, route, sealed, attempts: 0 };
        letters.write(&letter).unwrap();
        letters.flush().unwrap();
        let kept = file.metadata().unwrap().len();
        assert!(kept > begun);
        // Two pieces of this batch fit, and a part of the third.
        let failed = (0..8192).find_map(|_| letters.write(&letter).err());
        assert!(failed.is_some());
        assert_eq!(file.metadata().unwrap().len(), kept, "none of it counts as kept");
        letters.finish().unwrap();
        assert_eq!(file.metadata().unwrap().len(), kept, "nor comes later");
    }

    fn written(reason: EngineReason, pointer: &str, payload: Payload, body: &[u8]) -> String {
        let reject = Reject {
            reason: reason.into(),
            line: 0,
            offset: 0,
            len: 9,
            pointer: pointer.into(),
            missing: if reason == EngineReason::Required { "id".into() } else { String::new() },
            detail: None,
            at: 0,
            payload,
            body: 0..body.len(),
            joined: Vec::new(),
            route: 0,
        };
        let place = Place { input: "a \"b\".log", line: 17, offset: 99, length: 9 };
        let (schema, mut out) = (Some("service-log"), Vec::new());
        let (sealed, attempts) = (None, 0);
        let reject = &reject;
        let route = None;
        write(&mut out, &Letter { place, reject, body, schema, route, sealed, attempts }).unwrap();
        let text = String::from_utf8(out).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
        text
    }

    #[test]
    fn one_object_a_line() {
        let letter = written(EngineReason::Required, "/user", Payload::Redacted, br#"{"user":{}}"#);
        assert_eq!(
            letter,
            concat!(
                r#"{"reason":"schema_required","keyword":"required","schema":"service-log","#,
                r#""pointer":"/user","missing":"id","input":"a \"b\".log","#,
                r#""line":17,"offset":99,"length":9,"#,
                r#""event":{"user":{}}}"#,
                "\n"
            )
        );
        let letter = written(EngineReason::Syntax, "", Payload::Shape, b"{xxx:\"\xff");
        assert!(letter.ends_with("\"length\":9,\"shape\":\"{xxx:\\\"\u{fffd}\"}\n"), "{letter}");
        assert!(!letter.contains("schema"), "malformed is no violation: {letter}");
        let letter = written(EngineReason::NotJson, "", Payload::Redacted, b"at \"x\"");
        assert!(letter.ends_with(",\"text\":\"at \\\"x\\\"\"}\n"), "{letter}");
        let letter = written(EngineReason::Oversize, "", Payload::None, b"");
        assert!(letter.ends_with("\"length\":9}\n"));
    }
}
