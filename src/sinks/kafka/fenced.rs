//! Why a producer was fenced: by the coordinator, which takes back what is too old, or by another process of
//! the same name. The error is the same for both.
//!
//! A transaction that is younger than its timeout was not fenced by time. Where another process has taken
//! over, the group says so, for it is a member under the same name: it has some time to. If nobody shows,
//! the run begins anew with another producer; if that is fenced in its turn, soon and when its transaction is
//! young, somebody is there. One that is old, of a process that slept, may be either: however often that happens,
//! the group has time to tell.

use std::time::{Duration, Instant};

use super::transactions::TIMEOUT;

/// So long the group may take to say that there is another process, where nothing speaks for one,
const SHORT: Duration = Duration::from_secs(2);
/// and where something does.
const LONG: Duration = Duration::from_secs(6);
/// Two in such a time are no accident.
const TWICE_WITHIN: Duration = Duration::from_secs(60);

/// What to do with a producer that is fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask again a little later.
    Wait,
    /// Nobody else is there: another producer goes on.
    BeginAnew,
    /// Another process is there: this one ends.
    End,
}

/// A producer that was just fenced.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fenced {
    /// How old its transaction was.
    pub(super) age: Duration,
    /// The process was stopped meanwhile, and others may have taken over.
    pub(super) slept: bool,
    /// When it was found out.
    pub(super) at: Instant,
}

impl Fenced {
    /// Whether the coordinator took back what was too old.
    pub(super) fn by_time(self) -> bool {
        self.is_old() && !self.slept
    }

    /// Whether it may be that.
    fn is_old(self) -> bool {
        self.age >= TIMEOUT
    }
}

/// What is known of earlier producers.
#[derive(Debug, Default)]
pub(super) struct Fences {
    /// When one was fenced last that was not fenced by time.
    last: Option<Instant>,
}

impl Fences {
    /// What to do now; `ousted`: the group has another member of this name.
    pub(super) fn judge(&mut self, fenced: Fenced, now: Instant, ousted: bool) -> Next {
        let by_time = fenced.by_time();
        let again = |last: Instant| fenced.at.duration_since(last) < TWICE_WITHIN;
        if ousted || !fenced.is_old() && self.last.is_some_and(again) {
            return Next::End;
        }
        if now.duration_since(fenced.at) < if by_time { SHORT } else { LONG } {
            return Next::Wait;
        }
        if !by_time {
            self.last = Some(now);
        }
        Next::BeginAnew
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// What becomes of a producer that is fenced, if the group says nothing, and when.
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
        // However often brokers are away.
        assert_eq!(alone(&mut fences, old), (Next::BeginAnew, SHORT));
        assert_eq!(alone(&mut fences, old), (Next::BeginAnew, SHORT));
        // Of two of one name, the one that was there first is fenced first, and so is the first to end.
        assert_eq!(alone(&mut fences, young), (Next::BeginAnew, LONG));
        let later = |after| Fenced { at: at + after, ..young };
        assert_eq!(alone(&mut fences, later(30 * SECOND)), (Next::End, Duration::ZERO));
        assert_eq!(alone(&mut fences, later(300 * SECOND)), (Next::BeginAnew, LONG));
        // Who slept does not know how much of that time another had: the group does.
        for after in [310, 330] {
            let slept = Fenced { slept: true, at: at + after * SECOND, ..old };
            assert_eq!(fences.judge(slept, slept.at, true), Next::End);
            assert_eq!(alone(&mut fences, slept), (Next::BeginAnew, LONG));
        }
        assert_eq!(alone(&mut fences, later(350 * SECOND)), (Next::End, Duration::ZERO));
    }
}
