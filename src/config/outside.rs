//! What a configuration leads to beyond its own text: the environment, and files with values that do
//! not stand in it, because there are many or because they are secret.

use std::fmt;

use toml::{Spanned, de::DeValue};

use super::{Complaint, Said, Spot, reader::Reader};

/// So many bad lines of a file are told.
const TOLD: usize = 10;

/// A file's name in messages; its bytes, or why there are none.
pub type Found = (String, Result<Vec<u8>, String>);

/// Where what is outside comes from.
pub struct Outside<'a> {
    /// The value of a variable, for `${NAME}`.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// A file by its path in the configuration: how messages call it, and what is in it, or why
    /// that cannot be had.
    pub file: &'a dyn Fn(&str) -> Found,
}

impl Outside<'static> {
    /// No variable and no file is there.
    pub const NOTHING: Self =
        Self { variable: &|_| None, file: &|path| (path.to_owned(), Err("no such file".into())) };
}

/// The values of a file, one on a line. They may be personal: nothing shows them.
#[derive(Clone, PartialEq, Eq)]
pub struct Listed {
    /// The key that names the file.
    pub key: &'static str,
    /// The file, as it was named.
    pub path: Said<String>,
    pub(super) values: Vec<String>,
}

impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {:?}, {} values", self.key, self.path, self.values.len())
    }
}

impl Reader<'_> {
    /// The file that a text names: its path, how messages call it, and what is in it. `key` is what
    /// messages begin with.
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

    /// The file that a text names: its path, how messages call it, and its text.
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

    /// The lines of the file that a text names, but for blank ones. `check` says what is wrong with
    /// one, and does not quote it.
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
