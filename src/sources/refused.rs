//! An input that is known beforehand to be none.

use std::{io, time::Duration};

use crate::pipeline::{Read, Source};

/// Fails when its turn comes, as a file does that cannot be opened.
pub struct RefusedSource {
    why: String,
}

impl RefusedSource {
    /// `why` is what the error says.
    pub fn new(why: String) -> Self {
        Self { why }
    }
}

impl Source for RefusedSource {
    fn read(&mut self, _: &mut [u8], _: Option<Duration>) -> io::Result<Read> {
        Err(io::Error::other(self.why.clone()))
    }
}
