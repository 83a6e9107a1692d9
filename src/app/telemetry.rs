//! What a run reports about itself while it runs: metrics, and whether it is ready.

mod dependencies;
mod families;
pub(crate) mod process;
mod routes;

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};

use dependencies::Dependencies;
pub(crate) use dependencies::PROBE;

use anyhow::Result;
use sha2::{Digest as _, Sha256};

use super::{
    config,
    reload::{Counts, Live},
    resolved::Run,
    room::Room,
    version,
};
use crate::{
    cli::RunArgs,
    journal::Value,
    kafka::{MemberStatus, OrderError},
    metrics::{Format, Meters, render},
    pipeline::{Reason, Report, RouteTotals, Tally, Violations},
    serve::{Order, Status},
    shutdown::{Phase, Shutdown},
    sinks::write_whole,
};

/// The observable state of a run.
pub(crate) struct Telemetry {
    pub(crate) meters: Arc<Meters>,
    /// The status of a member of a consumer group; unused without topics.
    pub(crate) member_status: Arc<MemberStatus>,
    is_member: bool,
    live: Arc<Live>,
    counts: Arc<Counts>,
    shutdown: Shutdown,
    dependencies: Dependencies,
    /// Returns whether rejects for a reason are kept as dead letters.
    keeps: Box<dyn Fn(Reason) -> bool + Send + Sync>,
    threads: usize,
    room: Room,
    /// The effective configuration as TOML, with secrets masked.
    config: Mutex<String>,
    /// The command line.
    typed: RunArgs,
    /// Whether the admin server can be asked for the configuration.
    is_asked: bool,
    started: SystemTime,
    /// How many reports could not be written.
    failed_reports: AtomicU64,
    seen: Mutex<Snapshot>,
}

/// The counts at one point in time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    tally: Tally,
    violations: Violations,
    routes: RouteTotals,
    in_flight: u64,
    returned: u64,
    bytes_in: u64,
    failed_inputs: u64,
    truncated_inputs: u64,
    checkpoint_failures: u64,
}

impl Telemetry {
    /// Creates the telemetry of a run. `typed` is the command line.
    pub(crate) fn of(
        run: &Run,
        room: &Room,
        live: &Arc<Live>,
        counts: &Arc<Counts>,
        shutdown: &Shutdown,
        keeps: impl Fn(Reason) -> bool + Send + Sync + 'static,
        typed: RunArgs,
    ) -> Result<Arc<Self>> {
        // Only the admin server shows the configuration.
        let is_asked = run.watchers.listen.is_some();
        let config = match is_asked {
            true => config::command::show(typed.clone())?,
            false => String::new(),
        };
        Ok(Arc::new(Self {
            meters: Arc::default(),
            member_status: Arc::default(),
            is_member: run.topics.is_some(),
            live: live.clone(),
            counts: counts.clone(),
            shutdown: shutdown.clone(),
            dependencies: Dependencies::of(run),
            keeps: Box::new(keeps),
            threads: run.threads,
            room: room.clone(),
            config: Mutex::new(config),
            typed,
            is_asked,
            started: SystemTime::now(),
            failed_reports: AtomicU64::new(0),
            seen: Mutex::default(),
        }))
    }

    /// Returns whether the run reads topics.
    pub(crate) fn is_member(&self) -> bool {
        self.is_member
    }

    /// Stores the current counts.
    pub(crate) fn see(&self, report: &Report) {
        let mut seen = self.seen();
        *seen = Snapshot {
            tally: report.tally.clone(),
            violations: report.violations.clone(),
            routes: report.routes.clone(),
            in_flight: report.unwritten,
            returned: report.returned,
            bytes_in: report.bytes_in,
            failed_inputs: report.failed_inputs,
            truncated_inputs: report.truncated_inputs,
            checkpoint_failures: seen.checkpoint_failures,
        };
    }

    /// Stores the configuration after a reload.
    pub(crate) fn reloaded(&self) {
        // If the file has been damaged meanwhile, it is not in effect, and the stored one is kept.
        if self.is_asked
            && let Ok(config) = config::command::show(self.typed.clone())
        {
            *self.config.lock().unwrap_or_else(PoisonError::into_inner) = config;
        }
    }

    /// Returns the digest of the effective configuration, or null if the file has been damaged
    /// meanwhile.
    pub(crate) fn config_digest(&self) -> Value {
        let digest = |text: String| hex(&Sha256::digest(text));
        config::command::show(self.typed.clone()).map_or(Value::Null, |text| digest(text).into())
    }

    /// Counts a checkpoint that could not be written.
    pub(crate) fn checkpoint_failed(&self) {
        self.seen().checkpoint_failures += 1;
    }

    /// Counts a report that could not be written.
    pub(crate) fn report_failed(&self) {
        self.failed_reports.fetch_add(1, Relaxed);
    }

    /// Returns how many reports could not be written.
    pub(crate) fn failed_reports(&self) -> u64 {
        self.failed_reports.load(Relaxed)
    }

    /// Writes the metrics to a file, completely or not at all.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        write_whole(path, &self.metrics(Format::Prometheus))
    }

    fn seen(&self) -> MutexGuard<'_, Snapshot> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Status for Telemetry {
    fn ready(&self) -> Result<(), String> {
        match self.shutdown.phase() {
            Phase::Running if self.is_member => self.member_status.ready(),
            Phase::Running => Ok(()),
            Phase::Draining { .. } => Err("draining: Tamis was asked to end".into()),
            Phase::Stopped { .. } | Phase::GivenUp => Err("stopped".into()),
        }
    }

    fn dependencies(&self) -> Vec<(String, Result<(), String>)> {
        self.dependencies.reach()
    }

    fn metrics(&self, format: Format) -> String {
        render(&self.families(), format)
    }

    fn version(&self) -> String {
        version::json()
    }

    fn config(&self) -> String {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn order(&self, verb: &str, target: &str) -> Order {
        if !self.is_member {
            return Order::Refused("this run reads no topics".into());
        }
        match self.member_status.order(verb, target) {
            Ok(said) => Order::Done(said),
            Err(OrderError::Malformed(why)) => Order::Malformed(why),
            Err(OrderError::Refused(why)) => Order::Refused(why),
        }
    }
}
