//! `tamis kafka`

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Subcommand, ValueHint};

use crate::config::units::address;

/// `tamis kafka`
#[derive(Debug, Args)]
pub struct KafkaArgs {
    /// What to do
    #[command(subcommand)]
    pub command: KafkaCommand,
}

/// `tamis kafka …`
#[derive(Debug, Subcommand)]
pub enum KafkaCommand {
    /// Stop a run from reading a topic, or one partition of it
    ///
    /// Records that were already read are delivered. The pause lasts until `resume`, or until the
    /// run ends or loses the partition. It affects only this member of the consumer group.
    Pause {
        /// The topic, or one partition of it: `logs.app:3`
        #[arg(value_name = "TOPIC[:PARTITION]")]
        target: String,
        /// The run
        #[command(flatten)]
        run: RunAt,
    },
    /// Let a run read a paused topic or partition again
    Resume {
        /// The topic, or one partition of it: `logs.app:3`
        #[arg(value_name = "TOPIC[:PARTITION]")]
        target: String,
        /// The run
        #[command(flatten)]
        run: RunAt,
    },
    /// Make a run skip one record that is not delivered yet
    ///
    /// The record is not forwarded. The dead letter has its position, with the reason `skipped`. If
    /// the sink was already sending the record, it may arrive as well.
    Skip {
        /// The record: `logs.app:3@1234`
        #[arg(value_name = "TOPIC:PARTITION@OFFSET")]
        target: String,
        /// The run
        #[command(flatten)]
        run: RunAt,
    },
    /// Remove a member from its group, if it will not come back under its `instance`
    ///
    /// The effect is that of `kafka-consumer-groups.sh --remove-members`: the other members get its
    /// partitions at once, and not only after its session has timed out. The command joins the
    /// group in the member's place and leaves. If the member still runs, the brokers fence it, and
    /// it ends with exit code 3. The exit code of this command is 1 if the group has no such
    /// member.
    Leave {
        /// The configuration file of the member: it has the cluster and the group
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        config: Option<PathBuf>,
        /// The `instance` of the member [default: the one in the configuration]
        #[arg(long, value_name = "NAME")]
        instance: Option<String>,
    },
}

/// The run that the command is for.
#[derive(Debug, Args)]
pub struct RunAt {
    /// The address of the run's admin server: a local port, or an address and a port
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub admin: SocketAddr,

    /// The file with the bearer token of the admin server
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub admin_token_file: Option<PathBuf>,
}
