//! The reasons why lines and records are not forwarded: those of the engine, and those of
//! containers, sources and sinks.

pub use crate::engine::Reason as EngineReason;

/// The number of the engine's reasons, which come first.
const JUDGED: usize = EngineReason::ALL.len();

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        /// The reason why a line or a record was not forwarded. The words are stable, because
        /// metric labels and dead letters contain them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            /// A reason of the engine.
            Judged(EngineReason),
            $($(#[$doc])* $name,)*
        }

        /// The indexes of the reasons that are not the engine's.
        enum Own { $($name,)* }

        const OWN: &[Reason] = &[$(Reason::$name,)*];

        impl Reason {
            /// The stable word: `unterminated`, `too_large`, …
            pub fn word(self) -> &'static str {
                match self { Self::Judged(reason) => reason.word(), $(Self::$name => $word,)* }
            }

            /// Its index in [`Reason::ALL`]; for the engine's reasons, it is the same as there.
            pub fn index(self) -> usize {
                match self {
                    Self::Judged(reason) => reason.index(),
                    $(Self::$name => JUDGED + Own::$name as usize,)*
                }
            }
        }
    };
}

reasons! {
    /// The record's key contains personal data or cannot be judged, and nothing replaces it.
    Key = "personal_key";
    /// The record is larger than the sink's topic accepts.
    TooLarge = "too_large";
    /// The sink's topic rejects the record for another reason.
    Refused = "refused";
    /// The value is not text.
    Binary = "binary";
    /// The value is compressed, and cannot be decompressed.
    Corrupt = "corrupt";
    /// The value is compressed, and decompressing it would need too much memory.
    Expands = "expands";
    /// The record was forwarded too often: it may be going in a circle.
    Loop = "loop";
    /// An operator skipped it.
    Skipped = "skipped";
    /// Quarantined: the process crashed repeatedly on it.
    Poison = "poison";
    /// Not a line of the container runtime's format.
    NoWrapper = "no_wrapper";
}

impl Reason {
    /// Every reason, in the order of [`Reason::index`]: the engine's first.
    pub const ALL: &'static [Reason] = &ALL;

    /// The JSON Schema keyword that refused the event, if a schema did.
    pub fn keyword(self) -> Option<&'static str> {
        self.judged().and_then(EngineReason::keyword)
    }

    /// Returns whether a rule drops the line on purpose, so that nothing is wrong with it.
    pub fn is_intentional(self) -> bool {
        self.judged().is_some_and(EngineReason::is_intentional)
    }

    /// Returns whether a schema refused a line that was otherwise valid.
    pub fn is_violation(self) -> bool {
        self.judged().is_some_and(EngineReason::is_violation)
    }

    /// Returns whether it is a text line that was otherwise valid.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Judged(EngineReason::Text | EngineReason::NotJson))
    }

    fn judged(self) -> Option<EngineReason> {
        match self {
            Self::Judged(reason) => Some(reason),
            _ => None,
        }
    }
}

const ALL: [Reason; JUDGED + OWN.len()] = {
    let mut all = [Reason::NoWrapper; JUDGED + OWN.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] =
            if at < JUDGED { Reason::Judged(EngineReason::ALL[at]) } else { OWN[at - JUDGED] };
        at += 1;
    }
    all
};

impl From<EngineReason> for Reason {
    fn from(reason: EngineReason) -> Self {
        Self::Judged(reason)
    }
}

impl PartialEq<EngineReason> for Reason {
    fn eq(&self, other: &EngineReason) -> bool {
        *self == Self::Judged(*other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_place_and_a_word_of_its_own() {
        for (at, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), at);
            let same = Reason::ALL.iter().filter(|other| other.word() == reason.word());
            assert_eq!(same.count(), 1, "{}", reason.word());
        }
        // Metrics, summaries and dead letters use this order.
        assert_eq!(Reason::ALL[0].word(), "syntax");
        assert_eq!(Reason::ALL[JUDGED].word(), "personal_key");
        assert_eq!(Reason::ALL[Reason::ALL.len() - 1].word(), "no_wrapper");
    }
}
