//! `tamis kafka`

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Subcommand, ValueHint};

use crate::config::units::address;

/// `tamis kafka`
#[derive(Debug, Args)]
pub struct KafkaArgs {
    /// What it is to do
    #[command(subcommand)]
    pub command: KafkaCommand,
}

/// `tamis kafka …`
#[derive(Debug, Subcommand)]
pub enum KafkaCommand {
    /// Have a run read no more of a topic, or of one partition
    ///
    /// What was read of it is delivered. It is remembered while the run lives, and holds for its
    /// member of the group alone.
    Pause {
        /// The topic, and, after a colon, the number of a partition
        #[arg(value_name = "TOPIC[:PARTITION]")]
        target: String,
        /// The run
        #[command(flatten)]
        run: RunAt,
    },
    /// Have a run read again what was paused
    Resume {
        /// The topic, and, after a colon, the number of a partition
        #[arg(value_name = "TOPIC[:PARTITION]")]
        target: String,
        /// The run
        #[command(flatten)]
        run: RunAt,
    },
    /// Have a run skip one record, which is not delivered yet
    ///
    /// It is not forwarded; the dead letter says where it stood, with the reason `skipped`. If it was on
    /// its way already, it may arrive as well.
    Skip {
        /// The record
        #[arg(value_name = "TOPIC:PARTITION@OFFSET")]
        target: String,
        /// The run
        #[command(flatten)]
        run: RunAt,
    },
    /// Take a member out of its group that does not come back under its `instance`
    ///
    /// As `kafka-consumer-groups.sh --remove-members` does: the others have its partitions at once, not
    /// when its session is over. It joins in the member's place and leaves; one that still runs
    /// ends, fenced, with exit code 3. Exit code 1: the group has no such member.
    Leave {
        /// The configuration of the member, which says how the cluster is reached, and the group
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        config: Option<PathBuf>,
        /// The member, where the configuration has another one
        #[arg(long, value_name = "NAME")]
        instance: Option<String>,
    },
}

/// Which run is meant.
#[derive(Debug, Args)]
pub struct RunAt {
    /// Where the run's admin server listens: a port of this machine, or an address and a port
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub admin: SocketAddr,

    /// Where its bearer token is
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub admin_token_file: Option<PathBuf>,
}
