//! Another producer in the place of one, where certificates or keys changed: librdkafka does not change
//! them of a client that is there.

use std::{
    io,
    time::{Duration, Instant},
};

use rdkafka::producer::Producer as _;

use super::{KafkaSink, ROOM, heard::Heard, producer};
use crate::{
    kafka::{Client, MadeWith},
    shutdown::Phase,
};

/// So long a producer may take to deliver what it has. What it has not by then is read, and sent, again:
/// brokers may refuse the certificate of before.
const PATIENCE: Duration = Duration::from_secs(10);

impl KafkaSink {
    /// A producer with the certificates and keys of now; `None`: they do not hold.
    pub(super) fn next_producer(&mut self) -> Option<Heard> {
        let voice = &self.settings.cluster.voice;
        self.made_with.renew(voice, Client::Sink, || producer(&self.settings, &self.desk))
    }

    /// Has another producer, once this one has delivered what it has: the order stays. One of transactions
    /// is for [`Transactions::begin`](crate::pipeline::records::Transactions::begin) to make.
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
        if !self.made_with.is_outdated() {
            return Ok(());
        }
        let Some(next) = self.next_producer() else { return Ok(()) };
        let (begun, shutdown) = (Instant::now(), self.settings.shutdown.clone());
        self.settle_in(next, &|| shutdown.abandons(begun, super::PATIENCE))
    }
}

/// Whether whoever waits since then for the producer waits for one that nobody trusts any more, it may be:
/// there are other certificates than it was made with. Then another one is better.
pub(super) fn is_hopeless(made_with: &MadeWith, since: Instant) -> bool {
    made_with.is_outdated() && since.elapsed() >= PATIENCE
}
