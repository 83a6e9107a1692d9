//! The ledger of a run.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use super::{
    flight::Flight,
    growing::Suspects,
    outcome::Tally,
    reason::Reason,
    report::{End, Report, RouteTotals, Spot, Stall, Unfinished, Violations},
};
use crate::{
    engine::{RouteCounts, RouteInfo},
    shutdown::Shutdown,
};

/// How long lines may take to be judged before this is noted.
const LONG: Duration = Duration::from_secs(1);

/// The state of a run. Except for the channels, it is the only state that threads share.
#[derive(Default)]
pub(super) struct Ledger {
    /// Remembers lines at which runs crash.
    suspects: Option<Arc<dyn Suspects>>,
    judged: AtomicU64,
    /// What is being judged.
    flights: Mutex<Vec<Flight>>,
    /// Held while a suspect is judged, so that only the culprit is noted if the process dies.
    alone: Mutex<()>,
    /// A thread is delivering.
    delivers: AtomicBool,
    /// The number of inputs, and of finite ones that are not over.
    inputs: AtomicU64,
    left: AtomicU64,
    /// The number of judged records that were given back, to be read again.
    returned: AtomicU64,
    /// A line was read in part, and waits in the reader for a free batch.
    held: AtomicU64,
    writes: AtomicU64,
    failed_inputs: AtomicU64,
    truncated_inputs: AtomicU64,
    /// Positions could not be stored.
    owes: AtomicBool,
    settled: Mutex<Settled>,
}

#[derive(Default, Clone)]
struct Settled {
    tally: Tally,
    bytes_in: u64,
    violations: Violations,
    routes: RouteTotals,
    last: Option<Spot>,
}

impl Ledger {
    pub(super) fn of(suspects: Option<Arc<dyn Suspects>>) -> Self {
        Self { suspects, ..Self::default() }
    }

    /// Notes a batch that is being judged. Its lines count as read, whatever happens to them.
    pub(super) fn takes_off(&self, flight: Flight) {
        self.flights().push(flight);
    }

    /// Waits until no other suspect is judged.
    pub(super) fn alone(&self) -> MutexGuard<'_, ()> {
        self.alone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a batch is being judged, for the next process if this one dies.
    pub(super) fn begins(&self, seq: u64) {
        let mut flights = self.flights();
        let Some(flight) = flights.iter_mut().find(|flight| flight.seq == seq) else { return };
        if flight.waits {
            (flight.waits, flight.since) = (false, Instant::now());
        }
        if let (Some(suspects), Some(suspect)) = (&self.suspects, flight.suspect()) {
            flight.number = suspects.begun(&suspect);
        }
    }

    /// Notes that a batch was judged, and the number of its lines. `survived`: nothing went wrong.
    pub(super) fn lands(&self, seq: u64, lines: u64, survived: bool) {
        let mut flights = self.flights();
        if let Some(at) = flights.iter().position(|flight| flight.seq == seq) {
            let flight = flights.swap_remove(at);
            // Finding the suspects takes a pass over the data, so this is only done if necessary.
            if let Some(suspects) = self.suspects.as_ref().filter(|_| !survived || flight.noted)
                && let Some(suspect) = flight.suspect()
            {
                match survived {
                    true => suspects.cleared(suspect.input, suspect.from),
                    false => suspects.suspect(&suspect),
                }
            }
            if let (Some(suspects), Some(number)) = (&self.suspects, flight.number) {
                suspects.over(number);
            }
        }
        self.judged.fetch_add(lines, Relaxed);
    }

    /// Notes lines that take long to judge, because the process may end at them.
    pub(super) fn watch(&self) {
        let Some(suspects) = &self.suspects else { return };
        let mut flights = self.flights();
        let long =
            |flight: &&mut Flight| !flight.noted && !flight.waits && flight.since.elapsed() >= LONG;
        for flight in flights.iter_mut().filter(long) {
            flight.noted = true;
            flight.suspect().iter().for_each(|suspect| suspects.suspect(suspect));
        }
    }

    pub(super) fn delivers(&self, delivers: bool) {
        self.delivers.store(delivers, Relaxed);
    }

    /// Sets the number of inputs, and of finite ones among them.
    pub(super) fn expect(&self, inputs: usize, finite: usize) {
        self.inputs.store(inputs as u64, Relaxed);
        self.left.store(finite as u64, Relaxed);
    }

    /// An input has ended.
    pub(super) fn input_over(&self, finite: bool) {
        self.left.fetch_sub(finite.into(), Relaxed);
    }

    /// Returns the result of a stopped run, if it did not read its inputs to their end.
    pub(super) fn unfinished(&self, shutdown: &Shutdown, stall: Option<Stall>) -> Option<End> {
        let left = self.left.load(Relaxed);
        let signal = shutdown.signal().filter(|_| left > 0)?;
        let (inputs, last) = (self.inputs.load(Relaxed), self.settled().last.clone());
        Some(End::Unfinished(Unfinished { signal, inputs, left, last, stall }))
    }

    /// Returns what makes no progress.
    pub(super) fn stall(&self) -> Stall {
        let flights = self.flights();
        let judged = flights.iter().filter(|flight| !flight.waits);
        let delivers = self.delivers.load(Relaxed) || self.is_of_records();
        match judged.min_by_key(|flight| flight.since) {
            // After a third signal, it need not have taken long.
            Some(flight) if !delivers || flight.since.elapsed() >= LONG => flight.stall(),
            _ if delivers => Stall::Output,
            _ => Stall::Input,
        }
    }

    /// Only inputs of lines are counted.
    fn is_of_records(&self) -> bool {
        self.inputs.load(Relaxed) == 0
    }

    /// This many judged records are read again, and counted then.
    pub(super) fn give_back(&self, records: u64) {
        self.returned.fetch_add(records, Relaxed);
    }

    pub(super) fn hold(&self, lines: u64) {
        self.held.store(lines, Relaxed);
    }

    pub(super) fn input_failed(&self) {
        self.failed_inputs.fetch_add(1, Relaxed);
    }

    pub(super) fn owe(&self, owes: bool) {
        self.owes.store(owes, Relaxed);
    }

    /// Returns whether an acknowledgement failed and must be repeated.
    pub(super) fn owes(&self) -> bool {
        self.owes.load(Relaxed)
    }

    pub(super) fn input_truncated(&self) {
        self.truncated_inputs.fetch_add(1, Relaxed);
    }

    /// A sink took data.
    pub(super) fn wrote(&self) {
        self.writes.fetch_add(1, Relaxed);
    }

    /// The number of writes that sinks took.
    pub(super) fn writes(&self) -> u64 {
        self.writes.load(Relaxed)
    }

    /// Returns the counts of what was settled, and the rest as unwritten.
    pub(super) fn report(&self, end: End) -> Report {
        let Settled { tally, bytes_in, violations, routes, .. } = self.settled().clone();
        let judged = {
            let flights = self.flights();
            let flying: u64 = flights.iter().map(Flight::lines).sum();
            self.judged.load(Relaxed) + flying
        };
        let read = judged + self.held.load(Relaxed);
        let returned = self.returned.load(Relaxed);
        Report {
            unwritten: read.saturating_sub(tally.read + returned),
            returned,
            tally,
            violations,
            routes,
            bytes_in,
            failed_inputs: self.failed_inputs.load(Relaxed),
            truncated_inputs: self.truncated_inputs.load(Relaxed),
            end,
        }
    }

    /// Everything before this position is delivered.
    pub(super) fn reached(&self, input: &Arc<str>, lines: u64, bytes: u64) {
        self.settled().last = Some(Spot { input: input.clone(), lines, bytes });
    }

    /// Counts delivered data that was judged by a plan with these routes.
    pub(super) fn settle(&self, tally: &Tally, bytes_in: u64, routes: &[RouteInfo]) {
        let settled = &mut *self.settled();
        settled.tally += tally;
        settled.bytes_in += bytes_in;
        let Some((default, routes)) = routes.split_first() else { return };
        for (route, counts) in routes.iter().zip(&tally.routes) {
            if !settled.routes.contains_key(&route.name) {
                settled.routes.insert(route.name.clone(), RouteCounts::default());
            }
            if let Some(all) = settled.routes.get_mut(&route.name) {
                all.add(counts);
            }
        }
        if tally.rejected_total() == 0 {
            return;
        }
        for reason in Reason::ALL.iter().filter(|reason| reason.is_violation()) {
            let Reason::Judged(judged) = reason else { continue };
            let mut count = tally.rejected[reason.index()];
            let mut add = |route: &RouteInfo, count: u64| {
                if let Some(schema) = route.schema.as_ref().filter(|_| count > 0) {
                    let key = (schema.clone(), reason.word());
                    *settled.violations.entry(key).or_default() += count;
                }
            };
            for (route, counts) in routes.iter().zip(&tally.routes) {
                let of_route = counts.violations_of(*judged);
                count -= of_route;
                add(route, of_route);
            }
            add(default, count);
        }
    }

    fn flights(&self) -> MutexGuard<'_, Vec<Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settled(&self) -> MutexGuard<'_, Settled> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::Chunk,
        pipeline::{Suspect, flight::Load},
    };

    #[derive(Default)]
    struct Recorder(Mutex<Vec<String>>);

    impl Suspects for Recorder {
        fn suspect(&self, suspect: &Suspect<'_>) {
            let Suspect { input, from, to, alone, .. } = suspect;
            self.0.lock().unwrap().push(format!("{input}: {from} to {to}, alone {alone}"));
        }

        fn cleared(&self, input: usize, from: u64) {
            self.0.lock().unwrap().push(format!("{input}: {from} cleared"));
        }
    }

    #[test]
    fn what_takes_long_is_counted_and_remembered_until_it_is_judged() {
        let recorder = Arc::new(Recorder::default());
        let ledger = Ledger::of(Some(recorder.clone()));
        let flight = |seq, text: &[u8], since| {
            let chunk = Arc::new(Chunk::from_bytes(text));
            let (input, bytes) = ("in".into(), 10 * seq..10 * seq + 9);
            let load = Load::Lines { chunk, number: 3, input, bytes, alone: false };
            let mut flight = Flight::new(seq, load);
            flight.since = since;
            flight
        };
        let (now, before) = (Instant::now(), Instant::now() - 2 * LONG);
        ledger.takes_off(flight(1, b"{}\n{}\n", before));
        ledger.takes_off(flight(2, b"{}\n", before));
        ledger.takes_off(flight(3, b"{}\n{}\n{}\n", now));
        ledger.watch();
        ledger.watch();
        assert_eq!(ledger.report(End::Complete).unwritten, 6);
        assert_eq!(ledger.stall().to_string().split(" between").next().unwrap_or_default(), {
            "a line takes too long to judge: it is in in"
        });
        ledger.lands(1, 2, true);
        ledger.lands(2, 1, false);
        ledger.expect(1, 1);
        assert!(matches!(ledger.stall(), Stall::Judging { .. }), "as soon as it is judged");
        ledger.delivers(true);
        assert!(matches!(ledger.stall(), Stall::Output), "for a moment only");
        ledger.delivers(false);
        ledger.lands(3, 3, true);
        assert!(matches!(ledger.stall(), Stall::Input));
        assert_eq!(ledger.report(End::Complete).unwritten, 6);
        let told = recorder.0.lock().unwrap();
        let (first, second) = ("3: 10 to 19, alone false", "3: 20 to 29, alone true");
        assert_eq!(*told, [first, second, "3: 10 cleared", second]);
    }
}
