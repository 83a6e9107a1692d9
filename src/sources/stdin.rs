//! Standard input.

use std::{io, time::Duration};

use super::{descriptor::read_when_ready, file::Extent};
use crate::{
    pipeline::{Read, Source},
    shutdown::Shutdown,
};

/// Standard input without a buffer.
pub struct StdinSource {
    shutdown: Shutdown,
    /// Set for a regular file; `None` until it is known.
    extent: Option<Option<Extent>>,
}

impl StdinSource {
    /// Standard input; `shutdown` interrupts its waits.
    pub fn new(shutdown: Shutdown) -> Self {
        Self { shutdown, extent: None }
    }
}

impl Source for StdinSource {
    fn read(&mut self, buf: &mut [u8], wait: Option<Duration>) -> io::Result<Read> {
        let stdin = rustix::stdio::stdin();
        let extent = match &mut self.extent {
            Some(extent) => extent,
            unknown => unknown.insert(Extent::of(stdin)?),
        };
        match extent {
            Some(extent) => extent.read(stdin, buf),
            None => read_when_ready(stdin, self.shutdown.wake(), buf, wait),
        }
    }
}
