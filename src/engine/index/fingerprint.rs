//! Fingerprints of literals: the first 4 bytes of every literal, in 8 buckets, tested at 64 places
//! at once (the idea is Teddy's, by Geoffrey Langdale, from Hyperscan).
//!
//! A bucket is the product of its literals' byte sets, so it lets more through than they are; the
//! exact table behind it tells. AVX-512 looks whole bytes up; AVX2 has nibble tables.

use super::exact::ByteSet;

/// Bytes of a literal that the fingerprint sees.
pub(crate) const LEN: usize = 4;
const BUCKETS: usize = 8;

/// The tables: bit `b` of an entry says that bucket `b` admits the byte at that place.
#[derive(Clone, Copy)]
pub(crate) struct Fingerprint {
    pub(crate) byte: [[u8; 128]; LEN],
    pub(crate) low: [[u8; 16]; LEN],
    pub(crate) high: [[u8; 16]; LEN],
}

type Head = [ByteSet; LEN];

impl Fingerprint {
    /// Tables for `heads`, the first bytes of the literals; `None` if there are none.
    pub(crate) fn new(heads: &[Head]) -> Option<Self> {
        let mut heads = heads.to_vec();
        heads.sort_unstable();
        heads.dedup();
        if heads.is_empty() {
            return None;
        }
        let mut f = Self { byte: [[0; 128]; LEN], low: [[0; 16]; LEN], high: [[0; 16]; LEN] };
        for (bucket, group) in split(&heads).into_iter().enumerate() {
            let union = union_of(group);
            for (place, set) in union.iter().enumerate() {
                // Bytes ≥ 0x80 count as 0x80 less: the exact table tells them apart.
                for b in set.iter().map(|b| b & 127) {
                    f.byte[place][usize::from(b)] |= 1 << bucket;
                    f.low[place][usize::from(b & 15)] |= 1 << bucket;
                    f.high[place][usize::from(b >> 4)] |= 1 << bucket;
                }
            }
        }
        Some(f)
    }

    /// Whether some bucket admits the bytes. Bytes ≥ 0x80 count as 0x80 less, as the SIMD twins'.
    #[inline]
    pub(crate) fn admits(&self, bytes: &[u8; LEN]) -> bool {
        (0..LEN).fold(0xffu8, |m, i| m & self.byte[i][usize::from(bytes[i] & 127)]) != 0
    }
}

fn union_of(group: &[Head]) -> Head {
    group.iter().fold([ByteSet::NONE; LEN], |u, h| std::array::from_fn(|i| u[i].union(&h[i])))
}

/// How often ordinary log text has a byte of the set: a rough weight is enough to tell good
/// groupings from bad ones.
pub(crate) fn weight(set: &ByteSet) -> f64 {
    let of = |b: u8| match b {
        b'a'..=b'z' => 0.022,
        b'0'..=b'9' => 0.020,
        b'A'..=b'Z' => 0.006,
        b'_' | b'-' | b'.' | b'/' | b' ' | b':' => 0.015,
        _ => 0.002,
    };
    set.iter().map(of).sum()
}

/// The sorted heads cut into at most 8 runs, such that the buckets' products admit least
/// (dynamic programming over the cuts).
fn split(heads: &[Head]) -> Vec<&[Head]> {
    let n = heads.len();
    let k = BUCKETS.min(n);
    // cost[i][j]: of one bucket that holds heads i..=j.
    let mut cost = vec![vec![0.0; n]; n];
    for (i, row) in cost.iter_mut().enumerate() {
        let mut u = [ByteSet::NONE; LEN];
        let mut w = [0.0; LEN];
        for (j, cell) in row.iter_mut().enumerate().skip(i) {
            for place in 0..LEN {
                let grown = u[place].union(&heads[j][place]);
                if grown != u[place] {
                    u[place] = grown;
                    w[place] = weight(&grown);
                }
            }
            *cell = w.iter().product();
        }
    }
    // best[b][j]: of the first j heads in b buckets, with the last bucket's first head.
    let mut best = vec![vec![(f64::INFINITY, 0usize); n + 1]; k + 1];
    best[0][0].0 = 0.0;
    for b in 1..=k {
        for j in b..=n {
            best[b][j] = (b - 1..j)
                .map(|i| (best[b - 1][i].0 + cost[i][j - 1], i))
                .min_by(|x, y| x.0.total_cmp(&y.0))
                .unwrap_or((f64::INFINITY, 0));
        }
    }
    let mut cuts = vec![n];
    let mut j = n;
    for b in (1..=k).rev() {
        j = best[b][j].1;
        cuts.push(j);
    }
    cuts.reverse();
    cuts.windows(2).map(|w| &heads[w[0]..w[1]]).filter(|g| !g.is_empty()).collect()
}
