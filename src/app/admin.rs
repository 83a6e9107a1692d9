//! The ways to monitor a run: the admin server, and the metrics file.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{
    cause::cause,
    reports::{Target, in_time},
    telemetry::Telemetry,
    visible,
    watchers::Watchers,
};
use crate::{
    journal::{Event, Say},
    serve::{Access, Server},
};

/// How often the metrics file is written.
const WRITE_EVERY: Duration = Duration::from_secs(15);

/// The running admin server and metrics writer, which stop when this is dropped.
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
            let open = token.is_none() && !address.ip().is_loopback();
            let access = Access { token, hosts: watchers.hosts.clone() };
            let server = Server::start(address, access, telemetry.clone());
            let server = server.with_context(|| format!("--admin {address}"))?;
            let at = server.address();
            say(Event::AdminListens, &format!("--admin: listening at {at}"));
            if open {
                let what = "every machine that can reach it can read the configuration and the \
                            metrics: set --admin-token-file, or listen at 127.0.0.1";
                say(Event::AdminOpen, &format!("--admin: {at} requires no token, so {what}"));
            }
            anyhow::Ok(server)
        });
        let textfile = watchers.textfile.clone();
        let textfile = textfile.map(|path| Textfile::start(path, telemetry.clone(), say.clone()));
        Ok(Self { _server: server.transpose()?, _textfile: textfile.transpose()? })
    }
}

/// Writes the metrics file at once, then periodically, and once more at the end.
struct Textfile {
    end: Option<Sender<()>>,
    /// Receives the result of the last write.
    done: Receiver<io::Result<()>>,
    path: PathBuf,
    target: Arc<Target>,
    telemetry: Arc<Telemetry>,
    say: Say,
}

impl Textfile {
    fn start(path: PathBuf, telemetry: Arc<Telemetry>, say: Say) -> Result<Self> {
        let (end, ends) = channel::<()>();
        let (ended, done) = sync_channel(1);
        let target = Arc::new(Target::default());
        let looked = target.clone();
        let this = Self { end: Some(end), done, path, target, telemetry, say };
        let (path, telemetry, say) = (this.path.clone(), this.telemetry.clone(), this.say.clone());
        let work = move || {
            let (mut failed, mut last) = (false, false);
            looked.look(&path);
            loop {
                match telemetry.write(&path) {
                    Ok(()) => failed = false,
                    Err(error) => {
                        report_failure(&path, &error, &telemetry, (!failed).then_some(&say));
                        failed = true;
                    }
                }
                if last {
                    let _ = ended.send(Ok(()));
                    return;
                }
                last = ends.recv_timeout(WRITE_EVERY) == Err(RecvTimeoutError::Disconnected);
            }
        };
        thread::Builder::new().name("metrics".into()).spawn(work)?;
        Ok(this)
    }
}

impl Drop for Textfile {
    /// Waits for the last write, but not for a disk that hangs, because the run is over.
    fn drop(&mut self) {
        self.end = None;
        if let Err(error) = in_time(&self.done, &self.target) {
            report_failure(&self.path, &error, &self.telemetry, Some(&self.say));
        }
    }
}

/// Counts a failure. It is reported once, until a write succeeds again.
fn report_failure(path: &Path, error: &io::Error, telemetry: &Telemetry, say: Option<&Say>) {
    telemetry.report_failed();
    if let Some(say) = say {
        let what = format!("--metrics-textfile {}: {}", visible::name(path), cause(error));
        say(Event::MetricsFailed, &what);
    }
}
