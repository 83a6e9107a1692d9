//! Who watches a run: the admin server, and the file of measures.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use super::{cause::cause, telemetry::Telemetry};
use crate::{
    cli::admin::AdminArgs,
    config::names::Names,
    journal::{Event, Say},
    serve::Server,
};

/// How often the file of measures is written.
const WRITE_EVERY: Duration = Duration::from_secs(15);

/// Who watches, resolved.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    pub(crate) listen: Option<SocketAddr>,
    token_file: Option<PathBuf>,
    textfile: Option<PathBuf>,
}

impl Watchers {
    pub(crate) fn of(args: AdminArgs) -> Self {
        let (listen, token_file) = (args.admin, args.admin_token_file);
        Self { listen, token_file, textfile: args.metrics_textfile }
    }

    /// The bearer token, if one is wanted.
    pub(crate) fn token(&self, names: &Names) -> Result<Option<String>> {
        let path = self.token_file.as_ref();
        path.map(|path| token_in(&names.at("--admin-token-file"), path)).transpose()
    }
}

/// The bearer token in a file, which somebody called `name`.
pub(crate) fn token_in(name: &str, path: &Path) -> Result<String> {
    let what = || format!("{name} {}", path.display());
    match fs::read_to_string(path).with_context(what)?.trim() {
        "" => bail!("{}: it is empty", what()),
        token => Ok(token.to_owned()),
    }
}

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
