//! AVX2 for x86-64.

use std::arch::x86_64::*;

use super::{Level, Task};
use crate::engine::index::fingerprint::{Fingerprint, LEN};
use crate::engine::index::gate::{Masks, Rare, Signs};

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
    fn of(block: &[u8; 64]) -> Self {
        let p = block.as_ptr();
        // SAFETY: AVX2, as everything here: only reached through a value of `Avx2`. Two loads of
        // 32 bytes from an array of 64.
        unsafe { Two(_mm256_loadu_si256(p.cast()), _mm256_loadu_si256(p.add(32).cast())) }
    }
    #[inline(always)]
    fn bits(self) -> u64 {
        // SAFETY: AVX2.
        unsafe {
            u64::from(_mm256_movemask_epi8(self.0) as u32)
                | u64::from(_mm256_movemask_epi8(self.1) as u32) << 32
        }
    }
    #[inline(always)]
    fn or(self, o: Self) -> Self {
        // SAFETY: AVX2.
        unsafe { Two(_mm256_or_si256(self.0, o.0), _mm256_or_si256(self.1, o.1)) }
    }
    #[inline(always)]
    fn equal(self, b: u8) -> Self {
        // SAFETY: AVX2.
        unsafe {
            let k = _mm256_set1_epi8(b as i8);
            Two(_mm256_cmpeq_epi8(self.0, k), _mm256_cmpeq_epi8(self.1, k))
        }
    }
    #[inline(always)]
    fn in_range(self, low: u8, high: u8) -> Self {
        // SAFETY: AVX2.
        unsafe {
            let l = _mm256_set1_epi8(low as i8);
            let n = _mm256_set1_epi8((high - low) as i8);
            let (a, b) = (_mm256_sub_epi8(self.0, l), _mm256_sub_epi8(self.1, l));
            Two(
                _mm256_cmpeq_epi8(_mm256_min_epu8(a, n), a),
                _mm256_cmpeq_epi8(_mm256_min_epu8(b, n), b),
            )
        }
    }
    #[inline(always)]
    fn eq(self, b: u8) -> u64 {
        self.equal(b).bits()
    }
    #[inline(always)]
    fn within(self, low: u8, high: u8) -> u64 {
        self.in_range(low, high).bits()
    }
    /// The bytes that the table has where the low half of a byte says.
    #[inline(always)]
    fn any_of(self, table: &[u8; 16]) -> u64 {
        // SAFETY: AVX2; one load of 16 bytes from an array of 16. A byte of 0x80 and above looks up
        // a zero, which it is not.
        unsafe {
            let t = _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast()));
            let of = |v| _mm256_cmpeq_epi8(_mm256_shuffle_epi8(t, v), v);
            Two(of(self.0), of(self.1)).bits()
        }
    }
    /// Below `b` as signed bytes: bytes of 0x80 and above are.
    #[inline(always)]
    fn signed_below(self, b: u8) -> u64 {
        // SAFETY: AVX2.
        unsafe {
            let k = _mm256_set1_epi8(b as i8);
            Two(_mm256_cmpgt_epi8(k, self.0), _mm256_cmpgt_epi8(k, self.1)).bits()
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

/// `@`, `%`, `+`, `(` and `)`, each at its low half. (Elsewhere a byte that has another.)
const SIGNS: [u8; 16] = [
    b'@', 0xff, 0xff, 0xff, 0xff, b'%', 0xff, 0xff, b'(', b')', 0xff, b'+', 0xff, 0xff, 0xff, 0xff,
];

/// The nibble tables, low and high, one pair for each place.
#[derive(Clone, Copy)]
pub(crate) struct NibbleTables {
    low: [__m256i; LEN],
    high: [__m256i; LEN],
}

impl Level for Avx2 {
    type Tables = NibbleTables;

    #[inline(always)]
    fn masks(self, block: &[u8; 64]) -> Masks {
        let v = Two::of(block);
        let digit = v.in_range(b'0', b'9');
        let alpha = v.lower().in_range(b'a', b'z');
        let space = v.equal(b' ');
        Masks {
            rare: v.signed_below(0x20),
            quote: v.eq(b'"'),
            backslash: v.eq(b'\\'),
            digit: digit.bits(),
            alnum: digit.or(alpha).bits(),
            upper: v.within(b'A', b'Z'),
            between: space.or(v.in_range(b'-', b'/')).bits(),
            name_end: alpha.or(space).or(v.equal(b'\'')).bits(),
            sign: v.any_of(&SIGNS),
            colon: v.eq(b':'),
            equals: v.eq(b'='),
        }
    }

    #[inline(always)]
    fn rare(self, block: &[u8; 64]) -> Rare {
        let v = Two::of(block);
        Rare { newline: v.eq(b'\n'), high: v.bits() }
    }

    #[inline(always)]
    fn signs(self, block: &[u8; 64]) -> Signs {
        let v = Two::of(block);
        let single = v.eq(b'@') | v.eq(b'%');
        Signs { single, plus: v.eq(b'+'), paren: v.within(b'(', b')') }
    }

    #[inline(always)]
    fn tables(self, f: &Fingerprint) -> NibbleTables {
        NibbleTables { low: nibbles(&f.low), high: nibbles(&f.high) }
    }

    #[inline(always)]
    fn starts(self, t: NibbleTables, window: &[u8; 72]) -> u64 {
        // SAFETY: AVX2; the last load reads bytes 35..67 of 72.
        unsafe {
            let (fifteen, seven) = (_mm256_set1_epi8(15), _mm256_set1_epi8(7));
            let mut acc = Two(_mm256_set1_epi8(-1), _mm256_set1_epi8(-1));
            // Both halves at each place: there are not registers for all tables.
            for place in 0..LEN {
                let (low, high) = (t.low[place], t.high[place]);
                let admitted = |from: usize| {
                    let v = _mm256_loadu_si256(window.as_ptr().add(from + place).cast());
                    // Bytes ≥ 0x80 count as 0x80 less, as the twins': the exact table refuses them,
                    // and where a literal has ended any byte may stand.
                    let l = _mm256_and_si256(v, fifteen);
                    let h = _mm256_and_si256(_mm256_srli_epi16(v, 4), seven);
                    _mm256_and_si256(_mm256_shuffle_epi8(low, l), _mm256_shuffle_epi8(high, h))
                };
                acc = Two(
                    _mm256_and_si256(acc.0, admitted(0)),
                    _mm256_and_si256(acc.1, admitted(32)),
                );
            }
            !acc.eq(0)
        }
    }
}

#[inline(always)]
fn nibbles(tables: &[[u8; 16]; LEN]) -> [__m256i; LEN] {
    // SAFETY: AVX2; loads of 16 bytes from arrays of 16.
    unsafe {
        let mut r = [_mm256_setzero_si256(); LEN];
        for (r, t) in r.iter_mut().zip(tables) {
            *r = _mm256_broadcastsi128_si256(_mm_loadu_si128(t.as_ptr().cast()));
        }
        r
    }
}
