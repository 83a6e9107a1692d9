//! Reads from a descriptor with a timeout, which a shutdown interrupts.

use std::{io, os::fd::AsFd, time::Duration};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use crate::{pipeline::Read, shutdown::Wake};

/// Waits at most `wait` until `input` is readable, then reads once.
pub(super) fn read_when_ready(
    input: impl AsFd,
    wake: &Wake,
    buf: &mut [u8],
    wait: Option<Duration>,
) -> io::Result<Read> {
    let mut polled =
        [PollFd::new(&input, PollFlags::IN), PollFd::from_borrowed_fd(wake.as_fd(), PollFlags::IN)];
    match poll(&mut polled, wait.map(timespec).as_ref()) {
        Ok(0) | Err(Errno::INTR) => return Ok(Read::Idle),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    let [ready, woken] = polled.map(|fd| !fd.revents().is_empty());
    if woken {
        wake.clear();
    }
    if ready { read_now(input, buf) } else { Ok(Read::Idle) }
}

/// Reads once, and blocks if the descriptor does.
pub(super) fn read_now(input: impl AsFd, buf: &mut [u8]) -> io::Result<Read> {
    match rustix::io::read(input, buf) {
        Ok(0) => Ok(Read::End),
        Ok(n) => Ok(Read::Bytes(n)),
        // Another owner made the descriptor non-blocking, or a signal arrived: try again.
        Err(Errno::AGAIN | Errno::INTR) => Ok(Read::Idle),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn timespec(wait: Duration) -> Timespec {
    Timespec {
        tv_sec: wait.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: wait.subsec_nanos().into(),
    }
}
