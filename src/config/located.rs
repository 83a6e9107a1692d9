//! Values with their place in the file, and complaints about such a place.

use std::fmt;

/// A place in the file, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub spot: Spot,
    /// It came from the environment or from a file of its own, in part at least: it may be a secret,
    /// and is not shown.
    pub secret: bool,
}

impl<T> Said<T> {
    /// A value that does not come from a file.
    pub fn elsewhere(value: T) -> Self {
        Self { value, spot: Spot { line: 0, column: 0 }, secret: false }
    }
}

/// What is wrong with a file, and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The file, as it was named.
    pub file: String,
    /// Where.
    pub spot: Spot,
    /// What is wrong, and how to fix it.
    pub what: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, spot, what } = self;
        write!(f, "{file}:{}:{}: {what}", spot.line, spot.column)
    }
}
