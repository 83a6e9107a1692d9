//! The reasons why a dead letter that is read again is not replayed.

macro_rules! stays {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        /// The reason why a dead letter is not replayed. The words are stable, because the summary
        /// contains them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Stays { $($(#[$doc])* $name,)* }

        impl Stays {
            /// All of them, in the order of [`Stays::index`].
            pub const ALL: &'static [Stays] = &[$(Stays::$name,)*];
            /// The stable word.
            pub fn word(self) -> &'static str { match self { $(Stays::$name => $word,)* } }
        }
    };
}

stays! {
    /// It was tried as often as is allowed.
    Tried = "tried";
    /// It is sealed to another key, or there is no identity to open it with.
    Shut = "shut";
    /// It is not sealed, and does not hold the whole event.
    InPart = "in_part";
    /// It is not a dead letter.
    NoLetter = "no_letter";
    /// It is from a topic that this configuration does not read.
    Elsewhere = "elsewhere";
    /// An operator skipped it, or it is quarantined because the process crashed repeatedly on it.
    Skipped = "skipped";
}

impl Stays {
    /// Its index in [`Stays::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// The number of dead letters that are not replayed, by [`Stays::index`].
pub type Stay = [u64; Stays::ALL.len()];
