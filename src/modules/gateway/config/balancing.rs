//! How an upstream is asked: caps, hedges, names that are looked up.

use std::{fmt, net::SocketAddr};

use serde::{Deserialize, Deserializer, Serialize, de::Visitor};

use crate::kernel::units::Span;

/// `max_in_flight`: a number, or `"adaptive"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum MaxInFlight {
    /// So many.
    Fixed(usize),
    /// As many as the upstream answers without getting slower.
    Adaptive(AdaptiveCap),
}

/// The word for a cap that finds itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AdaptiveCap {
    /// `"adaptive"`.
    Adaptive,
}

/// By hand, because a derived one cannot say what is expected.
impl<'de> Deserialize<'de> for MaxInFlight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrWord;

        impl Visitor<'_> for NumberOrWord {
            type Value = MaxInFlight;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of requests, or \"adaptive\"")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<MaxInFlight, E> {
                usize::try_from(number).map(MaxInFlight::Fixed).map_err(E::custom)
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<MaxInFlight, E> {
                let wrong = || E::invalid_value(serde::de::Unexpected::Signed(number), &self);
                usize::try_from(number).map(MaxInFlight::Fixed).map_err(|_| wrong())
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<MaxInFlight, E> {
                match (text, text.parse()) {
                    ("adaptive", _) => Ok(MaxInFlight::Adaptive(AdaptiveCap::Adaptive)),
                    (_, Ok(number)) => Ok(MaxInFlight::Fixed(number)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
        }

        deserializer.deserialize_any(NumberOrWord)
    }
}

/// `hedge = { after, max }`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HedgeConfig {
    /// Without an answer for so long, another target is asked too.
    pub after: Span,
    /// So many others, one after another.
    #[serde(default = "one")]
    pub max: u32,
}

/// `gateway.dns`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsConfig {
    /// Asked instead of the system's name servers.
    #[serde(default)]
    pub servers: Vec<SocketAddr>,
    /// A name is not looked up more often than this.
    #[serde(default = "five_seconds")]
    pub min_ttl: Span,
    /// Nor less often, however long its answer holds.
    #[serde(default = "one_minute")]
    pub max_ttl: Span,
}

impl DnsConfig {
    /// By the system's name servers.
    pub(super) fn usual() -> Self {
        Self { servers: Vec::new(), min_ttl: five_seconds(), max_ttl: one_minute() }
    }
}

const fn one() -> u32 {
    1
}
const fn five_seconds() -> Span {
    Span::secs(5)
}
const fn one_minute() -> Span {
    Span::secs(60)
}
