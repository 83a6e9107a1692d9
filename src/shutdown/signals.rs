//! Signals: as shutdown requests, or for a handler.

use std::{io, thread};

use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

use super::{Shutdown, Signal};

/// A received signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// SIGINT
    Interrupt,
    /// SIGTERM
    Terminate,
    /// SIGHUP
    HangUp,
}

impl Received {
    /// Makes a request of `shutdown`, if the signal is one.
    pub fn ask(self, shutdown: &Shutdown) {
        match self {
            Self::Interrupt => shutdown.request_by(Signal::Interrupt),
            Self::Terminate => shutdown.request_by(Signal::Terminate),
            Self::HangUp => {}
        }
    }
}

/// Converts every SIGINT and SIGTERM from now on to a request.
///
/// The handlers are installed when this returns; a thread waits for signals.
pub fn listen(shutdown: Shutdown) -> io::Result<()> {
    run(false, move |received| received.ask(&shutdown))
}

/// Calls `handle` for every SIGINT, SIGTERM and SIGHUP from now on.
pub fn on_signal(handle: impl Fn(Received) + Send + 'static) -> io::Result<()> {
    run(true, handle)
}

/// Makes a write beyond the file size limit (`ulimit -f`) fail with an error, instead of killing
/// the process with SIGXFSZ. Child processes keep the default, because a handler, unlike `SIG_IGN`,
/// is not inherited.
pub fn outlive_size_limits() -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let _guard = runtime.enter();
    signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map(drop)
}

fn run(hang_up: bool, handle: impl Fn(Received) + Send + 'static) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate, mut hung_up) = {
        let _guard = runtime.enter();
        let hung_up = if hang_up { Some(signal(SignalKind::hangup())?) } else { None };
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, hung_up)
    };
    thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            let mut hung_up = async || match &mut hung_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            };
            loop {
                let (more, received) = tokio::select! {
                    more = interrupt.recv() => (more, Received::Interrupt),
                    more = terminate.recv() => (more, Received::Terminate),
                    more = hung_up() => (more, Received::HangUp),
                };
                match more {
                    Some(()) => handle(received),
                    None => return,
                }
            }
        });
    })?;
    Ok(())
}
