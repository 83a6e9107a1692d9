//! AVX-512 (F, BW, VBMI, VBMI2) for x86-64.

use std::arch::x86_64::*;

use super::avx2::Avx2;
use super::{CLASSES, Level, Lines, Task, class};
use crate::engine::index::fingerprint::{Fingerprint, LEN};
use crate::engine::index::gate::{Masks, Rare, Signs};

/// The processor has AVX-512 F, BW, VBMI and VBMI2, and what [`Avx2`] stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        let has = Avx2::detect().is_some()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("avx512vbmi2");
        has.then_some(Self(()))
    }

    pub(super) fn enter<T: Task>(self, task: T) {
        #[target_feature(
            enable = "avx2,avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi1,bmi2,lzcnt,popcnt"
        )]
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
    fn of(block: &[u8; 64]) -> Self {
        // SAFETY: AVX-512, as everything here: only reached through a value of `Avx512`. One load
        // of 64 bytes from an array of 64.
        unsafe { One(_mm512_loadu_si512(block.as_ptr().cast())) }
    }
    #[inline(always)]
    fn eq(self, b: u8) -> u64 {
        // SAFETY: AVX-512.
        unsafe { _mm512_cmpeq_epi8_mask(self.0, _mm512_set1_epi8(b as i8)) }
    }
    /// Bytes whose classes in [`CLASSES`] have one of the bits.
    #[inline(always)]
    fn test(self, bits: u8) -> u64 {
        // SAFETY: AVX-512.
        unsafe { _mm512_test_epi8_mask(self.0, _mm512_set1_epi8(bits as i8)) }
    }
}

/// The byte tables: 128 entries in two registers, one pair for each place.
#[derive(Clone, Copy)]
pub(crate) struct ByteTables([[__m512i; 2]; LEN]);

/// 0, 1, 2, … 63.
static PLACES: Lines<[u8; 64]> = {
    let mut t = [0; 64];
    let mut i = 0;
    while i < 64 {
        t[i] = i as u8;
        i += 1;
    }
    Lines(t)
};

impl Level for Avx512 {
    type Tables = ByteTables;

    #[inline(always)]
    fn masks(self, block: &[u8; 64]) -> Masks {
        // SAFETY: AVX-512 with VBMI; loads of 64 bytes from arrays of 64 and 128. The lookup takes
        // a byte's low seven bits, so bytes of 0x80 and above are masked out.
        let (v, classes, rare) = unsafe {
            let v = _mm512_loadu_si512(block.as_ptr().cast());
            let p = CLASSES.0.as_ptr();
            let first = _mm512_loadu_si512(p.cast());
            let second = _mm512_loadu_si512(p.add(64).cast());
            let classes = _mm512_permutex2var_epi8(first, v, second);
            let high = _mm512_movepi8_mask(v);
            let rare = _mm512_cmplt_epi8_mask(v, _mm512_set1_epi8(0x20));
            (One(v), One(_mm512_maskz_mov_epi8(!high, classes)), rare)
        };
        Masks {
            rare,
            quote: v.eq(b'"'),
            backslash: v.eq(b'\\'),
            digit: classes.test(class::DIGIT),
            alnum: classes.test(class::ALNUM),
            upper: classes.test(class::UPPER),
            between: classes.test(class::BETWEEN),
            name_end: classes.test(class::NAME_END),
            sign: classes.test(class::SIGN),
            colon: v.eq(b':'),
            equals: v.eq(b'='),
        }
    }

    #[inline(always)]
    fn rare(self, block: &[u8; 64]) -> Rare {
        let v = One::of(block);
        // SAFETY: AVX-512.
        let high = unsafe { _mm512_movepi8_mask(v.0) };
        Rare { newline: v.eq(b'\n'), high }
    }

    #[inline(always)]
    fn signs(self, block: &[u8; 64]) -> Signs {
        let v = One::of(block);
        let (single, paren) = (v.eq(b'@') | v.eq(b'%'), v.eq(b'(') | v.eq(b')'));
        Signs { single, plus: v.eq(b'+'), paren }
    }

    #[inline(always)]
    fn places<const USUAL: usize>(self, mask: u64, base: u32, out: &mut [u32; 16]) {
        // SAFETY: AVX-512 with VBMI2; one load of 64 bytes from an array of 64, one store of 64
        // bytes to an array of 16 words.
        unsafe {
            let each = _mm512_loadu_si512(PLACES.0.as_ptr().cast());
            let set = _mm512_maskz_compress_epi8(mask, each);
            let wide = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(set));
            let places = _mm512_add_epi32(wide, _mm512_set1_epi32(base as i32));
            _mm512_storeu_si512(out.as_mut_ptr().cast(), places);
        }
    }

    #[inline(always)]
    fn tables(self, f: &Fingerprint) -> ByteTables {
        // SAFETY: AVX-512; two loads of 64 bytes from arrays of 128.
        unsafe {
            let two =
                |p: *const u8| [_mm512_loadu_si512(p.cast()), _mm512_loadu_si512(p.add(64).cast())];
            let [a, b, c, d] = &f.byte;
            ByteTables([two(a.as_ptr()), two(b.as_ptr()), two(c.as_ptr()), two(d.as_ptr())])
        }
    }

    #[inline(always)]
    fn starts(self, t: ByteTables, window: &[u8; 72]) -> u64 {
        // SAFETY: AVX-512 with VBMI; the last load reads bytes 3..67 of 72.
        unsafe {
            let p = window.as_ptr();
            let v = [
                _mm512_loadu_si512(p.cast()),
                _mm512_loadu_si512(p.add(1).cast()),
                _mm512_loadu_si512(p.add(2).cast()),
                _mm512_loadu_si512(p.add(3).cast()),
            ];
            // Written out: a loop over the tables keeps them in memory.
            let [[a, b], [c, d], [e, f], [g, h]] = t.0;
            let first = _mm512_permutex2var_epi8(a, v[0], b);
            let second = _mm512_permutex2var_epi8(c, v[1], d);
            let third = _mm512_permutex2var_epi8(e, v[2], f);
            let fourth = _mm512_permutex2var_epi8(g, v[3], h);
            let pair = _mm512_and_si512(first, second);
            _mm512_test_epi8_mask(pair, _mm512_and_si512(third, fourth))
        }
    }
}
