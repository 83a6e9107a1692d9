//! The home of `unsafe`: a block's byte classes and literal fingerprints by AVX-512, AVX2, or
//! plain Rust.
//!
//! Invariant: a value of [`Avx2`] or [`Avx512`] exists only on a processor that has the features
//! its functions are compiled for; only [`Simd::detect`] and [`Simd::named`] make one, behind
//! `is_x86_feature_detected!`. The loads read whole arrays behind references, so no pointer can
//! leave its buffer. [`Scalar`] is their twin, and a test holds them equal.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use super::fingerprint::{Fingerprint, LEN};
use super::gate::{Masks, Rare, Signs};

/// An instruction set.
pub(crate) trait Level: Copy {
    /// The fingerprint's tables in registers.
    type Tables: Copy;
    /// The byte classes of a block.
    fn masks(self, block: &[u8; 64]) -> Masks;
    /// Those of the rare bytes.
    fn rare(self, block: &[u8; 64]) -> Rare;
    /// Those of the signs.
    fn signs(self, block: &[u8; 64]) -> Signs;
    /// Loads the fingerprint's tables.
    fn tables(self, f: &Fingerprint) -> Self::Tables;
    /// Writes `base` plus the place of each of the first 16 bits of `mask`; what it writes behind
    /// the last one means nothing. As a rule there are at most `USUAL`.
    #[inline(always)]
    fn places<const USUAL: usize>(self, mut mask: u64, base: u32, out: &mut [u32; 16]) {
        for (i, place) in out.iter_mut().enumerate() {
            if i >= USUAL && i % 4 == 0 && mask == 0 {
                return;
            }
            *place = base.wrapping_add(mask.trailing_zeros());
            mask &= mask.wrapping_sub(1);
        }
    }
    /// The places among the first 64 at which a literal may begin.
    fn starts(self, t: Self::Tables, window: &[u8; 72]) -> u64;
}

/// Code to be compiled once for each instruction set. `run` must be `#[inline(always)]`.
pub(crate) trait Task {
    fn run<L: Level>(self, level: L);
}

/// The instruction set in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Simd {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Avx512),
}

impl Simd {
    /// The best that this processor has.
    pub(crate) fn detect() -> Self {
        ["avx512", "avx2"].into_iter().find_map(Self::named).unwrap_or(Simd::Scalar)
    }

    /// `avx512`, `avx2` or `scalar`, if this processor has it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        match name {
            "avx512" => return avx512::Avx512::detect().map(Simd::Avx512),
            "avx2" => return avx2::Avx2::detect().map(Simd::Avx2),
            _ => {}
        }
        (name == "scalar").then_some(Simd::Scalar)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Simd::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Simd::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Simd::Avx512(_) => "avx512",
        }
    }

    /// Runs `task`, compiled for this instruction set.
    pub(crate) fn run<T: Task>(self, task: T) {
        match self {
            Simd::Scalar => task.run(Scalar),
            #[cfg(target_arch = "x86_64")]
            Simd::Avx2(l) => l.enter(task),
            #[cfg(target_arch = "x86_64")]
            Simd::Avx512(l) => l.enter(task),
        }
    }
}

/// Plain Rust.
#[derive(Clone, Copy)]
pub(crate) struct Scalar;

/// Bits of [`CLASSES`], in the order of [`Masks`]' fields from `digit` on.
mod class {
    pub(super) const DIGIT: u8 = 1;
    pub(super) const ALNUM: u8 = 2;
    pub(super) const UPPER: u8 = 4;
    pub(super) const BETWEEN: u8 = 8;
    pub(super) const NAME_END: u8 = 16;
    pub(super) const SIGN: u8 = 32;
}

/// Whole lines of the cache.
#[repr(align(64))]
struct Lines<T>(T);

/// The classes of each ASCII byte; bytes beyond are in none.
static CLASSES: Lines<[u8; 128]> = {
    let mut t = [0u8; 128];
    let mut i = 0;
    while i < 128 {
        let b = i as u8;
        let bits = [
            b.is_ascii_digit(),
            b.is_ascii_alphanumeric(),
            b.is_ascii_uppercase(),
            b == b'-' || b == b'.' || b == b'/' || b == b' ',
            b.is_ascii_alphabetic() || b == b' ' || b == b'\'',
            matches!(b, b'@' | b'%' | b'+' | b'(' | b')'),
        ];
        let mut k = 0;
        while k < bits.len() {
            t[i] |= (bits[k] as u8) << k;
            k += 1;
        }
        i += 1;
    }
    Lines(t)
};

impl Level for Scalar {
    type Tables = Fingerprint;

    #[inline(always)]
    fn masks(self, block: &[u8; 64]) -> Masks {
        let mut m = Masks::default();
        for (i, &b) in block.iter().enumerate() {
            let bit = 1u64 << i;
            if !(0x20..0x80).contains(&b) {
                m.rare |= bit;
                continue;
            }
            let c = CLASSES.0[usize::from(b)];
            let has = |class: u8| u64::from(c & class != 0) << i;
            m.digit |= has(class::DIGIT);
            m.alnum |= has(class::ALNUM);
            m.upper |= has(class::UPPER);
            m.between |= has(class::BETWEEN);
            m.name_end |= has(class::NAME_END);
            m.sign |= has(class::SIGN);
            match b {
                b'"' => m.quote |= bit,
                b'\\' => m.backslash |= bit,
                b':' => m.colon |= bit,
                b'=' => m.equals |= bit,
                _ => {}
            }
        }
        m
    }

    #[inline(always)]
    fn rare(self, block: &[u8; 64]) -> Rare {
        let bits = |is: fn(u8) -> bool| plain_bits(block, is);
        Rare { newline: bits(|b| b == b'\n'), high: bits(|b| b >= 0x80) }
    }

    #[inline(always)]
    fn signs(self, block: &[u8; 64]) -> Signs {
        let bits = |is: fn(u8) -> bool| plain_bits(block, is);
        Signs {
            single: bits(|b| matches!(b, b'@' | b'%')),
            plus: bits(|b| b == b'+'),
            paren: bits(|b| matches!(b, b'(' | b')')),
        }
    }

    #[inline(always)]
    fn tables(self, f: &Fingerprint) -> Fingerprint {
        *f
    }

    #[inline(always)]
    fn starts(self, t: Fingerprint, window: &[u8; 72]) -> u64 {
        let mut m = 0;
        for i in 0..64 {
            let head = std::array::from_fn::<_, LEN, _>(|k| window[i + k]);
            m |= u64::from(t.admits(&head)) << i;
        }
        m
    }
}

fn plain_bits(block: &[u8; 64], is: fn(u8) -> bool) -> u64 {
    block.iter().enumerate().fold(0, |all, (i, &b)| all | u64::from(is(b)) << i)
}

#[cfg(test)]
mod tests;
