//! Compiles `paginate` and `redirects` of a source.

use super::{
    super::super::{
        config::{PaginateBy, PaginateConfig, RedirectsConfig},
        domain::{
            paging::{Next, Paging},
            path::Path,
            template::UrlTemplate,
        },
    },
    Compiling,
};

/// The most pages of one answer.
const MAX_PAGES: usize = 1_000;
/// The most redirects of one call.
const MAX_REDIRECTS: u32 = 10;

impl Compiling<'_> {
    pub(super) fn paging(&mut self, key: &str, config: &PaginateConfig, url: &str) -> Option<Paging> {
        if !(1..=MAX_PAGES).contains(&config.max_pages) {
            self.fault(format!("{key}.max_pages"), format!("expected 1 to {MAX_PAGES}"));
        }
        let items = self.plain_path(format!("{key}.items"), &config.items);
        let unused = match config.by {
            PaginateBy::Cursor => [("size", config.size.is_some()), ("start", config.start != 1)],
            PaginateBy::Link => [("param", config.param.is_some()), ("cursor", config.cursor.is_some())],
            PaginateBy::Page => [("cursor", config.cursor.is_some()), ("cursor", false)],
        };
        for (name, _) in unused.into_iter().filter(|(_, given)| *given) {
            self.fault(format!("{key}.{name}"), "this kind of paging does not use it");
        }
        let next = match config.by {
            PaginateBy::Link => Next::Link,
            PaginateBy::Cursor => {
                let Some(cursor) = &config.cursor else {
                    self.fault(
                        format!("{key}.cursor"),
                        "missing: where the next cursor stands, such as \".next_cursor\"",
                    );
                    return None;
                };
                let at = self.plain_path(format!("{key}.cursor"), cursor)?;
                Next::Cursor { at, param: self.param(key, config, "cursor", url) }
            }
            PaginateBy::Page => {
                let param = self.param(key, config, "page", url);
                Next::Page { param, start: config.start, size: config.size }
            }
        };
        Some(Paging { items: items?, next, max_pages: config.max_pages })
    }

    fn param(&mut self, key: &str, config: &PaginateConfig, default: &str, url: &str) -> String {
        let param = config.param.as_deref().unwrap_or(default);
        let query = url.split_once('?').map_or("", |(_, query)| query);
        if param.is_empty() {
            self.fault(format!("{key}.param"), "expected the name of a parameter");
        } else if query.split('&').any(|pair| pair.split('=').next() == Some(param)) {
            self.fault(format!("{key}.param"), format!("the source's `url` says `{param}` already"));
        }
        param.to_owned()
    }

    pub(super) fn plain_path(&mut self, key: String, text: &str) -> Option<Path> {
        Path::parse(text).map_err(|fault| self.fault(key, fault.detail)).ok()
    }

    pub(super) fn redirects(&mut self, key: &str, config: &RedirectsConfig, method: &str) {
        if !matches!(method, "GET" | "HEAD") {
            self.fault(key, format!("redirects of {method} are not followed"));
        }
        if !(1..=MAX_REDIRECTS).contains(&config.max) {
            self.fault(format!("{key}.max"), format!("expected 1 to {MAX_REDIRECTS}"));
        }
        for (index, origin) in config.to.iter().enumerate() {
            let is_origin = UrlTemplate::parse(origin).is_ok() && origin.splitn(4, '/').nth(3).is_none();
            if !is_origin {
                self.fault(format!("{key}.to[{index}]"), "expected an origin such as \"https://cdn.example\"");
            }
        }
    }
}
