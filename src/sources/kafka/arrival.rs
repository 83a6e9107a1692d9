//! Converts messages to records of a block. Compressed values, which their first bytes identify,
//! are decompressed.

use rdkafka::{Message as _, message::BorrowedMessage};

use crate::{
    compression::{Decode, Fault, Format, Start, Window},
    kafka::headers,
    pipeline::{
        EngineReason, Reason,
        records::{Block, Codec, Incoming, Place, ValueFraming},
    },
};

/// The window of a zstd decoder, as a power of two: the size that every decoder should support.
pub const WINDOW_LOG: u32 = 23;
/// The maximum expansion factor of a text that is longer than [`FREE`].
const MOST_EXPANDED: usize = 256;
const FREE: usize = 64 << 10;
/// The step in which a text grows.
const STEP: usize = 16 << 10;

/// Converts messages to records.
pub(super) struct Arrival {
    pub(super) most: usize,
    pub(super) framing: ValueFraming,
    gzip: Option<Box<dyn Decode>>,
    zstd: Option<Box<dyn Decode>>,
    text: Vec<u8>,
    window: Window,
}

/// A value of a message.
#[derive(Default)]
pub(super) struct Came<'v> {
    /// The decompressed value.
    pub(super) value: Option<&'v [u8]>,
    /// The compressed value, if it was compressed.
    pub(super) packed: Option<(Codec, &'v [u8])>,
    /// Why it cannot be judged.
    pub(super) refused: Option<Reason>,
}

impl Arrival {
    /// Texts have at most `most` bytes.
    pub(super) fn new(most: usize, framing: ValueFraming) -> Self {
        let window = Window::new(WINDOW_LOG);
        Self { most, framing, gzip: None, zstd: None, text: Vec::new(), window }
    }

    /// Decoders use at most `window`, which notes whether there are any.
    pub(super) fn within(self, window: &Window) -> Self {
        Self { window: window.clone(), ..self }
    }

    /// Adds a message to a block, or, if it is skipped, only its position.
    pub(super) fn push(
        &mut self,
        block: &mut Block,
        place: &Place,
        message: &BorrowedMessage<'_>,
        skips: &[(i64, Reason)],
    ) {
        let offset = message.offset();
        let timestamp = message.timestamp().to_millis().filter(|timestamp| *timestamp >= 0);
        if let Some((_, why)) = skips.iter().find(|(skipped, _)| *skipped == offset) {
            return block.skip(place, offset, timestamp, *why);
        }
        let mut all = Vec::new();
        let lost = !headers(message, &mut all);
        let (most, framing) = (self.most, self.framing);
        let Came { value, packed, refused } = self.came(message.payload());
        let record = Incoming {
            offset,
            origin: None,
            timestamp,
            key: message.key(),
            headers: &all,
            lost,
            value,
            packed,
            framing,
            refused,
        };
        block.push(place, &record, most);
    }

    /// Decompresses a value.
    pub(super) fn came<'v>(&'v mut self, value: Option<&'v [u8]>) -> Came<'v> {
        let Some(bytes) = value else { return Came::default() };
        let Start::Packed(format) = Format::of(bytes) else {
            return Came { value, ..Came::default() };
        };
        match self.open(format, bytes) {
            Ok(codec) => {
                Came { value: Some(&self.text), packed: Some((codec, bytes)), refused: None }
            }
            Err(reason) => Came { value, packed: None, refused: Some(reason) },
        }
    }

    /// Decompresses a value into `self.text`.
    fn open(&mut self, format: Format, bytes: &[u8]) -> Result<Codec, Reason> {
        let (kept, codec) = match format {
            Format::Gzip => (&mut self.gzip, Codec::Gzip),
            Format::Zstd => (&mut self.zstd, Codec::Zstd),
            Format::Lz4 | Format::Xz | Format::Bzip2 => return Err(Reason::Binary),
        };
        if bytes.len() > self.most {
            return Err(EngineReason::Oversize.into());
        }
        let new = || self.window.decoder(format).map_err(|_| EngineReason::TooCostly);
        let mut decoder = kept.take().map_or_else(new, Ok)?;
        self.text.clear();
        decode(&mut *decoder, bytes, self.most, &mut self.text)?;
        // A decoder can be reused after a complete value, but not after an error.
        *kept = Some(decoder);
        Ok(codec)
    }
}

/// Decodes all of `bytes` to a text of at most `most` bytes.
fn decode(
    decoder: &mut dyn Decode,
    bytes: &[u8],
    most: usize,
    text: &mut Vec<u8>,
) -> Result<(), Reason> {
    let mut done = 0;
    loop {
        let from = text.len();
        // One byte more than allowed shows that the text is too long.
        text.resize((from + STEP).min(most + 1), 0);
        let step = decoder.step(&bytes[done..], true, &mut text[from..]).map_err(|fault| {
            text.clear();
            match fault {
                Fault::Corrupt => Reason::Corrupt,
                Fault::TooLarge => Reason::Expands,
            }
        })?;
        done += step.consumed;
        text.truncate(from + step.produced);
        if text.len() > most {
            return Err(EngineReason::Oversize.into());
        }
        if text.len() > FREE && text.len() / MOST_EXPANDED > bytes.len() {
            return Err(Reason::Expands);
        }
        match done == bytes.len() {
            true if step.whole => return Ok(()),
            _ if step.consumed == 0 && step.produced == 0 => return Err(Reason::Corrupt),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::compression::Encoder;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Damaged data is rejected, or becomes a text within the limit; the next value is not
        /// affected.
        #[test]
        fn damage_harms_nothing_else(
            damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in any::<prop::sample::Index>(),
            gzip in any::<bool>(),
        ) {
            let format = if gzip { Format::Gzip } else { Format::Zstd };
            let mut arrival = Arrival::new(4 << 10, ValueFraming::Event);
            let text = b"{\"mail\":\"ada@example.com\"}\n".repeat(100);
            let whole = packed(format, &text);
            let mut bytes = whole.clone();
            for (at, byte) in damage {
                *at.get_mut(&mut bytes) = byte;
            }
            bytes.truncate(cut.index(whole.len()) + 1);
            if let Ok(text) = opened(&mut arrival, format, &bytes) {
                prop_assert!(text.len() <= 4 << 10);
            }
            prop_assert_eq!(opened(&mut arrival, format, &whole), Ok(text));
        }
    }

    fn packed(format: Format, text: &[u8]) -> Vec<u8> {
        let mut encoder = Encoder::new(format).unwrap();
        [encoder.write(text).unwrap(), encoder.finish().unwrap()].concat()
    }

    fn opened(arrival: &mut Arrival, format: Format, bytes: &[u8]) -> Result<Vec<u8>, Reason> {
        arrival.open(format, bytes).map(|_| arrival.text.clone())
    }

    #[test]
    fn whole_values_within_the_limits_are_opened() {
        let mut arrival = Arrival::new(1 << 20, ValueFraming::Event);
        let text: Vec<u8> = (0..40_000_u32).flat_map(|n| n.to_string().into_bytes()).collect();
        for format in [Format::Gzip, Format::Zstd] {
            let bytes = packed(format, &text);
            let twice = [&bytes[..], &packed(format, b"more")].concat();
            for _ in 0..2 {
                assert_eq!(opened(&mut arrival, format, &bytes).as_ref(), Ok(&text));
                assert_eq!(opened(&mut arrival, format, &packed(format, b"")), Ok(vec![]));
                let both = opened(&mut arrival, format, &twice).unwrap();
                assert_eq!(both, [&text[..], b"more"].concat());
                // An incomplete value does not affect the next.
                let cut = &bytes[..bytes.len() - 9];
                assert_eq!(opened(&mut arrival, format, cut), Err(Reason::Corrupt));
                let mut damaged = bytes.clone();
                damaged[bytes.len() / 2] ^= 0x55;
                assert!(opened(&mut arrival, format, &damaged).is_err());
                let behind = [&bytes[..], b"{\"mail\":\"ada@example.com\"}"].concat();
                assert_eq!(opened(&mut arrival, format, &behind), Err(Reason::Corrupt));
            }
        }
    }

    #[test]
    fn what_expands_too_far_is_not_opened() {
        let mut arrival = Arrival::new(1 << 20, ValueFraming::Event);
        let zeros = vec![b'0'; 1 << 20];
        for format in [Format::Gzip, Format::Zstd] {
            let bytes = packed(format, &zeros);
            assert_eq!(opened(&mut arrival, format, &bytes), Err(Reason::Expands));
            assert_eq!(
                opened(&mut arrival, format, &packed(format, &zeros[..60 << 10])).unwrap().len(),
                60 << 10
            );
            let noise: Vec<u8> = (0..500_000_u32).flat_map(|n| (n % 9973).to_le_bytes()).collect();
            assert_eq!(
                opened(&mut arrival, format, &packed(format, &noise)),
                Err(Reason::Judged(EngineReason::Oversize))
            );
            let random = vec![1; (1 << 20) + 1];
            assert_eq!(
                opened(&mut arrival, format, &random),
                Err(Reason::Judged(EngineReason::Oversize))
            );
        }
        for format in [Format::Lz4, Format::Xz, Format::Bzip2] {
            assert_eq!(opened(&mut arrival, format, &packed(format, b"{}")), Err(Reason::Binary));
        }
        let mut wide = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        wide.window_log(27).unwrap();
        std::io::Write::write_all(&mut wide, b"{}").unwrap();
        std::io::Write::flush(&mut wide).unwrap();
        let wide = wide.finish().unwrap();
        assert_eq!(opened(&mut arrival, Format::Zstd, &wide), Err(Reason::Expands));
    }
}
