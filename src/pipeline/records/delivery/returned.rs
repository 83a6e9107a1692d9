//! What is given back unsettled: records that are read again, here or elsewhere, and counted then.

use std::io;

use super::{Outbox, outbox::Sent};
use crate::{
    engine::Tally,
    pipeline::records::{
        block::Block,
        judged::{Fate, How, Judged},
    },
};

impl Outbox {
    /// Which of a block's places are still this reader's; the last flight is that block's.
    pub(super) fn held(&self, block: &Block) -> Vec<bool> {
        block.places().iter().map(|place| self.desk.offsets.holds(place.id)).collect()
    }

    /// A record of the last flight is not sent.
    pub(super) fn pass_over(&mut self, judged: &Judged, at: usize) {
        let Some(flight) = self.flying.back_mut() else { return };
        let sent = &mut flight.sent[at];
        match &judged.verdicts[at].fate {
            Fate::Blank => {}
            Fate::Forwarded(how, _) => sent.how = Some(*how),
            Fate::Rejected(reject) => sent.reason = Some(judged.output.rejects[*reject].reason),
        }
        self.give_back(self.flying.len() - 1, at);
    }

    /// The topic that a record was for has a fault: the source reads it again.
    pub(super) fn unsent(&mut self, flight: usize, at: usize, why: &io::Error) {
        let flown = &self.flying[flight];
        self.desk.offsets.unsent(flown.places[flown.sent[at].place].id, why);
        self.topic_broke = true;
        self.give_back(flight, at);
    }

    fn give_back(&mut self, flight: usize, at: usize) {
        let flown = &mut self.flying[flight];
        uncount(&mut flown.tally, &mut flown.sent[at]);
        self.desk.ledger.give_back(1);
    }
}

/// Takes a record out of its batch's account. What was found in it stays counted as found.
fn uncount(tally: &mut Tally, sent: &mut Sent) {
    let count = match (sent.how.take(), sent.reason.take()) {
        (Some(How::Clean), _) => &mut tally.clean,
        (Some(How::Redacted), _) => &mut tally.redacted,
        (Some(How::Wrapped), _) => &mut tally.wrapped,
        (Some(How::Tombstone), _) => &mut tally.tombstones,
        (None, Some(reason)) => &mut tally.rejected[reason.index()],
        (None, None) => &mut tally.blank,
    };
    *count -= 1;
    tally.read -= 1;
}
