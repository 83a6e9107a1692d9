//! Shutdown: the first request starts a drain, the second stops, the third gives up.
//!
//! This module does not know signals: [`signals`] converts them to requests, and tests make
//! requests of their own.

pub mod signals;

use std::{
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A signal that requests a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signal {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }
}

/// The phase of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// No request.
    Running,
    /// One request: read on to the end of input, for at most `left`.
    Draining {
        /// The time until the drain deadline.
        left: Duration,
    },
    /// Two requests: read nothing more, and write what was read.
    Stopped {
        /// Since when.
        since: Instant,
    },
    /// Three requests: do not even write.
    GivenUp,
}

/// A shared handle of the shutdown state.
#[derive(Debug, Clone)]
pub struct Shutdown(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    drain: Duration,
    state: Mutex<State>,
    wake: Wake,
}

#[derive(Debug, Default)]
struct State {
    requests: u32,
    /// The signal of the first request.
    signal: Option<Signal>,
    first: Option<Instant>,
    stopped: Option<Instant>,
}

impl Shutdown {
    /// Creates the state; a drain lasts at most `drain`.
    pub fn new(drain: Duration) -> io::Result<Self> {
        Ok(Self(Arc::new(Inner { drain, state: Mutex::default(), wake: Wake::new()? })))
    }

    /// Makes a request, as SIGTERM does.
    pub fn request(&self) {
        self.request_by(Signal::Terminate);
    }

    /// Makes a request, as this signal does.
    pub fn request_by(&self, signal: Signal) {
        let now = Instant::now();
        {
            let mut state = self.state();
            state.requests = state.requests.saturating_add(1);
            state.signal.get_or_insert(signal);
            if state.requests == 1 {
                state.first = Some(now);
            } else {
                state.stopped.get_or_insert(now);
            }
        }
        self.0.wake.wake();
    }

    /// Stops reading immediately, without a request, because the output is closed.
    pub fn stop(&self) {
        self.state().stopped.get_or_insert(Instant::now());
        self.0.wake.wake();
    }

    /// Returns the current phase.
    pub fn phase(&self) -> Phase {
        let state = self.state();
        if state.requests > 2 {
            return Phase::GivenUp;
        }
        if let Some(since) = state.stopped {
            return Phase::Stopped { since };
        }
        let Some(first) = state.first else { return Phase::Running };
        match self.0.drain.checked_sub(first.elapsed()) {
            Some(left) if !left.is_zero() => Phase::Draining { left },
            _ => Phase::Stopped { since: first + self.0.drain },
        }
    }

    /// Returns the signal of the first request, if there is one.
    pub fn signal(&self) -> Option<Signal> {
        self.state().signal
    }

    /// Returns whether to stop waiting for something that last made progress at that time: the run
    /// was given up, or it is stopped and nothing moved for `patience`.
    pub fn abandons(&self, moved: Instant, patience: Duration) -> bool {
        match self.phase() {
            Phase::GivenUp => true,
            Phase::Stopped { since } => moved.max(since).elapsed() >= patience,
            Phase::Running | Phase::Draining { .. } => false,
        }
    }

    /// Returns what a source polls in addition to its input.
    pub fn wake(&self) -> &Wake {
        &self.0.wake
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A descriptor that becomes readable when the phase changes.
#[derive(Debug)]
pub struct Wake {
    reader: UnixStream,
    writer: UnixStream,
}

impl Wake {
    fn new() -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(Self { reader, writer })
    }

    fn wake(&self) {
        // If the pipe is full, it is readable already.
        let _ = (&self.writer).write(&[0]);
    }

    /// Clears the wake-ups so far. Ask [`Shutdown::phase`] afterwards, never before.
    pub fn clear(&self) {
        let mut sink = [0; 16];
        while matches!((&self.reader).read(&mut sink), Ok(n) if n > 0) {}
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_requests_three_phases() {
        let shutdown = Shutdown::new(Duration::from_secs(60)).unwrap();
        assert_eq!(shutdown.phase(), Phase::Running);
        shutdown.request();
        assert!(matches!(shutdown.phase(), Phase::Draining { .. }));
        shutdown.request();
        assert!(matches!(shutdown.phase(), Phase::Stopped { .. }));
        shutdown.request_by(Signal::Interrupt);
        assert_eq!(shutdown.phase(), Phase::GivenUp);
        assert_eq!(shutdown.signal(), Some(Signal::Terminate), "the first one");
    }

    #[test]
    fn the_drain_ends_at_its_deadline() {
        let shutdown = Shutdown::new(Duration::ZERO).unwrap();
        shutdown.request();
        assert!(matches!(shutdown.phase(), Phase::Stopped { .. }));
    }
}
