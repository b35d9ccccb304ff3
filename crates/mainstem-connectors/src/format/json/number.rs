//! Numbers out of their text: integers, doubles, decimals, as Java's `parseLong`, `parseDouble` and `BigDecimal` read
//! them.
//! Invariant: results are exact (integers, decimals) or correctly rounded (doubles); what does not fit is refused,
//! never wrapped. Does not trim and does not know JSON: a JSON number is a subset of what is read here.

use super::scan::leading_digits;

/// Eight digits are read at once if as many bytes can be loaded.
#[inline(always)]
fn eight_digits(word: u64) -> u64 {
    let pairs = (word & 0x0f0f_0f0f_0f0f_0f0f).wrapping_mul(2561) >> 8;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff).wrapping_mul(6_553_601) >> 16;
    (fours & 0x0000_ffff_0000_ffff).wrapping_mul(42_949_672_960_001) >> 32
}

/// The number made of the first `count` (1 to 8) bytes of `word`, which are digits.
#[inline(always)]
fn few_digits(word: u64, count: usize) -> u64 {
    // Shifted up, the bytes below become zeros, which read like leading '0's.
    eight_digits(word << (64 - 8 * count))
}

/// An integer: an optional sign and digits. `None` if it is none or does not fit.
#[inline(always)]
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    if digits.len() <= 18 {
        for digit in digits {
            let digit = digit.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value * 10 + u64::from(digit);
        }
    } else {
        for digit in digits {
            let digit = digit.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
        }
    }
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// Every power of ten that a double holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

const POWERS_U64: [u64; 9] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// A finite double at the start of `window`, where `len` bytes of it are the number; `window` should reach further,
/// so that eight bytes can be loaded at once.
#[inline(always)]
pub(super) fn double(window: &[u8], len: usize) -> Option<f64> {
    short_double(window, len).or_else(|| long_double(&window[..len]))
}

/// Up to seven digits on both sides of the point. Both whole parts fit a double, so one division rounds correctly.
#[inline(always)]
fn short_double(window: &[u8], len: usize) -> Option<f64> {
    let negative = usize::from(window[0] == b'-');
    let word = u64::from_le_bytes(*window.get(negative..)?.first_chunk()?);
    let whole_len = leading_digits(word);
    if !(1..8).contains(&whole_len) || negative + whole_len > len {
        return None;
    }
    let whole = few_digits(word, whole_len);
    let point = negative + whole_len;
    let magnitude = if point == len {
        whole as f64
    } else {
        let word = u64::from_le_bytes(*window.get(point + 1..)?.first_chunk()?);
        let count = leading_digits(word);
        if window[point] != b'.' || !(1..8).contains(&count) || point + 1 + count != len {
            return None;
        }
        let scaled = whole * POWERS_U64[count] + few_digits(word, count);
        scaled as f64 / POWERS[count]
    };
    Some(if negative == 1 { -magnitude } else { magnitude })
}

fn long_double(text: &[u8]) -> Option<f64> {
    let plain = |b: &u8| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
    if !text.iter().all(plain) {
        return None;
    }
    fast_float2::parse::<f64, _>(text).ok().filter(|v| v.is_finite())
}

/// What `Double.parseDouble` reads beside finite numbers.
pub(super) fn special_double(text: &[u8]) -> Option<f64> {
    match text {
        b"NaN" | b"+NaN" | b"-NaN" => Some(f64::NAN),
        b"Infinity" | b"+Infinity" => Some(f64::INFINITY),
        b"-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// A finite float, rounded once.
pub(super) fn float(text: &[u8]) -> Option<f32> {
    long_double(text)?;
    fast_float2::parse::<f32, _>(text).ok().filter(|v| v.is_finite())
}

/// A number as DECIMAL(`precision`, `scale`), rounded half up. `None` if it is no number; `Some(None)` if it does not
/// fit, which Flink makes NULL.
pub(super) fn decimal(text: &[u8], precision: u8, scale: i64) -> Option<Option<i128>> {
    let (negative, body) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let mantissa_len = memchr::memchr2(b'e', b'E', body).unwrap_or(body.len());
    let exponent = match &body[mantissa_len..] {
        [] => 0,
        // BigDecimal's exponents are 32 bits wide.
        [_, digits @ ..] => i64::from(i32::try_from(integer(digits)?).ok()?),
    };
    let mantissa = &body[..mantissa_len];
    let point = memchr::memchr(b'.', mantissa).unwrap_or(mantissa.len());
    // The power of ten of the digit at hand, and whether any digit was there.
    let mut power = point as i64 - 1 + exponent;
    let mut value: i128 = 0;
    let mut fits = true;
    let mut round_up = false;
    let mut any = false;
    for (i, byte) in mantissa.iter().enumerate() {
        if i == point {
            continue;
        }
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        any = true;
        if power >= -scale {
            match value.checked_mul(10).and_then(|v| v.checked_add(i128::from(digit))) {
                Some(next) => value = next,
                None => fits = false,
            }
        } else if power == -scale - 1 {
            round_up = digit >= 5;
        }
        power -= 1;
    }
    if !any {
        return None;
    }
    // Digits the text leaves out between its last one and the scale.
    let missing = power + 1 + scale;
    if missing > 0 && value != 0 {
        let factor = u32::try_from(missing).ok().and_then(|m| 10i128.checked_pow(m));
        match factor.and_then(|f| value.checked_mul(f)) {
            Some(scaled) => value = scaled,
            None => fits = false,
        }
    }
    value += i128::from(round_up);
    if !fits || value >= 10i128.pow(u32::from(precision)) {
        return Some(None);
    }
    Some(Some(if negative { -value } else { value }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        let rows: &[(&str, Option<i64>)] = &[
            ("0", Some(0)),
            ("-0", Some(0)),
            ("+7", Some(7)),
            ("12345678", Some(12_345_678)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-9223372036854775809", None),
            ("99999999999999999999999999", None),
            ("", None),
            ("-", None),
            ("1.0", None),
            ("1 ", None),
        ];
        for (text, value) in rows {
            assert_eq!(integer(text.as_bytes()), *value, "{text}");
        }
    }

    #[test]
    fn doubles_agree_with_the_standard_library() {
        let rows = [
            "0",
            "-0",
            "1",
            "123.45",
            "-123.45",
            "0.1",
            "0.3",
            "9999999.9999999",
            "12345678.1",
            "1234567.12345678",
            "1e5",
            "-1.5E-3",
            "2.2250738585072014e-308",
            "1.7976931348623157e308",
            "9007199254740993",
            "123456789012345678901234567890",
            "0.000001",
            "5e-324",
            "1e-400",
        ];
        for text in rows {
            let expected: f64 = text.parse().unwrap();
            let mut window = text.as_bytes().to_vec();
            let alone = double(&window, text.len()).unwrap();
            window.extend_from_slice(b",\"next\":12345678");
            let followed = double(&window, text.len()).unwrap();
            assert_eq!(alone.to_bits(), expected.to_bits(), "{text}");
            assert_eq!(followed.to_bits(), expected.to_bits(), "{text}");
        }
        for text in ["1e400", "nan", "inf", "", "1.2.3", "0x10", "."] {
            assert_eq!(long_double(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn decimals_round_half_up_and_overflow_to_null() {
        let rows: &[(&str, Option<Option<i128>>)] = &[
            ("1", Some(Some(100))),
            ("1.005", Some(Some(101))),
            ("-1.005", Some(Some(-101))),
            ("1.0049", Some(Some(100))),
            ("0.005", Some(Some(1))),
            ("0.0049", Some(Some(0))),
            (".5", Some(Some(50))),
            ("5.", Some(Some(500))),
            ("1e2", Some(Some(10_000))),
            ("123e-2", Some(Some(123))),
            ("5e-3", Some(Some(1))),
            ("5e-4", Some(Some(0))),
            ("0e99999", Some(Some(0))),
            ("999.994", Some(Some(99_999))),
            ("999.995", Some(None)),
            ("1000", Some(None)),
            ("1e100000", Some(None)),
            ("1e-100000", Some(Some(0))),
            ("00000000000000000000000000000000000000000000000001", Some(Some(100))),
            ("", None),
            (".", None),
            ("abc", None),
            ("1e", None),
            ("1..2", None),
        ];
        for (text, value) in rows {
            assert_eq!(decimal(text.as_bytes(), 5, 2), *value, "{text}");
        }
        let most = "9".repeat(38);
        assert_eq!(decimal(most.as_bytes(), 38, 0), Some(Some(10i128.pow(38) - 1)));
        assert_eq!(decimal("9".repeat(39).as_bytes(), 38, 0), Some(None));
    }
}
