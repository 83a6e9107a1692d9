//! Instances that share a topic's partitions, at work on what is there for all of them.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::{
    cluster::{Client, Cluster, Delivery, PARTITIONS, Tamis, ask},
    process::Outcome,
};

/// How long a group has to share its partitions out.
const SHARED_WITHIN: Duration = Duration::from_secs(60);

/// CPU seconds of so many instances, all together, from the first record to the last. They have shared the
/// partitions out before, and sleep while records are written: what a member reads ahead of partitions that
/// it then hands over, it reads for nothing, and how much that is, chance decides.
pub(crate) fn instances(
    cluster: &Cluster,
    number: usize,
    count: u64,
    values: impl Iterator<Item = Vec<u8>>,
) -> Outcome<f64> {
    let source = cluster.topic(PARTITIONS)?;
    let mut tamis = Tamis::start(cluster, (&source, PARTITIONS), Delivery::AtLeastOnce, number)?;
    let begun = Instant::now();
    while !is_shared(&tamis) {
        if begun.elapsed() > SHARED_WITHIN {
            return Err("the group does not share its partitions out".into());
        }
        sleep(Duration::from_millis(100));
    }
    tamis.clients.iter().try_for_each(|client| client.signal(Signal::SIGSTOP))?;
    cluster.fill(&source, PARTITIONS, values, None)?;
    let before = cpu(&tamis)?;
    tamis.clients.iter().try_for_each(|client| client.signal(Signal::SIGCONT))?;
    tamis.until_committed(count, PARTITIONS)?;
    let after = cpu(&tamis)?;
    // Who slept too long was taken for dead.
    if !is_shared(&tamis) {
        return Err("the group shared its partitions out anew meanwhile".into());
    }
    Ok(after - before)
}

fn cpu(tamis: &Tamis<'_>) -> Outcome<f64> {
    tamis.clients.iter().map(Client::cpu).sum()
}

/// Whether each instance has its part.
fn is_shared(tamis: &Tamis<'_>) -> bool {
    let part = PARTITIONS as usize / tamis.clients.len();
    let wanted = format!("\ntamis_kafka_assigned_partitions {part}\n");
    tamis.admins.iter().all(|port| ask(*port, "/metrics").is_ok_and(|text| text.contains(&wanted)))
}
