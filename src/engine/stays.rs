//! Why a dead letter that is read again stays where it is.

macro_rules! stays {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $said:literal;)*) => {
        /// Why a dead letter is not replayed. The words are stable: the account has them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Stays { $($(#[$doc])* $name,)* }

        impl Stays {
            /// All of them, in the order of [`Stays::index`].
            pub const ALL: &'static [Stays] = &[$(Stays::$name,)*];
            /// The stable word.
            pub fn word(self) -> &'static str { match self { $(Stays::$name => $word,)* } }
            /// The same for people, behind a count.
            pub fn said(self) -> &'static str { match self { $(Stays::$name => $said,)* } }
        }
    };
}

stays! {
    /// It was tried too often.
    Tried = "tried", "tried often enough (--attempts)";
    /// It is sealed to another key, or there is no identity to open it with.
    Shut = "shut", "sealed, and not opened by --identity";
    /// It is not sealed, and holds no whole event.
    InPart = "in_part", "without a whole event";
    /// It is no dead letter.
    NoLetter = "no_letter", "no dead letters";
    /// It is of a topic that is not this configuration's to read.
    Elsewhere = "elsewhere", "of topics that [source] has not";
    /// An operator had it skipped, or runs died of it.
    Skipped = "skipped", "skipped by hand, or because runs died of them";
}

impl Stays {
    /// Its place in [`Stays::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// How many letters stay, by [`Stays::index`].
pub type Stay = [u64; Stays::ALL.len()];
