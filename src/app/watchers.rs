//! The settings of the admin server and the metrics file.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{cli::admin::AdminArgs, config::names::Names};

/// The resolved settings.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    pub(crate) listen: Option<SocketAddr>,
    /// Host names that the server accepts, in addition to `localhost` and IP addresses.
    pub(crate) hosts: Vec<String>,
    token_file: Option<PathBuf>,
    pub(crate) textfile: Option<PathBuf>,
}

impl Watchers {
    pub(crate) fn of(args: AdminArgs) -> Self {
        let (listen, token_file) = (args.admin, args.admin_token_file);
        let (hosts, textfile) = (args.admin_hosts, args.metrics_textfile);
        Self { listen, hosts, token_file, textfile }
    }

    /// Returns the bearer token, if one is required.
    pub(crate) fn token(&self, names: &Names) -> Result<Option<String>> {
        let path = self.token_file.as_ref();
        path.map(|path| token_in(&names.at("--admin-token-file"), path)).transpose()
    }
}

/// Reads the bearer token from the file of the option `name`.
pub(crate) fn token_in(name: &str, path: &Path) -> Result<String> {
    let what = || format!("{name} {}", path.display());
    match fs::read_to_string(path).with_context(what)?.trim() {
        "" => bail!("{}: the file is empty", what()),
        token => Ok(token.to_owned()),
    }
}
