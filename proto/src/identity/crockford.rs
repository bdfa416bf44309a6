//! Crockford base32: what people read aloud, forgiving of `I L O`, lower case, spaces and dashes; with a check
//! character over GF(32) that catches every single wrong character and every swap of two characters.

use crate::Random;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Why a text is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Length(usize),
    Character(char),
    Check,
}

/// The symbols of `text` without separators, `I` and `L` read as `1`, `O` as `0`.
pub(super) fn symbols(text: &str, length: usize) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::with_capacity(length);
    for c in text.chars().filter(|c| !matches!(c, ' ' | '-' | '\u{a0}' | '\t')) {
        let upper = match c.to_ascii_uppercase() {
            'I' | 'L' => '1',
            'O' => '0',
            other => other,
        };
        let value = ALPHABET.iter().position(|a| char::from(*a) == upper).ok_or(Fault::Character(c))?;
        out.push(u8::try_from(value).map_err(|_| Fault::Character(c))?);
        if out.len() > 64 {
            break;
        }
    }
    if out.len() == length { Ok(out) } else { Err(Fault::Length(out.len())) }
}

/// The symbols of a code whose last character is its check character.
pub(super) fn checked(text: &str, length: usize) -> Result<Vec<u8>, Fault> {
    let all = symbols(text, length)?;
    let (data, check) = all.split_at(length - 1);
    if check_symbol(data) == check[0] { Ok(all) } else { Err(Fault::Check) }
}

/// Doubles in GF(32) with the primitive polynomial x^5 + x^2 + 1.
const fn double(value: u8) -> u8 {
    let shifted = value << 1;
    if shifted & 0x20 == 0 { shifted } else { (shifted ^ 0x25) & 0x1f }
}

/// The sum of `symbol[i] * 2^(n - i)` over GF(32): one more Horner step than digits, so the check symbol itself has
/// weight one and no two of up to 31 places share a weight.
pub(super) fn check_symbol(data: &[u8]) -> u8 {
    data.iter().fold(0, |sum, symbol| double(sum ^ symbol))
}

/// `length` random symbols.
pub(super) fn random_symbols(random: &Random, length: usize) -> Vec<u8> {
    random.bytes::<64>().iter().take(length).map(|byte| byte & 0x1f).collect()
}

/// The symbols as text in groups of four with dashes.
pub(super) fn grouped(symbols: &[u8]) -> String {
    let mut out = String::with_capacity(symbols.len() + symbols.len() / 4);
    for (place, symbol) in symbols.iter().enumerate() {
        if place > 0 && place % 4 == 0 {
            out.push('-');
        }
        out.push(char::from(ALPHABET[usize::from(symbol & 0x1f)]));
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(0u8..32, 11).prop_map(|mut data| {
            data.push(check_symbol(&data));
            data
        })
    }

    proptest! {
        #[test]
        fn text_round_trips(code in code()) {
            prop_assert_eq!(checked(&grouped(&code), 12), Ok(code));
        }

        #[test]
        fn every_single_wrong_character_is_caught(code in code(), place in 0usize..12, other in 0u8..32) {
            prop_assume!(code[place] != other);
            let mut wrong = code;
            wrong[place] = other;
            prop_assert_eq!(checked(&grouped(&wrong), 12), Err(Fault::Check));
        }

        #[test]
        fn every_swap_is_caught(code in code(), a in 0usize..12, b in 0usize..12) {
            prop_assume!(code[a] != code[b]);
            let mut wrong = code;
            wrong.swap(a, b);
            prop_assert_eq!(checked(&grouped(&wrong), 12), Err(Fault::Check));
        }
    }

    #[test]
    fn what_people_type_is_forgiven() {
        assert_eq!(symbols(" o1il-abcd ", 8).unwrap(), symbols("0111ABCD", 8).unwrap());
        assert_eq!(symbols("ABCU", 4), Err(Fault::Character('U')));
        assert_eq!(symbols("ABC", 4), Err(Fault::Length(3)));
    }
}
