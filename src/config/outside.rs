//! What a configuration refers to outside its own text: the environment, and files with values that
//! are many or secret.

use std::fmt;

use toml::{Spanned, de::DeValue};

use super::{Complaint, Said, Spot, reader::Reader};

/// The most invalid lines of a file that are reported.
const TOLD: usize = 10;

/// The name of a file in messages, and its bytes, or the reason why it cannot be read.
pub type Found = (String, Result<Vec<u8>, String>);

/// Provides what is outside the configuration.
pub struct Outside<'a> {
    /// Returns the value of a variable, for `${NAME}`.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Returns the content of a file, by its path in the configuration, and its name in messages.
    pub file: &'a dyn Fn(&str) -> Found,
}

impl Outside<'static> {
    /// There are no variables and no files.
    pub const NOTHING: Self =
        Self { variable: &|_| None, file: &|path| (path.to_owned(), Err("no such file".into())) };
}

/// The values of a file with one value on each line. They may be personal data, so they are never
/// shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Listed {
    /// The key with the path of the file.
    pub key: &'static str,
    /// The path of the file, as written.
    pub path: Said<String>,
    pub(super) values: Vec<String>,
}

impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {:?}, {} values", self.key, self.path, self.values.len())
    }
}

impl Reader<'_> {
    /// Reads the file at a path: returns the path, its name in messages, and its content. Messages
    /// begin with `key`.
    pub(super) fn bytes_of_file(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        key: &str,
    ) -> Option<(Said<String>, String, Vec<u8>)> {
        let path = self.text(value)?;
        match (self.outside.file)(&path.value) {
            (name, Ok(bytes)) => Some((path, name, bytes)),
            (name, Err(why)) => {
                let key = if key.is_empty() { String::new() } else { format!("{key}: ") };
                self.complain(path.spot, format!("{key}{name}: {why}"));
                None
            }
        }
    }

    /// Reads the file at a path: returns the path, its name in messages, and its text.
    fn file(&mut self, value: &Spanned<DeValue<'_>>) -> Option<(Said<String>, String, String)> {
        let (path, name, bytes) = self.bytes_of_file(value, "")?;
        match String::from_utf8(bytes) {
            Ok(text) => Some((path, name, text)),
            Err(error) => {
                let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = good.iter().filter(|&&b| b == b'\n').count() + 1;
                let what = "not valid UTF-8: save the file as UTF-8".to_owned();
                self.complain_elsewhere(name, line, what);
                None
            }
        }
    }

    /// Reads the lines of the file at a path, without blank lines. `check` returns what is wrong
    /// with a line, and must not quote it.
    pub(super) fn listed(
        &mut self,
        key: &'static str,
        value: &Spanned<DeValue<'_>>,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Option<Listed> {
        let (path, name, text) = self.file(value)?;
        let (mut values, mut wrong) = (Vec::new(), 0);
        for (i, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            match check(line) {
                Ok(()) => values.push(line.to_owned()),
                Err(_) if wrong == TOLD => {
                    self.complain_elsewhere(name, i + 1, "and more invalid lines".into());
                    return None;
                }
                Err(what) => {
                    wrong += 1;
                    self.complain_elsewhere(name.clone(), i + 1, what);
                }
            }
        }
        Some(Listed { key, path, values })
    }

    fn complain_elsewhere(&mut self, file: String, line: usize, what: String) {
        self.complaints.push(Complaint { file, spot: Spot { line, column: 1 }, what });
    }
}
