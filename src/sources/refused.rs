//! An input that is known to be unreadable.

use std::{io, time::Duration};

use crate::pipeline::{Read, Source};

/// Fails in its turn, like a file that cannot be opened.
pub struct RefusedSource {
    why: String,
}

impl RefusedSource {
    /// `why` is the text of the error.
    pub fn new(why: String) -> Self {
        Self { why }
    }
}

impl Source for RefusedSource {
    fn read(&mut self, _: &mut [u8], _: Option<Duration>) -> io::Result<Read> {
        Err(io::Error::other(self.why.clone()))
    }
}
