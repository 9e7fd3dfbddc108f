//! Units as people write them in the configuration: `"250ms"`, `"64KiB"`, `"100/minute"`.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time: `"250ms"`, `"30s"`, `"15m"`, `"12h"`, `"7d"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Span(pub Duration);

impl Span {
    /// So many milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// So many seconds.
    pub const fn secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// The duration.
    pub const fn get(self) -> Duration {
        self.0
    }
}

/// A number of bytes: `"512B"`, `"64KiB"`, `"10MiB"`, `"1GiB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// So many MiB.
    pub const fn mib(mib: u64) -> Self {
        Self(mib * 1024 * 1024)
    }

    /// The size for in-memory use; larger than memory means all of it.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// So many in a window: `"100/minute"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many; at least 1.
    pub count: u32,
    /// In how long.
    pub window: Window,
}

/// The window of a [`Rate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// `second`
    Second,
    /// `minute`
    Minute,
    /// `hour`
    Hour,
    /// `day`
    Day,
}

impl Window {
    /// The window's name and length in seconds.
    const NAMES: [(Self, &'static str, u64); 4] = [
        (Self::Second, "second", 1),
        (Self::Minute, "minute", 60),
        (Self::Hour, "hour", 3_600),
        (Self::Day, "day", 86_400),
    ];

    /// The length in seconds.
    pub fn secs(self) -> u64 {
        Self::NAMES.iter().find(|(window, ..)| *window == self).map_or(1, |(.., secs)| *secs)
    }

    fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(window, ..)| *window == self).map_or("second", |(_, name, _)| name)
    }
}

/// The text is not of the form the unit wants; says which form that is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found:?}")]
pub struct UnitError {
    expected: &'static str,
    found: String,
}

const SPAN_FORM: &str = "a duration such as \"250ms\", \"30s\", \"15m\", \"12h\" or \"7d\"";
const SIZE_FORM: &str = "a size such as \"512B\", \"64KiB\", \"10MiB\" or \"1GiB\"";
const RATE_FORM: &str = "a rate such as \"100/minute\" (second, minute, hour or day), at least 1";

/// Splits `"30s"` into its whole number and its unit.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit))
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || UnitError { expected: SPAN_FORM, found: text.to_owned() };
        let (number, unit) = number_and_unit(text).ok_or_else(wrong)?;
        let millis_per_unit = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        // A century is more than any timer needs, and keeps every later sum of times in range.
        let millis = number.checked_mul(millis_per_unit).filter(|ms| *ms <= 3_155_760_000_000).ok_or_else(wrong)?;
        Ok(Self(Duration::from_millis(millis)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
        match units.into_iter().find(|(size, _)| millis != 0 && millis.is_multiple_of(*size)) {
            Some((size, unit)) => write!(f, "{}{unit}", millis / size),
            None => write!(f, "{millis}ms"),
        }
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || UnitError { expected: SIZE_FORM, found: text.to_owned() };
        let (number, unit) = number_and_unit(text).ok_or_else(wrong)?;
        let factor = match unit {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(wrong()),
        };
        number.checked_mul(factor).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units.into_iter().find(|(size, _)| self.0 != 0 && self.0.is_multiple_of(*size)) {
            Some((size, unit)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || UnitError { expected: RATE_FORM, found: text.to_owned() };
        let (count, name) = text.split_once('/').ok_or_else(wrong)?;
        let count = count.parse().ok().filter(|count| *count > 0).ok_or_else(wrong)?;
        let window = Window::NAMES.iter().find(|(_, known, _)| *known == name).ok_or_else(wrong)?.0;
        Ok(Self { count, window })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.window.as_str())
    }
}

macro_rules! as_text {
    ($($unit:ty: $form:ident),*) => {$(
        impl Serialize for $unit {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $unit {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $unit;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($form)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$unit, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    )*};
}

as_text!(Span: SPAN_FORM, ByteSize: SIZE_FORM, Rate: RATE_FORM);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_people_write() {
        assert_eq!("250ms".parse(), Ok(Span::millis(250)));
        assert_eq!("7d".parse(), Ok(Span::secs(604_800)));
        assert_eq!("10MiB".parse(), Ok(ByteSize::mib(10)));
        assert_eq!("100/minute".parse(), Ok(Rate { count: 100, window: Window::Minute }));
    }

    #[test]
    fn says_what_was_expected() {
        for wrong in ["", "30", "s", "-1s", "30 s", "1y", "99999999999999999d"] {
            let error = wrong.parse::<Span>().expect_err(wrong);
            assert!(error.to_string().starts_with("expected a duration such as"), "{error}");
        }
        for wrong in ["10", "10MB", "99999999999GiB"] {
            assert!(wrong.parse::<ByteSize>().is_err(), "{wrong}");
        }
        for wrong in ["0/minute", "10/week", "10", "/minute"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(millis in 0u64..10_000_000_000, bytes: u32, count in 1u32..) {
            let span = Span::millis(millis);
            prop_assert_eq!(span.to_string().parse(), Ok(span));
            let size = ByteSize(u64::from(bytes));
            prop_assert_eq!(size.to_string().parse(), Ok(size));
            let rate = Rate { count, window: Window::Hour };
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        }
    }
}
