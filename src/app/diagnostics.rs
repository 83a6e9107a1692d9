//! What is wrong, gathered: all of it is told at once.

use anyhow::{Result, anyhow};

use super::exit::Trouble;

/// Lines, each with what is wrong, and the mend.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics(Vec<String>);

impl Diagnostics {
    /// Adds what is wrong with `judged`, which may be several lines; a line is told once.
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

    /// `value`, unless something is wrong.
    pub(crate) fn or<T>(self, value: Option<T>) -> Result<T> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(anyhow!(self.0.join("\n"))),
        }
    }
}

/// The complaints of a message. What is indented belongs to the line before it.
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
