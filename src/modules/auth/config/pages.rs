//! `[auth.pages]`: how the hosted pages look.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::kernel::SettingFault;

/// What stands behind `accent`: the card in the light theme, and the text on a button.
const LIGHT: Rgb = Rgb(0xff, 0xff, 0xff);
/// What stands behind `accent_dark`: the card in the dark theme.
const DARK: Rgb = Rgb(0x1a, 0x1f, 0x24);
/// WCAG 2.2, success criterion 1.4.3.
const LEAST_CONTRAST: f64 = 4.5;

/// `[auth.pages]`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagesConfig {
    /// What the product is called, in titles and above the card.
    pub product_name: String,
    /// An image above the card instead of ours: an https URL, a path on the front door, or a `data:image/` URL.
    pub logo_url: Option<String>,
    /// The colour of buttons and links in the light theme, `#rrggbb`.
    pub accent: String,
    /// The same in the dark theme.
    pub accent_dark: String,
    /// A folder with templates that replace ours of the same name.
    pub templates: Option<PathBuf>,
}

/// What is wrong with the section.
pub(super) fn check(config: &PagesConfig) -> Vec<SettingFault> {
    let mut faults = Vec::new();
    let mut fault = |key: &str, detail: String| faults.push(SettingFault::new(format!("auth.pages.{key}"), detail));
    let name = config.product_name.trim();
    if name.is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control) {
        fault("product_name", "expected a name of 1 to 60 characters".to_owned());
    }
    if config.logo_url.as_deref().is_some_and(|url| !is_image(url)) {
        fault("logo_url", "expected an https URL, a path that begins with a slash, or a data:image/ URL".to_owned());
    }
    for (key, text, behind) in [("accent", &config.accent, LIGHT), ("accent_dark", &config.accent_dark, DARK)] {
        match Rgb::parse(text) {
            None => fault(key, "expected a colour, #rrggbb".to_owned()),
            Some(colour) if colour.contrast(behind) < LEAST_CONTRAST => {
                let (found, other) = (colour.contrast(behind), if key == "accent" { "white" } else { "#1a1f24" });
                fault(key, format!("its contrast to {other} is {found:.1} to 1, and has to be 4.5 to be readable"));
            }
            Some(_) => {}
        }
    }
    faults
}

fn is_image(url: &str) -> bool {
    let is_path = url.starts_with('/') && !url.starts_with("//");
    let is_https = url::Url::parse(url).is_ok_and(|url| url.scheme() == "https" && url.has_host());
    is_path || is_https || url.starts_with("data:image/")
}

/// A colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rgb(u8, u8, u8);

impl Rgb {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let part = |from: usize| u8::from_str_radix(digits.get(from..from + 2)?, 16).ok();
        Some(Self(part(0)?, part(2)?, part(4)?))
    }

    /// WCAG 2.2, "contrast ratio".
    fn contrast(self, other: Self) -> f64 {
        let (one, other) = (self.luminance(), other.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// WCAG 2.2, "relative luminance".
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> PagesConfig {
        PagesConfig {
            product_name: "Vestibule".to_owned(),
            logo_url: None,
            accent: "#0b5c70".to_owned(),
            accent_dark: "#7cc7d9".to_owned(),
            templates: None,
        }
    }

    #[test]
    fn contrast_is_what_the_standard_says() {
        let of = |one: &str, other: &str| Rgb::parse(one).unwrap().contrast(Rgb::parse(other).unwrap());
        assert!((of("#000000", "#ffffff") - 21.0).abs() < 0.001);
        assert!((of("#777777", "#ffffff") - 4.48).abs() < 0.01);
        assert!((of("#123456", "#123456") - 1.0).abs() < 0.001);
    }

    #[test]
    fn every_fault_is_told_with_its_key() {
        assert!(check(&plain()).is_empty());
        let wrong = PagesConfig {
            product_name: " ".to_owned(),
            logo_url: Some("//elsewhere/logo".to_owned()),
            accent: "#ffdd00".to_owned(),
            accent_dark: "red".to_owned(),
            templates: None,
        };
        let faults = check(&wrong);
        let keys: Vec<_> = faults.iter().map(|fault| fault.key.as_str()).collect();
        let all = ["auth.pages.product_name", "auth.pages.logo_url", "auth.pages.accent", "auth.pages.accent_dark"];
        assert_eq!(keys, all);
        assert!(faults[2].to_string().contains("contrast to white is 1.3 to 1"), "{}", faults[2]);
    }

    #[test]
    fn a_logo_comes_from_where_browsers_may_take_it() {
        for (url, good) in [
            ("https://cdn.example.org/logo.svg", true),
            ("/static/logo.svg", true),
            ("data:image/svg+xml;base64,AA==", true),
            ("http://cdn.example.org/logo.svg", false),
            ("javascript:alert(1)", false),
            ("logo.svg", false),
        ] {
            assert_eq!(is_image(url), good, "{url}");
        }
    }
}
