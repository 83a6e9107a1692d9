//! The options of a run that is watched.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, ValueHint};

use crate::config::units::address;

/// How a run is watched.
#[derive(Debug, Clone, Default, Args)]
pub struct AdminArgs {
    /// Answer probes and scrapers at ADDR: a port of this machine, or an address and a port
    ///
    /// /health: the process; /ready: it takes events, else 503; /ready/deps: outputs, folders and the
    /// Kafka cluster, really reached; /metrics: Prometheus or OpenMetrics; /version; /config, secrets masked. A port
    /// alone is one of 127.0.0.1.
    #[arg(long, value_name = "ADDR", value_parser = address, hide_short_help = true)]
    pub admin: Option<SocketAddr>,

    /// Want the text in FILE as a bearer token, but for /health and /ready
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true,
          requires = "admin")]
    pub admin_token_file: Option<PathBuf>,

    /// Names by which the server may be called, from the configuration alone.
    #[arg(skip)]
    pub admin_hosts: Vec<String>,

    /// Write the measures of /metrics to FILE, four times a minute and at the end
    ///
    /// In one step, for the textfile collector of the Prometheus node exporter.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub metrics_textfile: Option<PathBuf>,
}
