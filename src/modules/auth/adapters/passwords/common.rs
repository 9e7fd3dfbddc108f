//! Common passwords, as zxcvbn's lists and patterns know them.

use zxcvbn::matching::{Match, patterns::MatchPattern};

use crate::modules::auth::{application::CommonPasswords, domain::PlainPassword};

/// What attackers find within so many guesses is common: the head of every list of passwords, with the usual digits,
/// capitals and substitutions, rows of keys, years.
const GUESSES: u64 = 10_000;
/// Longer passwords stand in no list. So the estimate, whose cost grows with the square of the length, stays far below
/// a millisecond.
const LONGEST: usize = 32;

/// The lists that are compiled in.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CommonLists;

impl CommonPasswords for CommonLists {
    fn is_common(&self, password: &PlainPassword) -> bool {
        let text = password.text();
        if text.chars().nth(LONGEST).is_some() {
            return false;
        }
        let estimate = zxcvbn::zxcvbn(text, &[]);
        estimate.guesses() < GUESSES || is_listed(estimate.sequence(), text)
    }
}

/// Whether it is, as a whole and whatever its case, an entry of the list of passwords.
fn is_listed(sequence: &[Match], text: &str) -> bool {
    let [Match { pattern: MatchPattern::Dictionary(found), .. }] = sequence else { return false };
    !found.reversed && found.matched_word == text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_common(text: &str) -> bool {
        CommonLists.is_common(&PlainPassword::given(text).unwrap())
    }

    #[test]
    fn what_is_tried_first_is_common() {
        for text in [
            "password",
            "PASSWORD",
            "Password1",
            "password123",
            "Passw0rd",
            "P@ssw0rd",
            "12345678",
            "123456789",
            "qwertyuiop",
            "iloveyou",
            "abcdefgh",
            "aaaaaaaa",
            "1qaz2wsx",
            "letmein1",
            "drowssap",
            "sunshine1",
            "passwordpassword",
            "ｐａｓｓｗｏｒｄ",
        ] {
            assert!(is_common(text), "{text} {:?}", zxcvbn::zxcvbn(text, &[]).guesses());
        }
    }

    #[test]
    fn phrases_and_random_strings_are_not() {
        for text in [
            "correct horse battery staple",
            "a better horse battery staple",
            "correct horse battery",
            "correct horse",
            "correct-horse",
            "another good password",
            "V3ry-l0ng-and-odd",
            "zq8!kLm2",
            "gEheim-Nicht4dich",
            "dvorak tundra",
            "7f9c2ba4e88f827d",
            "xkTz9wQe",
            "das ist ein Satz",
        ] {
            assert!(!is_common(text), "{text} {:?}", zxcvbn::zxcvbn(text, &[]).guesses());
        }
        assert!(!is_common(&"x".repeat(1_024)), "as long as that, it stands in no list");
    }

    #[test]
    fn the_longest_texts_take_no_time_to_speak_of() {
        let hostile = [
            "4@8({[<3620!1|7$5",
            "qwertyuiopasdfghjklzxcvbnm1234567",
            "aAaAaAaAaAaAaAaAaAaAaAaAaAaAaAaA",
            "19991231199912311999123119991231",
        ];
        for text in hostile {
            let text: String = text.chars().cycle().take(LONGEST).collect();
            is_common(&text);
            let start = std::time::Instant::now();
            is_common(&text);
            // Thousands of times what it takes, for a machine that does a lot at once.
            println!("{text} {:?}", start.elapsed());
            assert!(start.elapsed() < std::time::Duration::from_secs(2), "{text}");
        }
    }
}
