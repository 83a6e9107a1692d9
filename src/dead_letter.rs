//! Dead letters, read again: which hold what they are about, and which stay. Here as a file; `record`
//! has those of topics.

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

/// A letter has so many bytes at most, for each that an event may have, and this beside: base64 of the
/// original, and the redacted event.
const LONGEST_BESIDE: usize = 64 << 10;
const LONGEST_TIMES: usize = 8;

/// What a letter says.
#[derive(Debug, Deserialize)]
pub struct DeadLetter {
    /// The input that it stood in,
    pub input: String,
    /// and where.
    pub line: u64,
    /// From 0.
    pub offset: u64,
    /// In bytes.
    pub length: u64,
    /// How often it was a dead letter again.
    #[serde(default)]
    pub attempts: u32,
    sealed: Option<String>,
    event: Option<IgnoredAny>,
}

/// What decides about a letter.
#[derive(Clone)]
pub struct ReplayTerms {
    /// What opens it.
    pub identities: Option<Identities>,
    /// It may have been tried less often than this.
    pub attempts: u32,
    /// The longest event.
    pub max_event_bytes: usize,
}

/// A file of letters, read in order.
pub struct DeadLetterReader {
    file: io::Take<BufReader<File>>,
    longest: usize,
    line: Vec<u8>,
}

/// Which letters are replayed: each by how many lines it is about, or 0.
#[derive(Debug, Default)]
pub struct Chosen {
    /// By letter.
    pub lines: Vec<u32>,
    /// The letters are in so many bytes of the file; what was added later is not read.
    pub bytes: u64,
}

impl ReplayTerms {
    /// What a letter is about, as it came, or why that is not to be had.
    ///
    /// # Errors
    /// It stays.
    pub fn original(&self, letter: &[u8]) -> Result<(DeadLetter, Vec<u8>), Stays> {
        let told: DeadLetter = serde_json::from_slice(letter).map_err(|_| Stays::NoLetter)?;
        if told.attempts >= self.attempts {
            return Err(Stays::Tried);
        }
        let original = match (&told.sealed, &told.event) {
            (Some(sealed), _) => {
                let sealed = STANDARD.decode(sealed).map_err(|_| Stays::NoLetter)?;
                let identities = self.identities.as_ref().ok_or(Stays::Shut)?;
                // A line over the limit is told again.
                let most = self.max_event_bytes.saturating_mul(2);
                identities.open(&sealed, most).map_err(|_| Stays::Shut)?
            }
            // Byte for byte as it was kept: no number is written anew.
            (None, Some(_)) => letter[event(letter).ok_or(Stays::InPart)?].to_vec(),
            (None, None) => return Err(Stays::InPart),
        };
        Ok((told, original))
    }
}

/// Where the event is in a letter: it comes last, and a `"` in a string before it would be escaped.
fn event(letter: &[u8]) -> Option<Range<usize>> {
    const KEY: &[u8] = b",\"event\":";
    let from = memchr::memmem::find(letter, KEY)? + KEY.len();
    let to = letter.iter().rposition(|byte| *byte == b'}')?;
    (from < to).then_some(from..to)
}

/// No letter of an event of so many bytes at most is longer.
pub fn longest(max_event_bytes: usize) -> usize {
    max_event_bytes.saturating_mul(LONGEST_TIMES) + LONGEST_BESIDE
}

impl DeadLetterReader {
    /// The first `bytes` of a file.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(path: &Path, bytes: u64, max_event_bytes: usize) -> io::Result<Self> {
        let file = BufReader::with_capacity(64 << 10, File::open(path)?).take(bytes);
        let longest = longest(max_event_bytes);
        Ok(Self { file, longest, line: Vec::new() })
    }

    /// The next letter, without its line end.
    ///
    /// # Errors
    /// It cannot be read, or is longer than any letter of events of this length.
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

/// Takes a letter that is not replayed: its line, from 1, the letter, and why.
pub type OnStay<'a> = dyn FnMut(u64, &[u8], Stays) -> io::Result<()> + 'a;

/// Chooses among a file's letters; `stays` takes those that are not replayed.
///
/// # Errors
/// The file cannot be read; what `stays` says.
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
        let (told, original) = terms(3).original(text.as_bytes()).unwrap();
        assert_eq!((told.attempts, String::from_utf8(original).unwrap()), (2, event.to_owned()));
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
