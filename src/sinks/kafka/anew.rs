//! Another producer in the place of one, where certificates or keys changed: librdkafka does not change
//! them of a client that is there.

use std::{
    io,
    time::{Duration, Instant},
};

use rdkafka::producer::Producer as _;

use super::{KafkaSink, ROOM, Settings, heard::Heard, producer};
use crate::{journal::Event, shutdown::Phase};

/// So long a producer may take to deliver what it has. What it has not by then is read, and sent, again:
/// brokers may refuse the certificate of before.
const PATIENCE: Duration = Duration::from_secs(10);

impl KafkaSink {
    /// Whether there are other certificates or keys than the producer was made with.
    pub(super) fn is_outdated(&self) -> bool {
        self.settings.cluster.tls.changes() != self.tls_changes
    }

    /// A producer with the certificates and keys of now; `None`: they do not hold, which was said.
    pub(super) fn next_producer(&mut self) -> Option<Heard> {
        self.tls_changes = self.settings.cluster.tls.changes();
        let voice = &self.settings.cluster.voice;
        match producer(&self.settings, &self.desk) {
            Ok(next) => {
                let what =
                    "there are other certificates or keys now: the sink has a producer with them";
                voice.tell(Event::CertificatesTaken, what);
                Some(next)
            }
            // Those of before may hold for a while.
            Err(error) => {
                let what = "there are other certificates or keys now, which do not hold";
                let what = format!("{what}: {error}; the sink keeps those of before");
                voice.tell(Event::CertificatesRefused, &what);
                None
            }
        }
    }

    /// Has another producer, once this one has delivered what it has: the order stays. One of transactions
    /// is for [`Transactions::begin`](crate::pipeline::records::Transactions::begin) to make.
    pub(super) fn take_certificates(&mut self) {
        if self.transacting.is_some() || !self.is_outdated() {
            return;
        }
        let Some(next) = self.next_producer() else { return };
        let begun = Instant::now();
        while self.producer.in_flight_count() > 0
            && begun.elapsed() < PATIENCE
            && self.settings.shutdown.phase() != Phase::GivenUp
        {
            self.attend();
            let tray = self.desk.tray();
            self.desk.wait(tray, ROOM);
        }
        // What is still in it is given up with it, and told.
        self.producer = next;
    }

    /// The same for transactions, between two of them.
    ///
    /// # Errors
    /// The cluster does not allow it, or nobody waits any more.
    pub(super) fn take_certificates_between(&mut self) -> io::Result<()> {
        if !self.is_outdated() {
            return Ok(());
        }
        let Some(next) = self.next_producer() else { return Ok(()) };
        let (begun, shutdown) = (Instant::now(), self.settings.shutdown.clone());
        self.settle_in(next, &|| shutdown.abandons(begun, super::PATIENCE))
    }
}

/// Whether whoever waits since then for the producer waits for one that nobody trusts any more, it may be:
/// there are other certificates than it was made with. Then another one is better.
pub(super) fn is_hopeless(settings: &Settings, tls_changes: u64, since: Instant) -> bool {
    settings.cluster.tls.changes() != tls_changes && since.elapsed() >= PATIENCE
}
