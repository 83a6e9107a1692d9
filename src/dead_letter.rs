//! Reads dead letters for a replay: those whose original or event is available are replayed, the
//! others stay. This is for files; `record` is for topics.

mod record;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _},
    ops::Range,
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, de::IgnoredAny};

use crate::{pipeline::Stays, seal::Identities};
pub use record::{Original, Part, RecordLetter};

/// The maximum size of a dead letter is this plus a multiple of the maximum event size: the
/// original in base64, and the redacted event.
const LONGEST_BESIDE: usize = 64 << 10;
const LONGEST_TIMES: usize = 8;

/// The content of a dead letter.
#[derive(Debug, Deserialize)]
pub struct DeadLetter {
    /// The input of the line.
    pub input: String,
    /// The number of the line, from 1.
    pub line: u64,
    /// The offset of the line, from 0.
    pub offset: u64,
    /// The length of the line in bytes.
    pub length: u64,
    /// How often it was replayed and rejected again.
    #[serde(default)]
    pub attempts: u32,
    sealed: Option<String>,
    event: Option<IgnoredAny>,
}

/// The conditions for replaying a dead letter.
#[derive(Clone)]
pub struct ReplayTerms {
    /// The identities that decrypt the original.
    pub identities: Option<Identities>,
    /// The number of attempts from which on it is not replayed.
    pub attempts: u32,
    /// The maximum event size.
    pub max_event_bytes: usize,
}

/// Reads the dead letters of a file in order.
pub struct DeadLetterReader {
    file: io::Take<BufReader<File>>,
    longest: usize,
    line: Vec<u8>,
}

/// Which dead letters are replayed: the number of lines of each, or 0.
#[derive(Debug, Default)]
pub struct Chosen {
    /// By dead letter.
    pub lines: Vec<u32>,
    /// The length of the file when the dead letters were selected; what was added later is not
    /// read.
    pub bytes: u64,
}

impl ReplayTerms {
    /// Returns the original of a dead letter, or why it is not available.
    ///
    /// # Errors
    /// It is not replayed.
    pub fn original(&self, letter: &[u8]) -> Result<(DeadLetter, Vec<u8>), Stays> {
        let parsed: DeadLetter = serde_json::from_slice(letter).map_err(|_| Stays::NoLetter)?;
        if parsed.attempts >= self.attempts {
            return Err(Stays::Tried);
        }
        let original = match (&parsed.sealed, &parsed.event) {
            (Some(sealed), _) => {
                let sealed = STANDARD.decode(sealed).map_err(|_| Stays::NoLetter)?;
                let identities = self.identities.as_ref().ok_or(Stays::Shut)?;
                // A line over the limit is reported again.
                let most = self.max_event_bytes.saturating_mul(2);
                identities.open(&sealed, most).map_err(|_| Stays::Shut)?
            }
            // The event is used byte for byte, so that no number is written differently.
            (None, Some(_)) => letter[event(letter).ok_or(Stays::InPart)?].to_vec(),
            (None, None) => return Err(Stays::InPart),
        };
        Ok((parsed, original))
    }
}

/// Returns the range of the event. It is the last member, and a `"` in an earlier string would be
/// escaped.
fn event(letter: &[u8]) -> Option<Range<usize>> {
    const KEY: &[u8] = b",\"event\":";
    let from = memchr::memmem::find(letter, KEY)? + KEY.len();
    let to = letter.iter().rposition(|byte| *byte == b'}')?;
    (from < to).then_some(from..to)
}

/// Returns the maximum length of a dead letter of an event of at most this size.
pub fn longest(max_event_bytes: usize) -> usize {
    max_event_bytes.saturating_mul(LONGEST_TIMES) + LONGEST_BESIDE
}

impl DeadLetterReader {
    /// Opens the first `bytes` of a file.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: &Path, bytes: u64, max_event_bytes: usize) -> io::Result<Self> {
        let file = BufReader::with_capacity(64 << 10, File::open(path)?).take(bytes);
        let longest = longest(max_event_bytes);
        Ok(Self { file, longest, line: Vec::new() })
    }

    /// Returns the next dead letter, without its line end.
    ///
    /// # Errors
    /// It cannot be read, or is longer than any dead letter of events of this size.
    pub fn read(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        let read =
            (&mut self.file).take(self.longest as u64 + 1).read_until(b'\n', &mut self.line)?;
        if read > self.longest {
            let what = "a line is longer than any dead letter can be: see --max-event-bytes";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        }
        Ok((read > 0).then_some(&self.line))
    }
}

/// Receives each dead letter that is not replayed: its line number from 1, its bytes, and why.
pub type OnStay<'a> = dyn FnMut(u64, &[u8], Stays) -> io::Result<()> + 'a;

/// Selects the dead letters of a file to replay; `stays` receives the others.
///
/// # Errors
/// The file cannot be read, or `stays` returns an error.
pub fn choose(path: &Path, terms: &ReplayTerms, stays: &mut OnStay<'_>) -> io::Result<Chosen> {
    let bytes = std::fs::metadata(path)?.len();
    let mut letters = DeadLetterReader::open(path, bytes, terms.max_event_bytes)?;
    let mut lines = Vec::new();
    while let Some(letter) = letters.read()? {
        lines.push(match terms.original(letter) {
            Ok((_, original)) => memchr::memchr_iter(b'\n', &original).count() as u32 + 1,
            Err(why) => {
                if !letter.is_empty() {
                    stays(lines.len() as u64 + 1, letter, why)?;
                }
                0
            }
        });
    }
    Ok(Chosen { lines, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(attempts: u32) -> ReplayTerms {
        ReplayTerms { identities: None, attempts, max_event_bytes: 1 << 10 }
    }

    fn letter(rest: &str) -> String {
        format!(
            r#"{{"reason":"rule","input":"a,\"event\":{{","line":1,"offset":0,"length":9{rest}}}"#
        )
    }

    #[test]
    fn an_event_leaves_its_letter_byte_for_byte() {
        let event = r#"{"n": 1e400, "a":"}","big":123456789012345678901234567890 }"#;
        let text = letter(&format!(r#","attempts":2,"event":{event}"#));
        let (parsed, original) = terms(3).original(text.as_bytes()).unwrap();
        assert_eq!((parsed.attempts, String::from_utf8(original).unwrap()), (2, event.to_owned()));
        assert_eq!(terms(2).original(text.as_bytes()).unwrap_err(), Stays::Tried);
    }

    #[test]
    fn what_is_not_whole_stays() {
        for (rest, why) in [
            ("", Stays::InPart),
            (r#","shape":"{xx""#, Stays::InPart),
            (r#","text":"a""#, Stays::InPart),
            (r#","sealed":"YWdl","event":{}"#, Stays::Shut),
            (r#","sealed":"?""#, Stays::NoLetter),
        ] {
            assert_eq!(terms(3).original(letter(rest).as_bytes()).unwrap_err(), why, "{rest}");
        }
        assert_eq!(terms(3).original(b"{\"reason\":\"").unwrap_err(), Stays::NoLetter);
    }

    #[test]
    fn what_is_added_later_and_what_is_no_letter_is_left() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let whole = letter(r#","event":{"a":1}"#);
        std::fs::write(file.path(), format!("{whole}\n\nno letter\n{whole}\n{{\"re")).unwrap();
        let mut stay = Vec::new();
        let chosen = choose(file.path(), &terms(3), &mut |_, letter, why| {
            stay.push((String::from_utf8(letter.to_vec()).unwrap(), why));
            Ok(())
        });
        let chosen = chosen.unwrap();
        assert_eq!(chosen.lines, [1, 0, 0, 1, 0]);
        assert_eq!(stay.len(), 2);
        assert!(stay.iter().all(|(_, why)| *why == Stays::NoLetter), "{stay:?}");
        std::fs::write(file.path(), "x".repeat(90 << 10)).unwrap();
        assert!(choose(file.path(), &terms(3), &mut |_, _, _| Ok(())).is_err());
    }
}
