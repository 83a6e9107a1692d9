//! The options for monitoring a run.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, ValueHint};

use crate::config::units::address;

/// How a run is monitored.
#[derive(Debug, Clone, Default, Args)]
pub struct AdminArgs {
    /// Serve health probes and metrics at ADDR: a local port, or an address and a port
    ///
    /// A port alone is a port of 127.0.0.1. /health answers while the process lives. /ready answers
    /// 503 while the run cannot take events. /ready/deps checks the outputs, the folders and the
    /// Kafka cluster by reaching each of them. /metrics is in the format of Prometheus or
    /// OpenMetrics. /version is the version. /config is the configuration, with secrets masked.
    #[arg(long, value_name = "ADDR", value_parser = address, hide_short_help = true)]
    pub admin: Option<SocketAddr>,

    /// Require the content of FILE as a bearer token, except for /health and /ready
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true,
          requires = "admin")]
    pub admin_token_file: Option<PathBuf>,

    /// Host names that the server accepts. Only the configuration file sets them.
    #[arg(skip)]
    pub admin_hosts: Vec<String>,

    /// Write the metrics of /metrics to FILE, every 15 seconds and at the end
    ///
    /// FILE is for the textfile collector of the Prometheus node exporter. It is replaced in one
    /// step, so a reader never sees half of it.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub metrics_textfile: Option<PathBuf>,
}
