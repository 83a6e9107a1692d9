//! Standard output.

use std::io;

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    stdio::stdout,
};

use super::named;
use crate::pipeline::Sink;

/// Standard output without a buffer, because the pipeline writes large pieces.
#[derive(Debug, Default)]
pub struct StdoutSink {
    taken: usize,
}

impl Sink for StdoutSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.taken = 0;
        while self.taken < bytes.len() {
            match rustix::io::write(stdout(), &bytes[self.taken..]) {
                Ok(n) => self.taken += n,
                Err(Errno::INTR) => {}
                // Another owner of the pipe made it non-blocking.
                Err(Errno::AGAIN) => wait_for_room()?,
                Err(error) => return Err(named("standard output", &error.into())),
            }
        }
        Ok(())
    }

    fn taken(&self) -> usize {
        self.taken
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn abort(&mut self) {}

    fn keeps_partial(&self) -> bool {
        true
    }
}

fn wait_for_room() -> io::Result<()> {
    match poll(&mut [PollFd::new(&stdout(), PollFlags::OUT)], None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
