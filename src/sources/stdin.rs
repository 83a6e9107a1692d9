//! Standard input.

use std::{io, time::Duration};

use super::descriptor::read_when_ready;
use crate::{
    pipeline::{Read, Source},
    shutdown::Shutdown,
};

/// Standard input, read without a buffer of its own.
pub struct StdinSource {
    shutdown: Shutdown,
}

impl StdinSource {
    /// Standard input; `shutdown` interrupts its waits.
    pub fn new(shutdown: Shutdown) -> Self {
        Self { shutdown }
    }
}

impl Source for StdinSource {
    fn read(&mut self, buf: &mut [u8], wait: Option<Duration>) -> io::Result<Read> {
        read_when_ready(rustix::stdio::stdin(), self.shutdown.wake(), buf, wait)
    }
}
