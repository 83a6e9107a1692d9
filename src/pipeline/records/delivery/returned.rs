//! Records that are given back: they are read again, here or elsewhere, and counted then.

use std::io;

use super::{
    Outbox,
    outbox::{Flight, find},
};
use crate::pipeline::{
    Reject, Tally,
    records::{
        block::Block,
        judged::{Counts, Fate, Judged},
        letter::Sent,
    },
};

impl Outbox {
    /// Returns which places of a block are still assigned to this reader.
    pub(super) fn held(&self, block: &Block) -> Vec<bool> {
        block.places().iter().map(|place| self.desk.offsets.holds(place.id)).collect()
    }

    /// A record of the last batch is not sent.
    pub(super) fn pass_over(&mut self, block: &Block, judged: &Judged, at: usize) {
        let Some(flight) = self.flying.back_mut() else { return };
        flight.sent[at].gone = true;
        let rejects = &judged.output.rejects;
        let most = block.records()[at].value.count().max(1) as u64;
        let (forwarded, rejects) = match &judged.verdicts[at].fate {
            Fate::Blank => (Counts::default(), &rejects[..0]),
            Fate::Stays(why) => {
                flight.tally.stay[why.index()] -= 1;
                flight.tally.read -= 1;
                return self.desk.ledger.give_back(1);
            }
            Fate::Forwarded(how, _) => (Counts::of(*how), &rejects[..0]),
            Fate::Rejected(reject) => (Counts::default(), &rejects[*reject..=*reject]),
            Fate::Lines(lines) => (lines.counts, &rejects[lines.rejects.clone()]),
        };
        let route = judged.verdicts[at].route;
        let lines = uncount(&mut flight.tally, (route, most), forwarded, rejects);
        self.desk.ledger.give_back(lines);
    }

    /// Takes what the sink could not send because of an error of its topic. Returns whether there
    /// was any.
    pub(super) fn take_unsent(&mut self) -> bool {
        let mut all = Vec::new();
        self.sink.unsent(&mut all);
        let any = !all.is_empty();
        for (ticket, why) in all {
            let Some(found) = find(&self.flying, ticket) else { continue };
            self.flying[found].outstanding -= 1;
            self.unsent(found, ticket.record as usize, &why);
        }
        any
    }

    /// The destination topic has an error, so the source reads this again.
    pub(super) fn unsent(&mut self, flight: usize, at: usize, why: &io::Error) {
        self.withdraw(flight, at);
        let flown = &self.flying[flight];
        self.desk.offsets.unsent(flown.places[flown.sent[at].place].id, why);
        self.topic_broke = true;
    }

    /// Returns whether this part of the last batch was sent before and is durable. It is then
    /// neither sent again nor counted.
    pub(super) fn was_sent(&mut self, at: usize) -> bool {
        let Some(flight) = self.flying.back() else { return false };
        let (sent, offsets) = (&flight.sent[at], &self.desk.offsets);
        let id = flight.places[sent.place].id;
        let was = sent.piece().is_some_and(|piece| offsets.was_sent(id, piece));
        if was {
            self.withdraw(self.flying.len() - 1, at);
        }
        was
    }

    /// Removes an item from the counts of its batch.
    fn withdraw(&mut self, flight: usize, at: usize) {
        let flown = &mut self.flying[flight];
        let (tally, sent) = (&mut flown.tally, &mut flown.sent[at]);
        let lines = match (sent.counts.take(), sent.reason.take()) {
            (Some(counts), _) => counts.withdraw(tally, sent.route),
            (None, Some(reason)) => {
                tally.take_back(sent.route, reason, sent.stands_for);
                sent.stands_for
            }
            (None, None) => 0,
        };
        sent.gone = true;
        tally.read -= lines;
        self.desk.ledger.give_back(lines);
    }

    /// Notes what is durable of a batch whose place is read again, so that it is not sent again.
    pub(super) fn keep_sent(&mut self, flight: &Flight) {
        for (number, place) in flight.places.iter().enumerate() {
            if self.desk.offsets.holds(place.id) {
                continue;
            }
            let all = flight.sent.iter().filter(|sent| sent.place == number && !sent.gone);
            let pieces: Vec<_> = all.filter_map(Sent::piece).collect();
            self.desk.offsets.sent(place.id, &pieces);
        }
    }
}

/// Removes the lines of a record, which took this route, from the counts of its batch, and returns
/// their number: `lines` in the chunk, or the number of events found in it. Findings in them remain
/// counted.
fn uncount(
    tally: &mut Tally,
    (route, lines): (u16, u64),
    forwarded: Counts,
    rejects: &[Reject],
) -> u64 {
    let told = forwarded.withdraw(tally, route) + rejects.len() as u64;
    let lines = lines.max(told);
    for reject in rejects {
        tally.take_back(reject.route, reject.reason, 1);
    }
    tally.blank -= lines - told;
    tally.read -= lines;
    lines
}
