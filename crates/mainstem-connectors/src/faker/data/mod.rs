//! The words that values are made of: lists per locale, and lists that all locales share.
//! Invariant: lists are written `a|b|c`; a list that a locale lacks is that of en_US, which has them all.

mod en_us;
mod pt_br;
mod ro_ro;
pub(super) mod words;

use mainstem_core::options::nearest;
use mainstem_core::{Error, Result};

/// A language and a country.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Locale {
    EnUs,
    PtBr,
    RoRo,
}

const LOCALES: [(&str, Locale); 3] =
    [("en_US", Locale::EnUs), ("pt_BR", Locale::PtBr), ("ro_RO", Locale::RoRo)];

impl Locale {
    /// Reads `pt_BR`, `pt-br` or `pt`.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let wanted = text.trim().replace('-', "_").to_ascii_lowercase();
        let is = |name: &str| {
            let name = name.to_ascii_lowercase();
            name == wanted || name.split_once('_').is_some_and(|(language, _)| language == wanted)
        };
        LOCALES.iter().find(|(name, _)| is(name)).map(|(_, locale)| *locale).ok_or_else(|| {
            let error = Error::user(format!("option 'locale': '{text}' is not known"));
            match nearest(text, LOCALES.map(|(name, _)| name)) {
                Some(name) => error.with_hint(format!("did you mean '{name}'?")),
                None => error.with_hint("use en_US, pt_BR or ro_RO"),
            }
        })
    }

    /// The code of its country.
    pub(super) fn country(self) -> &'static str {
        match self {
            Locale::EnUs => "US",
            Locale::PtBr => "BR",
            Locale::RoRo => "RO",
        }
    }

    /// The list of this name.
    pub(super) fn text(self, name: &str) -> Result<&'static str> {
        let own = match self {
            Locale::EnUs => en_us::LISTS,
            Locale::PtBr => pt_br::LISTS,
            Locale::RoRo => ro_ro::LISTS,
        };
        own.iter()
            .chain(en_us::LISTS)
            .find(|(known, _)| *known == name)
            .map(|(_, list)| *list)
            .ok_or_else(|| Error::internal(format!("no locale has the list '{name}'")))
    }
}

/// A word as it stands in addresses of the Internet: ASCII, small letters, nothing else.
pub(super) fn fold(word: &str) -> String {
    let letter = |c: char| match c.to_lowercase().next().unwrap_or(c) {
        'á' | 'à' | 'â' | 'ã' | 'ä' | 'ă' => Some('a'),
        'ç' => Some('c'),
        'é' | 'è' | 'ê' | 'ë' => Some('e'),
        'í' | 'ì' | 'î' | 'ï' => Some('i'),
        'ñ' => Some('n'),
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' => Some('o'),
        'ș' | 'ş' => Some('s'),
        'ț' | 'ţ' => Some('t'),
        'ú' | 'ù' | 'û' | 'ü' => Some('u'),
        c if c.is_ascii_alphanumeric() => Some(c),
        _ => None,
    };
    word.chars().filter_map(letter).collect()
}
