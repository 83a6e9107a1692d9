//! Finds the records because of which batches are rejected.

use std::{mem, time::Instant};

use rdkafka::{
    Message as _,
    message::OwnedMessage,
    producer::{BaseRecord, Producer as _},
};

use super::{
    KafkaSink, PATIENCE, ROOM,
    delivery_reports::{is_topics, unpacked},
};
use crate::{kafka::about, pipeline::records::Ticket};

impl KafkaSink {
    /// Finds the records because of which batches were rejected: rejected records are sent again in
    /// halves, each with nothing else in flight, and finally alone.
    pub(super) fn isolate(&mut self, timestamps: &dyn Fn(Ticket) -> Option<i64>) {
        if self.delivery_reports.pending().again.is_empty() || !self.settled() {
            return;
        }
        let mut groups = vec![mem::take(&mut self.delivery_reports.pending().again)];
        while let Some(group) = groups.pop() {
            let alone = group.len() == 1;
            self.delivery_reports.pending().alone = alone;
            for (opaque, message) in &group {
                self.resend(*opaque, message, timestamps(unpacked(*opaque)));
            }
            let settled = self.settled();
            let mut pending = self.delivery_reports.pending();
            pending.alone = false;
            if !settled {
                // They are never reported, so nothing after them is acknowledged.
                return;
            }
            let mut refused = mem::take(&mut pending.again);
            drop(pending);
            if !refused.is_empty() {
                let second = refused.split_off(refused.len().div_ceil(2));
                groups.push(second);
                groups.push(refused);
            }
            groups.retain(|group| !group.is_empty());
        }
    }

    fn resend(&self, opaque: usize, message: &OwnedMessage, timestamp: Option<i64>) {
        let mut sent = BaseRecord::<[u8], [u8], usize>::with_opaque_to(message.topic(), opaque)
            .partition(message.partition());
        sent.key = message.key();
        sent.payload = message.payload();
        // librdkafka does not return the timestamp of a failed record.
        sent.timestamp = timestamp;
        sent.headers = message.headers().cloned();
        // There is space: nothing else is in flight, and all of them fit before.
        if let Err((error, _)) = self.producer.send(sent) {
            let mut pending = self.delivery_reports.pending();
            if is_topics(&error) {
                return pending.unsent.push((unpacked(opaque), about(message.topic(), &error)));
            }
            pending.failed.get_or_insert_with(|| about(message.topic(), &error));
        }
    }

    /// Waits until nothing is in flight. Returns `false` if the sink failed, or the wait was given
    /// up.
    pub(super) fn settled(&self) -> bool {
        let mut moved = (self.producer.in_flight_count(), Instant::now());
        loop {
            self.attend();
            let left = self.producer.in_flight_count();
            if left != moved.0 {
                moved = (left, Instant::now());
            }
            let stuck = self.settings.shutdown.abandons(moved.1, PATIENCE);
            let pending = self.delivery_reports.pending();
            if pending.failed.is_some() || stuck {
                return false;
            }
            if left == 0 {
                return true;
            }
            self.delivery_reports.wait(pending, ROOM);
        }
    }
}
