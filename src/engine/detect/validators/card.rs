//! Payment cards: ISO/IEC 7812-1 (issuer prefixes, the Luhn check digit of its annex B).
//!
//! The table holds the networks' published ranges with the lengths that are in use. Lengths that
//! hardly exist and collide with ids (13- and 19-digit Visa, 17- and 18-digit UnionPay, UATP) are left out on purpose.

/// The longest number in the table.
const MAX: usize = 19;

/// First six digits from, to (inclusive), and a bit per length.
const ISSUERS: [(u32, u32, u32); 27] = [
    (220_000, 220_499, L16),             // Mir
    (222_100, 272_099, L16),             // Mastercard, 2-series
    (300_000, 305_999, L14 | L16),       // Diners Club
    (309_500, 309_599, L14 | L16),       // Diners Club
    (340_000, 349_999, L15),             // American Express
    (352_800, 358_999, L16),             // JCB
    (360_000, 369_999, L14 | L16),       // Diners Club
    (370_000, 379_999, L15),             // American Express
    (380_000, 399_999, L14 | L16),       // Diners Club
    (400_000, 499_999, L16),             // Visa
    (501_800, 501_899, L16 | L18 | L19), // Maestro
    (501_900, 501_999, L16),             // Dankort
    (502_000, 502_099, L16 | L18 | L19), // Maestro
    (503_800, 503_899, L16 | L18 | L19), // Maestro
    (506_099, 506_198, L16 | L19),       // Verve
    (506_600, 506_799, L16),             // Elo
    (508_500, 509_999, L16),             // RuPay, Elo
    (510_000, 559_999, L16),             // Mastercard
    (560_221, 561_099, L16),             // Bankcard
    (589_300, 589_399, L16 | L18 | L19), // Maestro
    (601_100, 601_199, L16),             // Discover
    (606_282, 608_500, L16),             // Hipercard, RuPay
    (620_000, 629_999, L16 | L19),       // UnionPay
    (630_400, 630_499, L16 | L18 | L19), // Maestro
    (636_297, 636_368, L16),             // Elo
    (644_000, 659_999, L16),             // Discover, RuPay, Elo, Verve
    (675_900, 676_399, L16 | L18 | L19), // Maestro
];

const L14: u32 = 1 << 14;
const L15: u32 = 1 << 15;
const L16: u32 = 1 << 16;
const L18: u32 = 1 << 18;
const L19: u32 = 1 << 19;

/// A card number, its digits perhaps in groups: a known issuer, a length that issuer uses, a right
/// check digit. A decimal point refuses it: that is a measurement.
pub(super) fn payment_card(text: &[u8]) -> bool {
    let mut digits = [0u8; MAX];
    let mut len = 0;
    for &byte in text {
        match byte {
            b'0'..=b'9' if len < MAX => {
                digits[len] = byte - b'0';
                len += 1;
            }
            b' ' | b'-' => {}
            _ => return false,
        }
    }
    let digits = &digits[..len];
    issued(digits) && luhn(digits) && !monotonous(digits)
}

fn issued(digits: &[u8]) -> bool {
    if digits.len() < 14 {
        return false;
    }
    let prefix = digits[..6].iter().fold(0, |n, &d| n * 10 + u32::from(d));
    ISSUERS.iter().any(|&(from, to, lengths)| {
        (from..=to).contains(&prefix) && lengths & (1 << digits.len()) != 0
    })
}

/// Every second digit from the right is doubled, its digits are added; the sum ends in 0.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, &d)| match u32::from(d) << (i % 2) {
            double if i % 2 == 1 && double > 9 => double - 9,
            plain => plain,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// One digit all over (`4444444444444444`): a placeholder, no card.
fn monotonous(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_networks_test_numbers() {
        for good in [
            "4111111111111111",
            "4012-8888-8888-1881",
            "5555 5555 5555 4444",
            "2223003122003222",
            "378282246310005",
            "3782 822463 10005",
            "30569309025904",
            "3852 000002 3237",
            "6011000990139424",
            "3530111333300000",
            "6212345678901232",
            "5019717010103742",
            "2200000000000004",
            "6759649826438453",
        ] {
            assert!(payment_card(good.as_bytes()), "{good}");
        }
    }

    #[test]
    fn what_is_no_card() {
        for bad in [
            "4111111111111112",       // check digit
            "1718000000000000",       // microseconds
            "4111111111111",          // length
            "9111111111111111",       // issuer
            "0000000000000000",       // all one digit
            "622567956175250009",     // UnionPay's 18 digits are ids far more often
            "4111111111111111.5",     // a decimal
            "6212345678901232123456", // too long
            "",
        ] {
            assert!(!payment_card(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn a_changed_digit_is_always_noticed() {
        let card = *b"4012888888881881";
        for i in 0..card.len() {
            for digit in b'0'..=b'9' {
                let mut other = card;
                other[i] = digit;
                assert!(other == card || !luhn(&other.map(|b| b - b'0')));
            }
        }
    }

    #[test]
    fn the_table_is_sorted_and_disjoint() {
        assert!(ISSUERS.windows(2).all(|w| w[0].1 < w[1].0 && w[0].0 <= w[0].1));
    }
}
