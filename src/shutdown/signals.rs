//! SIGINT and SIGTERM as shutdown requests.

use std::{io, thread};

use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

use super::Shutdown;

/// Turns every SIGINT and SIGTERM from now on into a request.
///
/// The handlers are in place when this returns; a thread of its own waits for them.
pub fn listen(shutdown: Shutdown) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate) = {
        let _guard = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            loop {
                let more = tokio::select! {
                    more = interrupt.recv() => more,
                    more = terminate.recv() => more,
                };
                match more {
                    Some(()) => shutdown.request(),
                    None => return,
                }
            }
        });
    })?;
    Ok(())
}
