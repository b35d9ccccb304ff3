//! A shorter way to the groups of a match, for patterns that begin with one of a few literals and whose matching
//! never has a choice ("one-pass"): a search for the literals finds where a match can begin, one run from there finds
//! the groups. The regex crate makes three runs (end, begin, groups).
//! Invariant: the same answer as the regex crate, or none and the caller asks it: a text with many beginnings that
//! lead nowhere would make this way quadratic.

use regex_automata::dfa::onepass;
use regex_automata::nfa::thompson;
use regex_automata::util::prefilter::Prefilter;
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Anchored, Input, MatchKind, Span};
use regex_syntax::hir::literal::{ExtractKind, Extractor};

/// Beginnings that lead nowhere before the regex crate is asked.
const ATTEMPTS_MAX: usize = 8;
/// For the automaton; larger patterns go the long way.
const SIZE_BYTES_MAX: usize = 1 << 18;

/// The pattern, compiled for this way.
#[derive(Debug)]
pub(super) struct Direct {
    beginnings: Prefilter,
    dfa: onepass::DFA,
}

/// What a search needs room for.
#[derive(Debug)]
pub(super) struct Room {
    cache: onepass::Cache,
    slots: Vec<Option<NonMaxUsize>>,
}

/// What came of a search.
pub(super) enum Found {
    /// The groups are in the room.
    Match,
    /// There is no match.
    Nothing,
    /// It takes too long this way.
    Unknown,
}

impl Direct {
    /// `None` if the pattern, in the syntax of the regex crate, is not of this kind.
    pub(super) fn compile(pattern: &str) -> Option<Self> {
        let hir = regex_syntax::parse(pattern).ok()?;
        let mut literals = Extractor::new().kind(ExtractKind::Prefix).extract(&hir);
        literals.optimize_for_prefix_by_preference();
        let literals = literals.literals().filter(|all| !all.is_empty())?;
        if literals.iter().any(|l| l.len() < 2) {
            return None;
        }
        let beginnings = Prefilter::new(MatchKind::LeftmostFirst, literals)?;
        let nfa = thompson::Compiler::new().build_from_hir(&hir).ok()?;
        let config = onepass::Config::new().size_limit(Some(SIZE_BYTES_MAX));
        let dfa = onepass::Builder::new().configure(config).build_from_nfa(nfa).ok()?;
        Some(Self { beginnings, dfa })
    }

    pub(super) fn room(&self) -> Room {
        let slots = vec![None; self.dfa.get_nfa().group_info().slot_len()];
        Room { cache: self.dfa.create_cache(), slots }
    }

    /// The first match at or after `from`.
    pub(super) fn search(&self, room: &mut Room, text: &str, from: usize) -> Found {
        let mut at = from;
        for _ in 0..ATTEMPTS_MAX {
            let rest = Span { start: at, end: text.len() };
            let Some(begin) = self.beginnings.find(text.as_bytes(), rest) else {
                return Found::Nothing;
            };
            let input = Input::new(text).range(begin.start..).anchored(Anchored::Yes);
            match self.dfa.try_search_slots(&mut room.cache, &input, &mut room.slots) {
                Ok(Some(_)) => return Found::Match,
                Ok(None) => at = begin.start + 1,
                Err(_) => return Found::Unknown,
            }
        }
        Found::Unknown
    }
}

impl Room {
    /// The place of a group of the match that was found.
    pub(super) fn group(&self, index: usize) -> Option<(usize, usize)> {
        let slot = |i: usize| self.slots.get(i).copied().flatten().map(NonMaxUsize::get);
        Some((slot(2 * index)?, slot(2 * index + 1)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_the_regex_crate_finds() {
        let patterns = [
            (r"(&|\A)channel_id=([^&]*)", true),
            (r"key=(\d+)?;", true),
            (r"(ab|ac)(d*)", true),
            (r"\bid:([a-z]+)\b", true),
            ("é(.)ü", true),
            (r"aa([^b]*)b", true),
            // A choice in matching, a beginning of one byte, no beginning at all.
            (r"foo(.*?)(bar)", false),
            (r"x(y*)", false),
            (r"(.*)b", false),
        ];
        let texts = [
            "",
            "channel_id=12&x",
            "a?b&channel_id=&channel_id=7",
            "achannel_id=1",
            "key=;key=12;",
            "acdd abd",
            "no id:x9 id:yes",
            "éaü éöü",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
            "foo1bar xy",
        ];
        for (pattern, is_direct) in patterns {
            let regex = regex::Regex::new(pattern).unwrap();
            let direct = Direct::compile(pattern);
            assert_eq!(direct.is_some(), is_direct, "{pattern}");
            let Some(direct) = direct else { continue };
            let mut room = direct.room();
            for text in texts {
                let from = usize::from(text.len() > 20);
                let mut expected = regex.capture_locations();
                let hit = regex.captures_read_at(&mut expected, text, from).is_some();
                match direct.search(&mut room, text, from) {
                    Found::Unknown => assert!(text.starts_with("aaaa"), "{pattern} on {text}"),
                    Found::Nothing => assert!(!hit, "{pattern} on {text}"),
                    Found::Match => {
                        let groups = (0..expected.len()).map(|i| room.group(i));
                        let expected = (0..expected.len()).map(|i| expected.get(i));
                        assert!(groups.eq(expected), "{pattern} on {text}");
                    }
                }
            }
        }
    }
}
