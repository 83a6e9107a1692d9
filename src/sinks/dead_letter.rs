//! The dead letter as a file: one JSON object for each line that was not forwarded.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::file::{ends_inside_a_line, or_nothing_to_sync};
use crate::{
    pipeline::{Letter, Payload, Place, Reason, Reject, RejectSink},
    seal::Seal,
};

/// A file that rejects are appended to; a restart keeps what an earlier run left there.
pub struct DeadLetterFile {
    file: BufWriter<File>,
    settings: Settings,
}

/// What a dead letter knows beside its rejects.
#[derive(Clone, Default)]
pub struct Settings {
    /// Text lines are dropped, not kept.
    pub drop_text: bool,
    /// Whom originals are sealed to.
    pub seal: Option<Seal>,
}

impl DeadLetterFile {
    /// Opens `path` to append to it. Half a letter, which a killed process left, gets a line end, so
    /// that what follows can be read.
    pub fn open(path: &Path, settings: Settings) -> io::Result<Self> {
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        if has_half_a_letter(path)? {
            file.write_all(b"\n")?;
        }
        Ok(Self { file: BufWriter::with_capacity(64 << 10, file), settings })
    }
}

fn has_half_a_letter(path: &Path) -> io::Result<bool> {
    if !fs::metadata(path)?.is_file() {
        return Ok(false);
    }
    match File::open(path) {
        Ok(file) => ends_inside_a_line(&file),
        // Who may only write to it cannot tell.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
        Err(error) => Err(error),
    }
}

impl Settings {
    /// Whether rejects for this reason are kept.
    pub fn takes(&self, reason: Reason) -> bool {
        // What goes in a circle would go on in it, by its dead letters.
        reason != Reason::Loop && !(self.drop_text && reason == Reason::Text)
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
        write(&mut self.file, letter)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.sync()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.flush()?;
        or_nothing_to_sync(self.file.get_ref().sync_all())
    }
}

fn write(out: &mut impl Write, letter: &Letter<'_>) -> io::Result<()> {
    let Letter { place, reject, body, schema, sealed, attempts } = letter;
    write!(out, r#"{{"reason":"{}""#, reject.reason.word())?;
    if let Some(keyword) = reject.reason.keyword() {
        write!(out, r#","keyword":"{keyword}""#)?;
    }
    if let Some(schema) = schema.filter(|_| reject.reason.is_violation()) {
        string(out, "schema", schema)?;
        if reject.reason != Reason::NotJson {
            string(out, "pointer", &reject.pointer)?;
        }
        if !reject.missing.is_empty() {
            string(out, "missing", &reject.missing)?;
        }
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
        Payload::Redacted if is_text(reject.reason) => {
            string(out, "text", &String::from_utf8_lossy(body))?;
        }
        Payload::Redacted => {
            // The engine's redacted event is one valid JSON object on one line.
            out.write_all(br#","event":"#)?;
            out.write_all(body)?;
        }
    }
    out.write_all(b"}\n")
}

fn is_text(reason: Reason) -> bool {
    matches!(reason, Reason::Text | Reason::NotJson)
}

fn string(out: &mut impl Write, key: &str, value: &str) -> io::Result<()> {
    write!(out, r#","{key}":"#)?;
    Ok(serde_json::to_writer(&mut *out, value)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_letter_gets_a_line_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dead");
        for (there, wanted) in [("", ""), ("{}\n", "{}\n"), ("{}\n{\"re", "{}\n{\"re\n")] {
            fs::write(&path, there).unwrap();
            DeadLetterFile::open(&path, Settings::default()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), wanted);
        }
        assert!(DeadLetterFile::open(Path::new("/dev/null"), Settings::default()).is_ok());
    }

    fn written(reason: Reason, pointer: &str, payload: Payload, body: &[u8]) -> String {
        let reject = Reject {
            reason,
            line: 0,
            offset: 0,
            len: 9,
            pointer: pointer.into(),
            missing: if reason == Reason::Required { "id".into() } else { String::new() },
            mend: reason.mend(),
            at: 0,
            payload,
            body: 0..body.len(),
            joined: Vec::new(),
        };
        let place = Place { input: "a \"b\".log", line: 17, offset: 99, length: 9 };
        let (schema, mut out) = (Some("service-log"), Vec::new());
        let (sealed, attempts) = (None, 0);
        let reject = &reject;
        write(&mut out, &Letter { place, reject, body, schema, sealed, attempts }).unwrap();
        let text = String::from_utf8(out).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
        text
    }

    #[test]
    fn one_object_a_line() {
        let letter = written(Reason::Required, "/user", Payload::Redacted, br#"{"user":{}}"#);
        assert_eq!(
            letter,
            concat!(
                r#"{"reason":"schema_required","keyword":"required","schema":"service-log","#,
                r#""pointer":"/user","missing":"id","input":"a \"b\".log","line":17,"offset":99,"length":9,"#,
                r#""event":{"user":{}}}"#,
                "\n"
            )
        );
        let letter = written(Reason::Syntax, "", Payload::Shape, b"{xxx:\"\xff");
        assert!(letter.ends_with("\"length\":9,\"shape\":\"{xxx:\\\"\u{fffd}\"}\n"), "{letter}");
        assert!(!letter.contains("schema"), "malformed is no violation: {letter}");
        let letter = written(Reason::NotJson, "", Payload::Redacted, b"at \"x\"");
        assert!(letter.ends_with(",\"text\":\"at \\\"x\\\"\"}\n"), "{letter}");
        let letter = written(Reason::Oversize, "", Payload::None, b"");
        assert!(letter.ends_with("\"length\":9}\n"));
    }
}
