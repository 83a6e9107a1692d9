//! Values with their position in the file, and errors at such a position.

use std::fmt;

/// A position in the file. Both numbers begin with 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// A value and its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said<T> {
    /// The value.
    pub value: T,
    /// Its position.
    pub spot: Spot,
    /// The value, or a part of it, came from the environment or from another file. It may be a
    /// secret, so it is not shown.
    pub secret: bool,
}

impl<T> Said<T> {
    /// Wraps a value that does not come from a file.
    pub fn elsewhere(value: T) -> Self {
        Self { value, spot: Spot { line: 0, column: 0 }, secret: false }
    }
}

/// An error in a file, and its fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The file, as written.
    pub file: String,
    /// The position.
    pub spot: Spot,
    /// The error, and how to fix it.
    pub what: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, spot, what } = self;
        write!(f, "{file}:{}:{}: {what}", spot.line, spot.column)
    }
}
