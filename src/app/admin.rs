//! Who watches a run: the admin server, and the file of measures.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{cause::cause, telemetry::Telemetry, watchers::Watchers};
use crate::{
    journal::{Event, Say},
    serve::Server,
};

/// How often the file of measures is written.
const WRITE_EVERY: Duration = Duration::from_secs(15);

/// What runs for them; it ends when this is dropped.
pub(crate) struct Admin {
    _server: Option<Server>,
    _textfile: Option<Textfile>,
}

impl Admin {
    pub(crate) fn start(
        watchers: &Watchers,
        token: Option<String>,
        telemetry: &Arc<Telemetry>,
        say: &Say,
    ) -> Result<Self> {
        let server = watchers.listen.map(|address| {
            let server = Server::start(address, token.clone(), telemetry.clone());
            let server = server.with_context(|| format!("--admin {address}"))?;
            {
                let at = format!("--admin: at {}", server.address());
                say(Event::AdminListens, &at);
            }
            anyhow::Ok(server)
        });
        let textfile = watchers.textfile.clone().map(|path| {
            telemetry
                .write(&path)
                .with_context(|| format!("--metrics-textfile {}", path.display()))?;
            Textfile::start(path, telemetry.clone(), say.clone())
        });
        Ok(Self { _server: server.transpose()?, _textfile: textfile.transpose()? })
    }
}

/// Writes the file again and again, and once more at the end.
struct Textfile {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Textfile {
    fn start(path: PathBuf, telemetry: Arc<Telemetry>, say: Say) -> Result<Self> {
        let (end, ends) = channel::<()>();
        let work = move || {
            let mut failed = false;
            loop {
                let last = ends.recv_timeout(WRITE_EVERY) == Err(RecvTimeoutError::Disconnected);
                match telemetry.write(&path) {
                    Ok(()) => failed = false,
                    // Told once, until it works again.
                    Err(error) if !failed => {
                        failed = true;
                        let what =
                            format!("--metrics-textfile {}: {}", path.display(), cause(&error));
                        say(Event::MetricsFailed, &what);
                    }
                    Err(_) => {}
                }
                if last {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("metrics".into()).spawn(work)?;
        Ok(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Textfile {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
