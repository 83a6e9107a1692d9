//! Replaces the producer when certificates or keys changed, because librdkafka cannot change them
//! in an existing client.

use std::{
    io,
    time::{Duration, Instant},
};

use rdkafka::producer::Producer as _;

use super::{KafkaSink, ROOM, polled_producer::PolledProducer, producer};
use crate::{
    kafka::{Client, MadeWith},
    shutdown::Phase,
};

/// How long the old producer may take to deliver its records. The rest is read and sent again,
/// because brokers may refuse the old certificate.
const PATIENCE: Duration = Duration::from_secs(10);

impl KafkaSink {
    /// Creates a producer with the current certificates and keys. Returns `None` if they are
    /// invalid.
    pub(super) fn next_producer(&mut self) -> Option<PolledProducer> {
        let reporter = &self.settings.cluster.reporter;
        self.made_with
            .renew(reporter, Client::Sink, || producer(&self.settings, &self.delivery_reports))
    }

    /// Replaces the producer after it has delivered its records, so that the order is kept. With
    /// transactions, [`Transactions::begin`](crate::pipeline::records::Transactions::begin) does
    /// this.
    pub(super) fn take_certificates(&mut self) {
        if self.transacting.is_some() || !self.made_with.is_outdated() {
            return;
        }
        let Some(next) = self.next_producer() else { return };
        let begun = Instant::now();
        while self.producer.in_flight_count() > 0
            && begun.elapsed() < PATIENCE
            && self.settings.shutdown.phase() != Phase::GivenUp
        {
            self.attend();
            let pending = self.delivery_reports.pending();
            self.delivery_reports.wait(pending, ROOM);
        }
        // The records that are still in the old producer are given up and reported.
        self.producer = next;
    }

    /// Replaces the producer between two transactions.
    ///
    /// # Errors
    /// The cluster does not allow it, or the wait was given up.
    pub(super) fn take_certificates_between(&mut self) -> io::Result<()> {
        if !self.made_with.is_outdated() {
            return Ok(());
        }
        let Some(next) = self.next_producer() else { return Ok(()) };
        let (begun, shutdown) = (Instant::now(), self.settings.shutdown.clone());
        self.settle_in(next, &|| shutdown.abandons(begun, super::PATIENCE))
    }
}

/// Returns whether waiting for a producer since then is probably useless, because its certificates
/// are outdated and brokers may no longer trust them.
pub(super) fn is_hopeless(made_with: &MadeWith, since: Instant) -> bool {
    made_with.is_outdated() && since.elapsed() >= PATIENCE
}
