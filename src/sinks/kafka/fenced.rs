//! Finds out why a producer was fenced: by the coordinator, because its transaction timed out, or
//! by another process with the same name. The error is the same for both.
//!
//! A transaction that is younger than its timeout did not time out. If another process has taken
//! over, the group reports it, because that process is a member with the same name; it gets some
//! time to do so. If no other process is found, the run continues with a new producer. If that one
//! is fenced soon, too, while its transaction is young, there is another process. An old
//! transaction of a process that was suspended may be either, so the group always gets time to
//! report it.

use std::time::{Duration, Instant};

use super::transactions::TIMEOUT;

/// How long the group may take to report another process, if nothing indicates one.
const SHORT: Duration = Duration::from_secs(2);
/// The same, if something indicates one.
const LONG: Duration = Duration::from_secs(6);
/// Two fences within this time are no coincidence.
const TWICE_WITHIN: Duration = Duration::from_secs(60);

/// How to continue after a producer was fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Check again later.
    Wait,
    /// There is no other process: continue with a new producer.
    NewProducer,
    /// There is another process: end this one.
    End,
}

/// A producer that was just fenced.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fenced {
    /// The age of its transaction.
    pub(super) age: Duration,
    /// Whether the process was suspended meanwhile, so that another may have taken over.
    pub(super) slept: bool,
    /// When this was detected.
    pub(super) at: Instant,
}

impl Fenced {
    /// Returns whether the transaction timed out.
    pub(super) fn by_time(self) -> bool {
        self.is_old() && !self.slept
    }

    /// Returns whether the transaction may have timed out.
    fn is_old(self) -> bool {
        self.age >= TIMEOUT
    }
}

/// The history of fenced producers.
#[derive(Debug, Default)]
pub(super) struct Fences {
    /// When a producer was last fenced without a timeout.
    last: Option<Instant>,
}

impl Fences {
    /// Decides how to continue; `replaced` means that the group has another member with this name.
    pub(super) fn judge(&mut self, fenced: Fenced, now: Instant, replaced: bool) -> Next {
        let by_time = fenced.by_time();
        let again = |last: Instant| fenced.at.duration_since(last) < TWICE_WITHIN;
        if replaced || !fenced.is_old() && self.last.is_some_and(again) {
            return Next::End;
        }
        if now.duration_since(fenced.at) < if by_time { SHORT } else { LONG } {
            return Next::Wait;
        }
        if !by_time {
            self.last = Some(now);
        }
        Next::NewProducer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Returns the decision, and when it is made, if the group reports nothing.
    fn alone(fences: &mut Fences, fenced: Fenced) -> (Next, Duration) {
        let mut waited = Duration::ZERO;
        loop {
            match fences.judge(fenced, fenced.at + waited, false) {
                Next::Wait => waited += SECOND,
                next => return (next, waited),
            }
        }
    }

    #[test]
    fn fenced_by_time_is_told_apart_from_fenced_by_another() {
        let at = Instant::now();
        let old = Fenced { age: TIMEOUT, slept: false, at };
        let young = Fenced { age: SECOND, slept: false, at };
        let mut fences = Fences::default();
        for fenced in [old, old, young] {
            assert_eq!(fences.judge(fenced, at, true), Next::End, "{fenced:?}");
        }
        // However often the brokers are unreachable.
        assert_eq!(alone(&mut fences, old), (Next::NewProducer, SHORT));
        assert_eq!(alone(&mut fences, old), (Next::NewProducer, SHORT));
        // Of two processes with one name, the older one is fenced first, and so it is the first to
        // end.
        assert_eq!(alone(&mut fences, young), (Next::NewProducer, LONG));
        let later = |after| Fenced { at: at + after, ..young };
        assert_eq!(alone(&mut fences, later(30 * SECOND)), (Next::End, Duration::ZERO));
        assert_eq!(alone(&mut fences, later(300 * SECOND)), (Next::NewProducer, LONG));
        // A suspended process does not know whether another was active meanwhile, but the group
        // does.
        for after in [310, 330] {
            let slept = Fenced { slept: true, at: at + after * SECOND, ..old };
            assert_eq!(fences.judge(slept, slept.at, true), Next::End);
            assert_eq!(alone(&mut fences, slept), (Next::NewProducer, LONG));
        }
        assert_eq!(alone(&mut fences, later(350 * SECOND)), (Next::End, Duration::ZERO));
    }
}
