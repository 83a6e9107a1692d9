use proptest::prelude::*;

use super::*;
use crate::engine::index::exact::{ByteSet, Exact, Row, WINDOW};
use crate::engine::index::{Gate, Gates, Index, Mark};

fn levels() -> Vec<Simd> {
    ["avx512", "avx2"].into_iter().filter_map(Simd::named).collect()
}

/// Bytes that gates and tables care about, mostly.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let b = prop_oneof![
        4 => prop::sample::select(b"\"\\\n\r:=@+()%'-./ 0159aAZz{},ghp_".to_vec()),
        1 => any::<u8>(),
    ];
    prop::collection::vec(b, 0..700)
}

fn gates() -> Gates {
    let literal = |l: &[u8], id| {
        let mut window = [ByteSet::ANY; WINDOW];
        for (w, &b) in window[1..].iter_mut().zip(l) {
            *w = ByteSet::of(|c| c == b);
        }
        Row { window, id }
    };
    let any = |id| vec![Row { window: [ByteSet::ANY; WINDOW], id }];
    let rows = vec![literal(b"ghp_", 7), literal(b"za:", 8), literal("clé_".as_bytes(), 9)];
    let heads: Vec<_> = rows.iter().map(|r| std::array::from_fn(|i| r.window[i + 1])).collect();
    Gates {
        exact: Gate::ALL.map(|gate| {
            let rows = if gate == Gate::Literal { rows.clone() } else { any(gate as u16) };
            Exact::new(gate, &rows)
        }),
        literals: Fingerprint::new(&heads),
        loose: 0,
    }
}

#[test]
fn a_literal_may_have_letters_of_any_alphabet() {
    let gates = gates();
    let mut buf = vec![b'\n'; 64];
    buf.extend_from_slice("une clé_abc".as_bytes());
    let end = buf.len();
    buf.extend_from_slice(&[b'\n'; 256]);
    for simd in levels().into_iter().chain([Simd::Scalar]) {
        let mut index = Index::default();
        index.scan(simd, &buf, 64, end, &gates, false);
        assert!(index.marks.contains(&Mark::new(68, 9)), "{}", simd.name());
    }
}

/// What stands behind a literal is any byte, of any alphabet.
#[test]
fn a_short_literal_is_found_before_any_byte() {
    let gates = gates();
    for byte in 0..=255 {
        let mut buf = vec![b'\n'; 64];
        buf.extend_from_slice(b" za:");
        buf.push(byte);
        let end = buf.len();
        buf.extend_from_slice(&[b'\n'; 256]);
        for simd in levels().into_iter().chain([Simd::Scalar]) {
            let mut index = Index::default();
            index.scan(simd, &buf, 64, end, &gates, false);
            assert!(index.marks.contains(&Mark::new(65, 8)), "{byte:#x}, {}", simd.name());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_level_equals_the_scalar_twin(data in bytes(), text: bool) {
        let gates = gates();
        let mut buf = vec![b'\n'; 64];
        buf.extend_from_slice(&data);
        let end = buf.len();
        buf.extend_from_slice(&[b'\n'; 256]);
        let mut twin = Index::default();
        twin.scan(Simd::Scalar, &buf, 64, end, &gates, text);
        for simd in levels() {
            let mut index = Index::default();
            index.scan(simd, &buf, 64, end, &gates, text);
            prop_assert_eq!(index.quotes(), twin.quotes());
            prop_assert_eq!(index.lines(), twin.lines());
            prop_assert_eq!(&index.controls, &twin.controls);
            prop_assert_eq!(index.highs(), twin.highs());
            // Nibble tables admit more than byte tables; the exact table makes them equal.
            prop_assert_eq!(&index.marks, &twin.marks);
        }
    }

    #[test]
    fn quotes_are_those_that_a_plain_reader_finds(data in bytes()) {
        let gates = gates();
        let mut buf = vec![b'\n'; 64];
        buf.extend_from_slice(&data);
        let end = buf.len();
        buf.extend_from_slice(&[b'\n'; 256]);
        let mut index = Index::default();
        index.scan(Simd::detect(), &buf, 64, end, &gates, false);
        let mut wanted = vec![];
        let mut i = 64;
        while i < end {
            match buf[i] {
                b'\\' => i += 1,
                b'"' => wanted.push(i as u32),
                _ => {}
            }
            i += 1;
        }
        prop_assert_eq!(index.quotes(), &wanted[..]);
        let newlines: Vec<_> = (64..end).filter(|&i| buf[i] == b'\n').map(|i| i as u32).collect();
        prop_assert_eq!(index.lines().iter().map(|l| l.at).collect::<Vec<_>>(), newlines);
    }
}
