//! PostgreSQL's binary NUMERIC: groups of four decimal digits around the point.
//!
//! ```text
//! i16 groups | i16 weight of the first group (10000^weight) | u16 sign 0x0000/0x4000 | u16 scale | groups x i16
//! ```

use mainstem_core::{Error, Result};

/// Appends `unscaled * 10^-scale`.
pub(crate) fn put(out: &mut Vec<u8>, unscaled: i128, scale: u16) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(unscaled.unsigned_abs()).as_bytes();
    let scale_digits = usize::from(scale);
    let mut groups = [0i16; 24];
    let mut count = 0;
    // The digits before the point, cut into groups from the point leftwards; then those after it, rightwards.
    let whole = digits.len().saturating_sub(scale_digits);
    let mut at = 0;
    let mut weight = (whole.div_ceil(4)) as i16 - 1;
    while at < whole {
        let length = if (whole - at) % 4 == 0 { 4 } else { (whole - at) % 4 };
        groups[count] = number(&digits[at..at + length], 0);
        count += 1;
        at += length;
    }
    let leading_zeros = scale_digits.saturating_sub(digits.len());
    let fraction = &digits[whole..];
    let mut position = 0;
    while position < scale_digits {
        let end = (position + 4).min(scale_digits);
        let from = position.saturating_sub(leading_zeros).min(fraction.len());
        let to = end.saturating_sub(leading_zeros).min(fraction.len());
        groups[count] = number(&fraction[from..to], 4 - (end - position));
        count += 1;
        position = end;
    }
    let skipped = groups[..count].iter().take_while(|g| **g == 0).count();
    weight -= skipped as i16;
    let kept = &groups[skipped..count];
    let trailing = kept.iter().rev().take_while(|g| **g == 0).count();
    let kept = &kept[..kept.len() - trailing];
    if kept.is_empty() {
        weight = 0;
    }
    out.extend_from_slice(&(kept.len() as i16).to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    let sign: u16 = if unscaled < 0 { 0x4000 } else { 0 };
    out.extend_from_slice(&sign.to_be_bytes());
    out.extend_from_slice(&scale.to_be_bytes());
    for group in kept {
        out.extend_from_slice(&group.to_be_bytes());
    }
}

/// Up to four digits as a number, with `zeros` zeros after them.
fn number(digits: &[u8], zeros: usize) -> i16 {
    let value = digits.iter().fold(0, |n, d| n * 10 + i16::from(d - b'0'));
    value * [1, 10, 100, 1000][zeros.min(3)]
}

/// The text of a binary NUMERIC; `None` if it is not one.
pub(crate) fn text(bytes: &[u8]) -> Option<String> {
    let word = |i: usize| Some(i16::from_be_bytes(bytes.get(i * 2..i * 2 + 2)?.try_into().ok()?));
    let (count, weight, sign, scale) = (word(0)?, word(1)?, word(2)?, word(3)? as usize);
    let group = |index: i16| -> Option<i16> {
        if index < 0 || index >= count { Some(0) } else { word(4 + index as usize) }
    };
    let mut text = String::from(if sign == 0x4000 { "-" } else { "" });
    let mut whole = String::new();
    for index in 0..=weight.max(-1) {
        whole.push_str(&format!("{:04}", group(index)?));
    }
    let whole = whole.trim_start_matches('0');
    text.push_str(if whole.is_empty() { "0" } else { whole });
    let mut fraction = String::new();
    let mut index = weight + 1;
    while fraction.len() < scale {
        fraction.push_str(&format!("{:04}", group(index)?));
        index += 1;
    }
    if scale > 0 {
        text.push('.');
        text.push_str(&fraction[..scale]);
    }
    Some(text)
}

/// Whether a number has digits behind the point; groups of zeros at the end are never sent.
pub(crate) fn has_fraction(bytes: &[u8]) -> bool {
    let word = |i: usize| Some(i16::from_be_bytes(bytes.get(i * 2..i * 2 + 2)?.try_into().ok()?));
    word(0).zip(word(1)).is_some_and(|(count, weight)| count > 0 && count - 1 > weight)
}

/// The number in units of `10^-scale`, rounded half away from zero; `None` if it takes more than 38 digits. NaN and the
/// infinities are errors.
pub(crate) fn read(bytes: &[u8], scale: u16) -> Result<Option<i128>> {
    let broken = || Error::internal("PostgreSQL sent a NUMERIC that is none");
    let word = |i: usize| {
        let pair = bytes.get(i * 2..i * 2 + 2).ok_or_else(broken)?;
        Ok::<_, Error>(i16::from_be_bytes(pair.try_into().map_err(|_| broken())?))
    };
    let (count, weight, sign) = (word(0)?, i32::from(word(1)?), word(2)? as u16);
    if sign & 0x8000 != 0 {
        return Err(Error::user("NaN and Infinity are no DECIMAL"));
    }
    let mut unscaled: i128 = 0;
    for index in 0..count.max(0) {
        let group = i128::from(word(4 + index as usize)?);
        // The group counts 10^exponent units.
        let exponent = (weight - i32::from(index)) * 4 + i32::from(scale);
        let part = match exponent {
            38.. if group != 0 => return Ok(None),
            38.. => 0,
            0.. => {
                let unit = 10_i128.pow(exponent as u32);
                let Some(part) = group.checked_mul(unit) else { return Ok(None) };
                part
            }
            -4..0 => {
                // The last group that counts: what is cut off decides alone, as half is a digit of its own.
                let unit = 10_i128.pow(exponent.unsigned_abs());
                group / unit + i128::from(group % unit * 2 >= unit)
            }
            _ => 0,
        };
        let Some(sum) = unscaled.checked_add(part) else { return Ok(None) };
        unscaled = sum;
        if exponent < 0 {
            break;
        }
    }
    Ok(Some(if sign == 0x4000 { -unscaled } else { unscaled }))
}
