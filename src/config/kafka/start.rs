//! `source.no_offset`, `new_partition` and `out_of_range`: where a partition begins.

use clap::ValueEnum;
use toml::{Spanned, de::DeValue};

use crate::config::{Said, reader::Reader};

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StartChoice {
    /// At the first record that there is
    Earliest,
    /// Behind the last
    Latest,
    /// Nowhere: the run ends
    Stop,
}

/// Where partitions begin without an offset that holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StartEntry {
    /// The group has no offset of the topic.
    pub no_offset: Option<Said<StartChoice>>,
    /// It has offsets of other partitions of the topic.
    pub new_partition: Option<Said<StartChoice>>,
    /// The committed offset does not exist.
    pub out_of_range: Option<Said<StartChoice>>,
}

impl StartEntry {
    /// The keys.
    pub(super) const KEYS: [&str; 3] = ["no_offset", "new_partition", "out_of_range"];

    pub(super) fn read(&mut self, r: &mut Reader<'_>, key: &str, value: &Spanned<DeValue<'_>>) {
        let said: Option<Said<StartChoice>> = r.choice(value);
        match key {
            "no_offset" => self.no_offset = said,
            "out_of_range" => self.out_of_range = said,
            _ => match said {
                Some(said) if said.value == StartChoice::Stop => {
                    let what = "new partitions cannot use \"stop\": use \"earliest\" or \"latest\"";
                    r.complain(said.spot, what.into());
                }
                said => self.new_partition = said,
            },
        }
    }
}
