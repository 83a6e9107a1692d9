//! Finds records whose own fault it is that their batches were refused.

use std::{mem, time::Instant};

use rdkafka::{
    Message as _,
    message::OwnedMessage,
    producer::{BaseRecord, Producer as _},
};

use super::{
    KafkaSink, PATIENCE, ROOM,
    desk::{is_topics, unpacked},
};
use crate::{kafka::about, pipeline::records::Ticket};

impl KafkaSink {
    /// Finds the records whose own fault it is that their batches were refused: what was refused is
    /// sent again by halves, each with nothing else on its way, and in the end alone.
    pub(super) fn isolate(&mut self, timestamps: &dyn Fn(Ticket) -> Option<i64>) {
        if self.desk.tray().again.is_empty() || !self.settled() {
            return;
        }
        let mut groups = vec![mem::take(&mut self.desk.tray().again)];
        while let Some(group) = groups.pop() {
            let alone = group.len() == 1;
            self.desk.tray().alone = alone;
            for (opaque, message) in &group {
                self.resend(*opaque, message, timestamps(unpacked(*opaque)));
            }
            let settled = self.settled();
            let mut tray = self.desk.tray();
            tray.alone = false;
            if !settled {
                // They stay untold, and so what comes behind them is not acknowledged.
                return;
            }
            let mut refused = mem::take(&mut tray.again);
            drop(tray);
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
        // librdkafka does not tell it of what failed.
        sent.timestamp = timestamp;
        sent.headers = message.headers().cloned();
        // There is room: nothing else is on its way, and all of them were in it before.
        if let Err((error, _)) = self.producer.send(sent) {
            let mut tray = self.desk.tray();
            if is_topics(&error) {
                return tray.unsent.push((unpacked(opaque), about(message.topic(), &error)));
            }
            tray.failed.get_or_insert_with(|| about(message.topic(), &error));
        }
    }

    /// Waits until nothing is on its way; `false`: the sink failed, or nobody waits any more.
    pub(super) fn settled(&self) -> bool {
        let mut moved = (self.producer.in_flight_count(), Instant::now());
        loop {
            self.attend();
            let left = self.producer.in_flight_count();
            if left != moved.0 {
                moved = (left, Instant::now());
            }
            let stuck = self.settings.shutdown.abandons(moved.1, PATIENCE);
            let tray = self.desk.tray();
            if tray.failed.is_some() || stuck {
                return false;
            }
            if left == 0 {
                return true;
            }
            self.desk.wait(tray, ROOM);
        }
    }
}
