//! `source.no_offset`, `new_partition` and `out_of_range`: where to start reading a partition.

use clap::ValueEnum;
use toml::{Spanned, de::DeValue};

use crate::config::{Said, reader::Reader};

/// Where to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StartChoice {
    /// At the first record
    Earliest,
    /// After the last record
    Latest,
    /// Nowhere: the run ends
    Stop,
}

/// Where to start reading partitions that have no valid offset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StartEntry {
    /// The group has no offset for the topic.
    pub no_offset: Option<Said<StartChoice>>,
    /// The group has offsets for other partitions of the topic.
    pub new_partition: Option<Said<StartChoice>>,
    /// The committed offset does not exist any more.
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
