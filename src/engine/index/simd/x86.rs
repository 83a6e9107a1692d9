//! AVX2 and AVX-512 (F, BW, VBMI) for x86-64.

use std::arch::x86_64::*;

use super::{Level, Task};
use crate::engine::index::fingerprint::{Fingerprint, LEN};
use crate::engine::index::gate::Masks;

/// The processor has AVX2, BMI1, BMI2, LZCNT and POPCNT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt");
        has.then_some(Self(()))
    }

    pub(super) fn enter<T: Task>(self, task: T) {
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
        fn enter<T: Task>(level: Avx2, task: T) {
            task.run(level);
        }
        // SAFETY: `self` exists, so the processor has the features.
        unsafe { enter(self, task) }
    }
}

/// 64 bytes as two halves.
#[derive(Clone, Copy)]
struct Two(__m256i, __m256i);

impl Two {
    #[inline(always)]
    fn bits(self) -> u64 {
        // SAFETY: AVX2, as everything here: only reached through a value of `Avx2`.
        unsafe {
            u64::from(_mm256_movemask_epi8(self.0) as u32)
                | u64::from(_mm256_movemask_epi8(self.1) as u32) << 32
        }
    }
    #[inline(always)]
    fn eq(self, b: u8) -> u64 {
        // SAFETY: AVX2.
        unsafe {
            let k = _mm256_set1_epi8(b as i8);
            Two(_mm256_cmpeq_epi8(self.0, k), _mm256_cmpeq_epi8(self.1, k)).bits()
        }
    }
    #[inline(always)]
    fn within(self, low: u8, high: u8) -> u64 {
        // SAFETY: AVX2.
        unsafe {
            let l = _mm256_set1_epi8(low as i8);
            let n = _mm256_set1_epi8((high - low) as i8);
            let (a, b) = (_mm256_sub_epi8(self.0, l), _mm256_sub_epi8(self.1, l));
            Two(
                _mm256_cmpeq_epi8(_mm256_min_epu8(a, n), a),
                _mm256_cmpeq_epi8(_mm256_min_epu8(b, n), b),
            )
            .bits()
        }
    }
    #[inline(always)]
    fn lower(self) -> Self {
        // SAFETY: AVX2.
        unsafe {
            let k = _mm256_set1_epi8(0x20);
            Two(_mm256_or_si256(self.0, k), _mm256_or_si256(self.1, k))
        }
    }
}

macro_rules! masks {
    ($v:expr, $high:expr) => {{
        let v = $v;
        let newline = v.eq(b'\n');
        let control = v.within(0, 0x1f) & !newline;
        let high = $high;
        Masks {
            newline,
            carriage: v.eq(b'\r'),
            control,
            high,
            rare: control | high,
            quote: v.eq(b'"'),
            backslash: v.eq(b'\\'),
            digit: v.within(b'0', b'9'),
            alpha: v.lower().within(b'a', b'z'),
            upper: v.within(b'A', b'Z'),
            space: v.eq(b' '),
            separator: v.within(b'-', b'/'),
            plus: v.eq(b'+'),
            at: v.eq(b'@'),
            colon: v.eq(b':'),
            equals: v.eq(b'='),
            percent: v.eq(b'%'),
            paren_open: v.eq(b'('),
            paren_close: v.eq(b')'),
            apostrophe: v.eq(b'\''),
        }
    }};
}

/// The nibble tables, low and high, one pair for each place.
pub(crate) struct NibbleTables {
    low: [__m256i; LEN],
    high: [__m256i; LEN],
}

impl Level for Avx2 {
    type Tables = NibbleTables;

    #[inline(always)]
    fn masks(self, block: &[u8; 64]) -> Masks {
        // SAFETY: AVX2; two loads of 32 bytes from an array of 64.
        let v = unsafe {
            let p = block.as_ptr();
            Two(_mm256_loadu_si256(p.cast()), _mm256_loadu_si256(p.add(32).cast()))
        };
        masks!(v, v.bits())
    }

    #[inline(always)]
    fn tables(self, f: &Fingerprint) -> NibbleTables {
        // SAFETY: AVX2; loads of 16 bytes from arrays of 16.
        let load = |a: &[u8; 16]| unsafe {
            _mm256_broadcastsi128_si256(_mm_loadu_si128(a.as_ptr().cast()))
        };
        NibbleTables {
            low: std::array::from_fn(|i| load(&f.low[i])),
            high: std::array::from_fn(|i| load(&f.high[i])),
        }
    }

    #[inline(always)]
    fn starts(self, t: &NibbleTables, window: &[u8; 72]) -> u64 {
        // SAFETY: AVX2; the last load reads bytes 35..67 of 72.
        unsafe {
            let nibble = _mm256_set1_epi8(15);
            let half = |from: usize| {
                let mut acc = _mm256_set1_epi8(-1);
                for place in 0..LEN {
                    let v = _mm256_loadu_si256(window.as_ptr().add(from + place).cast());
                    // Bytes ≥ 0x80 count as 0x80 less, as the twins': the exact table refuses them.
                    let lo = _mm256_shuffle_epi8(t.low[place], _mm256_and_si256(v, nibble));
                    let h = _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(7));
                    let hi = _mm256_shuffle_epi8(t.high[place], h);
                    acc = _mm256_and_si256(acc, _mm256_and_si256(lo, hi));
                }
                !(_mm256_movemask_epi8(_mm256_cmpeq_epi8(acc, _mm256_setzero_si256())) as u32)
            };
            u64::from(half(0)) | u64::from(half(32)) << 32
        }
    }
}

/// The processor has AVX-512 F, BW and VBMI, and what [`Avx2`] stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        let has = Avx2::detect().is_some()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi");
        has.then_some(Self(()))
    }

    pub(super) fn enter<T: Task>(self, task: T) {
        #[target_feature(enable = "avx2,avx512f,avx512bw,avx512vbmi,bmi1,bmi2,lzcnt,popcnt")]
        fn enter<T: Task>(level: Avx512, task: T) {
            task.run(level);
        }
        // SAFETY: `self` exists, so the processor has the features.
        unsafe { enter(self, task) }
    }
}

/// 64 bytes.
#[derive(Clone, Copy)]
struct One(__m512i);

impl One {
    #[inline(always)]
    fn eq(self, b: u8) -> u64 {
        // SAFETY: AVX-512, as everything here: only reached through a value of `Avx512`.
        unsafe { _mm512_cmpeq_epi8_mask(self.0, _mm512_set1_epi8(b as i8)) }
    }
    #[inline(always)]
    fn within(self, low: u8, high: u8) -> u64 {
        // SAFETY: AVX-512.
        unsafe {
            let a = _mm512_sub_epi8(self.0, _mm512_set1_epi8(low as i8));
            _mm512_cmple_epu8_mask(a, _mm512_set1_epi8((high - low) as i8))
        }
    }
    #[inline(always)]
    fn lower(self) -> Self {
        // SAFETY: AVX-512.
        unsafe { One(_mm512_or_si512(self.0, _mm512_set1_epi8(0x20))) }
    }
}

/// The byte tables: 128 entries in two registers, one pair for each place.
pub(crate) struct ByteTables([[__m512i; 2]; LEN]);

impl Level for Avx512 {
    type Tables = ByteTables;

    #[inline(always)]
    fn masks(self, block: &[u8; 64]) -> Masks {
        // SAFETY: AVX-512; one load of 64 bytes from an array of 64.
        let v = unsafe { One(_mm512_loadu_si512(block.as_ptr().cast())) };
        // SAFETY: AVX-512.
        masks!(v, unsafe { _mm512_movepi8_mask(v.0) })
    }

    #[inline(always)]
    fn tables(self, f: &Fingerprint) -> ByteTables {
        // SAFETY: AVX-512; two loads of 64 bytes from arrays of 128.
        ByteTables(std::array::from_fn(|i| unsafe {
            let p = f.byte[i].as_ptr();
            [_mm512_loadu_si512(p.cast()), _mm512_loadu_si512(p.add(64).cast())]
        }))
    }

    #[inline(always)]
    fn starts(self, t: &ByteTables, window: &[u8; 72]) -> u64 {
        // SAFETY: AVX-512 with VBMI; the last load reads bytes 3..67 of 72.
        unsafe {
            let mut acc = _mm512_set1_epi8(-1);
            for (place, [low, high]) in t.0.iter().enumerate() {
                let v = _mm512_loadu_si512(window.as_ptr().add(place).cast());
                acc = _mm512_and_si512(acc, _mm512_permutex2var_epi8(*low, v, *high));
            }
            _mm512_test_epi8_mask(acc, acc)
        }
    }
}
