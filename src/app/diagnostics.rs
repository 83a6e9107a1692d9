//! Collects errors, so that all of them are reported at once.

use anyhow::{Result, anyhow};

use super::exit::Trouble;

/// Error messages, each with the problem and the fix.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics(Vec<String>);

impl Diagnostics {
    /// Adds the error in `judged`, which may have several lines. Duplicate lines are reported once.
    pub(crate) fn with<T>(&mut self, judged: Result<T>) -> Option<T> {
        match judged {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(complaints(&Trouble::from(error).to_string()));
                None
            }
        }
    }

    pub(crate) fn add(&mut self, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            if !self.0.contains(&line) {
                self.0.push(line);
            }
        }
    }

    /// Returns `value`, unless there are errors.
    pub(crate) fn or<T>(self, value: Option<T>) -> Result<T> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(anyhow!(self.0.join("\n"))),
        }
    }
}

/// Splits a message into errors. Indented lines belong to the line before them.
fn complaints(message: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in message.lines() {
        match all.last_mut().filter(|_| line.starts_with("    ")) {
            Some(last) => *last += &format!("\n{line}"),
            None => all.push(line.to_owned()),
        }
    }
    all
}
