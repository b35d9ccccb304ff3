//! Numbers that carry check digits: bank accounts, cards, identity numbers, books, articles.
//! Invariant: what is made passes the check that its standard defines.

use mainstem_core::clock::Rng;
use mainstem_core::java_format::civil_from_days;

use super::moment::padded;

/// Which number.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Checked {
    /// ISO 13616, of one of these countries.
    Iban(Vec<&'static IbanCountry>),
    /// A card number (ISO/IEC 7812): its prefix and its length; groups of four are separated by `-`.
    Card(Vec<(&'static str, usize)>),
    /// Device identity, 15 digits with the same check as cards.
    Imei,
    /// Brazil's person number, with dots or without.
    Cpf {
        formatted: bool,
    },
    /// Brazil's company number.
    Cnpj {
        formatted: bool,
    },
    /// Romania's personal numeric code.
    Cnp,
    /// The United States' social security number: no check digit, but blocks that are never issued.
    Ssn,
    Isbn10,
    Isbn13,
    Ean8,
    Ean13,
}

/// How a country's account numbers look: `n` digits, `a` letters, `c` either, each with its count; `banks` are known
/// bank codes to start with, if there are any.
#[derive(Debug, PartialEq)]
pub(super) struct IbanCountry {
    pub(super) code: &'static str,
    layout: &'static str,
    banks: &'static [&'static str],
}

const fn iban(
    code: &'static str,
    layout: &'static str,
    banks: &'static [&'static str],
) -> IbanCountry {
    IbanCountry { code, layout, banks }
}

/// The countries whose account numbers can be made.
pub(super) static IBANS: &[IbanCountry] = &[
    iban("AT", "16n", &[]),
    iban("BE", "12n", &[]),
    iban("BG", "4a6n8c", &[]),
    iban("BR", "23n1a1c", &[]),
    iban("CH", "5n12c", &[]),
    iban("CZ", "20n", &[]),
    iban("DE", "18n", &[]),
    iban("DK", "14n", &[]),
    iban("ES", "20n", &[]),
    iban("FI", "14n", &[]),
    iban("FR", "10n11c2n", &[]),
    iban("GB", "4a14n", &[]),
    iban("GR", "7n16c", &[]),
    iban("HR", "17n", &[]),
    iban("HU", "24n", &[]),
    iban("IE", "4a14n", &[]),
    iban("IT", "1a10n12c", &[]),
    iban("LU", "3n13c", &[]),
    iban("MD", "20c", &[]),
    iban("NL", "4a10n", &[]),
    iban("NO", "11n", &[]),
    iban("PL", "24n", &[]),
    iban("PT", "21n", &[]),
    iban("RO", "16c", &["BTRL", "RNCB", "BRDE", "INGB", "RZBR", "CECE", "BACX", "UGBI", "PIRB"]),
    iban("SE", "20n", &[]),
    iban("SK", "20n", &[]),
];

impl Checked {
    /// Appends a number that passes its check.
    pub(super) fn write(&self, rng: &mut Rng, now_ms: i64, out: &mut String) {
        match self {
            Checked::Iban(countries) => {
                write_iban(countries[rng.below(countries.len() as u64) as usize], rng, out);
            }
            Checked::Card(kinds) => {
                let (prefix, length) = kinds[rng.below(kinds.len() as u64) as usize];
                let mut number = prefix.to_owned();
                digits(rng, length - 1 - prefix.len(), &mut number);
                number.push(luhn(&number));
                for (i, c) in number.chars().enumerate() {
                    if i > 0 && i % 4 == 0 {
                        out.push('-');
                    }
                    out.push(c);
                }
            }
            Checked::Imei => {
                let start = out.len();
                digits(rng, 14, out);
                out.push(luhn(&out[start..]));
            }
            Checked::Cpf { formatted } => write_cpf(*formatted, rng, out),
            Checked::Cnpj { formatted } => write_cnpj(*formatted, rng, out),
            Checked::Cnp => write_cnp(rng, now_ms, out),
            Checked::Ssn => {
                let area = 1 + rng.below(898);
                padded(if area >= 666 { area + 1 } else { area }, 3, out);
                out.push('-');
                padded(1 + rng.below(99), 2, out);
                out.push('-');
                padded(1 + rng.below(9999), 4, out);
            }
            Checked::Isbn10 => {
                let start = out.len();
                digits(rng, 9, out);
                let sum: u32 = values(&out[start..]).zip((2..=10).rev()).map(|(d, w)| d * w).sum();
                out.push(match (11 - sum % 11) % 11 {
                    10 => 'X',
                    digit => digit_char(digit),
                });
            }
            Checked::Isbn13 => {
                let start = out.len();
                out.push_str(if rng.below(2) == 0 { "978" } else { "979" });
                digits(rng, 9, out);
                out.push(ean_check(&out[start..]));
            }
            Checked::Ean8 | Checked::Ean13 => {
                let start = out.len();
                digits(rng, if *self == Checked::Ean8 { 7 } else { 12 }, out);
                out.push(ean_check(&out[start..]));
            }
        }
    }
}

fn digits(rng: &mut Rng, count: usize, out: &mut String) {
    for _ in 0..count {
        out.push(digit_char(rng.below(10) as u32));
    }
}

fn digit_char(digit: u32) -> char {
    char::from(b'0' + digit as u8)
}

fn values(text: &str) -> impl DoubleEndedIterator<Item = u32> + '_ {
    text.bytes().map(|b| u32::from(b - b'0'))
}

fn luhn(text: &str) -> char {
    let sum: u32 = values(text)
        .rev()
        .enumerate()
        .map(|(i, d)| if i % 2 == 0 { d * 2 / 10 + d * 2 % 10 } else { d })
        .sum();
    digit_char((10 - sum % 10) % 10)
}

fn ean_check(text: &str) -> char {
    let sum: u32 =
        values(text).rev().enumerate().map(|(i, d)| if i % 2 == 0 { d * 3 } else { d }).sum();
    digit_char((10 - sum % 10) % 10)
}

fn write_iban(country: &IbanCountry, rng: &mut Rng, out: &mut String) {
    let mut account = String::with_capacity(32);
    if !country.banks.is_empty() {
        account.push_str(country.banks[rng.below(country.banks.len() as u64) as usize]);
    }
    let mut count = 0;
    for c in country.layout.chars() {
        if let Some(digit) = c.to_digit(10) {
            count = count * 10 + digit;
            continue;
        }
        for _ in 0..count {
            account.push(match (c, rng.below(36)) {
                ('n', r) => digit_char((r % 10) as u32),
                ('c', r @ 0..10) => digit_char(r as u32),
                (_, r) => char::from(b'A' + (r % 26) as u8),
            });
        }
        count = 0;
    }
    let check = 98 - mod_97(account.chars().chain(country.code.chars()).chain("00".chars()));
    out.push_str(country.code);
    padded(u64::from(check), 2, out);
    out.push_str(&account);
}

/// The remainder of ISO 7064: letters count as two digits, A = 10.
pub(super) fn mod_97(chars: impl Iterator<Item = char>) -> u32 {
    chars.fold(0, |rest, c| {
        let value = c.to_digit(36).unwrap_or(0);
        (rest * if value > 9 { 100 } else { 10 } + value) % 97
    })
}

/// The check digit of CPF and CNPJ: weights rise from 2 at the right, up to `top`, and start again.
fn brazilian_check(text: &str, top: u32) -> char {
    let weights = (2..=top).cycle();
    let sum: u32 = values(text).rev().zip(weights).map(|(d, w)| d * w).sum();
    digit_char(match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    })
}

fn write_cpf(formatted: bool, rng: &mut Rng, out: &mut String) {
    let mut number = String::with_capacity(11);
    digits(rng, 9, &mut number);
    number.push(brazilian_check(&number, 11));
    number.push(brazilian_check(&number, 11));
    if formatted {
        for (part, mark) in [(0..3, "."), (3..6, "."), (6..9, "-"), (9..11, "")] {
            out.push_str(&number[part]);
            out.push_str(mark);
        }
    } else {
        out.push_str(&number);
    }
}

fn write_cnpj(formatted: bool, rng: &mut Rng, out: &mut String) {
    let mut number = String::with_capacity(14);
    digits(rng, 8, &mut number);
    number.push_str("0001");
    number.push(brazilian_check(&number, 9));
    number.push(brazilian_check(&number, 9));
    if formatted {
        for (part, mark) in [(0..2, "."), (2..5, "."), (5..8, "/"), (8..12, "-"), (12..14, "")] {
            out.push_str(&number[part]);
            out.push_str(mark);
        }
    } else {
        out.push_str(&number);
    }
}

/// Sex and century, birth date (an adult's), county, number, check digit.
fn write_cnp(rng: &mut Rng, now_ms: i64, out: &mut String) {
    let today = now_ms.div_euclid(86_400_000);
    let born = today - 18 * 366 - rng.below(60 * 365).cast_signed();
    let (year, month, day) = civil_from_days(born);
    let start = out.len();
    let female = rng.below(2) as u32;
    out.push(digit_char(female + if year >= 2000 { 5 } else { 1 }));
    padded(year.rem_euclid(100).unsigned_abs(), 2, out);
    padded(u64::from(month), 2, out);
    padded(u64::from(day), 2, out);
    let county = 1 + rng.below(48);
    padded(if county > 46 { county + 4 } else { county }, 2, out);
    padded(1 + rng.below(999), 3, out);
    out.push(cnp_check(&out[start..]));
}

/// The check digit of the first twelve digits.
pub(super) fn cnp_check(text: &str) -> char {
    let sum: u32 = values(text).zip(values("279146358279")).map(|(d, w)| d * w).sum();
    digit_char(if sum % 11 == 10 { 1 } else { sum % 11 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_767_323_045_678;

    fn made(what: &Checked) -> Vec<String> {
        let mut rng = Rng::new(11);
        let one = |_| {
            let mut out = String::new();
            what.write(&mut rng, NOW_MS, &mut out);
            out
        };
        (0..500).map(one).collect()
    }

    fn only_digits(text: &str) -> String {
        text.chars().filter(char::is_ascii_digit).collect()
    }

    #[test]
    fn known_numbers_pass() {
        assert_eq!(mod_97("WEST12345698765432GB82".chars()), 1);
        assert_eq!(mod_97("AAAA1B31007593840000RO49".chars()), 1);
        assert_eq!(luhn("7992739871"), '3');
        assert_eq!(ean_check("978030640615"), '7');
        assert_eq!(ean_check("400638133393"), '1');
        assert_eq!(brazilian_check("529982247", 11), '2');
        assert_eq!(brazilian_check("5299822472", 11), '5');
        assert_eq!(brazilian_check("112223330001", 9), '8');
        assert_eq!(brazilian_check("1122233300018", 9), '1');
        assert_eq!(cnp_check("180010122114"), '4');
    }

    #[test]
    fn accounts_pass_their_check() {
        for country in IBANS {
            for text in made(&Checked::Iban(vec![country])) {
                let turned = text[4..].chars().chain(text[..4].chars());
                assert_eq!(mod_97(turned), 1, "{text}");
                assert!(text.starts_with(country.code));
            }
        }
        let romania = IBANS.iter().find(|c| c.code == "RO").unwrap();
        assert!(made(&Checked::Iban(vec![romania])).iter().all(|t| t.len() == 24));
    }

    #[test]
    fn person_numbers_pass_their_check() {
        for text in made(&Checked::Cpf { formatted: true }) {
            assert_eq!((text.len(), &text[3..4], &text[11..12]), (14, ".", "-"));
            let number = only_digits(&text);
            let weighted = |n: usize| -> u32 {
                values(&number[..n]).zip((2..=n as u32 + 1).rev()).map(|(d, w)| d * w).sum()
            };
            let check = |sum: u32| digit_char(sum * 10 % 11 % 10);
            assert_eq!(number[9..10], check(weighted(9)).to_string(), "{text}");
            assert_eq!(number[10..], check(weighted(10)).to_string(), "{text}");
        }
        for text in made(&Checked::Cnp) {
            assert_eq!(text.len(), 13);
            assert!(matches!(&text[..1], "1" | "2" | "5" | "6"));
            assert!((1..=12).contains(&text[3..5].parse::<u32>().unwrap()));
            assert!(matches!(text[7..9].parse::<u32>().unwrap(), 1..=46 | 51 | 52));
            assert_eq!(text[12..], cnp_check(&text[..12]).to_string());
        }
        for text in made(&Checked::Ssn) {
            assert!(!matches!(&text[..3], "000" | "666") && text.as_bytes()[0] != b'9', "{text}");
        }
    }

    #[test]
    fn cards_and_articles_pass_their_check() {
        for text in made(&Checked::Card(vec![("4", 16), ("37", 15)])) {
            let number = only_digits(&text);
            let (body, check) = number.split_at(number.len() - 1);
            assert_eq!(luhn(body).to_string(), check);
        }
        for (what, length) in [(Checked::Ean8, 8), (Checked::Ean13, 13), (Checked::Isbn13, 13)] {
            for text in made(&what) {
                assert_eq!(text.len(), length);
                let weights = if length == 8 { [3, 1] } else { [1, 3] };
                let sum: u32 =
                    values(&text).zip(weights.into_iter().cycle()).map(|(d, w)| d * w).sum();
                assert_eq!(sum % 10, 0, "{text}");
            }
        }
        for text in made(&Checked::Isbn10) {
            let value = |c: char| if c == 'X' { 10 } else { c.to_digit(10).unwrap() };
            let sum: u32 = text.chars().map(value).zip((1..=10).rev()).map(|(d, w)| d * w).sum();
            assert_eq!(sum % 11, 0, "{text}");
        }
    }
}
