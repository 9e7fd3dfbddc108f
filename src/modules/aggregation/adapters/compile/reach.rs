//! Compiles where a source is, its `paginate`, `redirects` and `schema`.

use std::{path::Path as FilePath, sync::Arc};

use super::{
    super::{
        super::{
            application::ports::AnswerSchema,
            config::{PaginateBy, PaginateConfig, RedirectsConfig, SourceConfig},
            domain::{
                address::Address,
                paging::{Next, Paging},
                path::Path,
                statement::Statement,
                template::UrlTemplate,
            },
        },
        schema::ResponseSchema,
    },
    Compiling,
};
use crate::kernel::Role;

/// The most pages of one answer.
const MAX_PAGES: usize = 1_000;
/// The most redirects of one call.
const MAX_REDIRECTS: u32 = 10;

/// Whose databases can be asked.
const DATABASES: [&str; 2] = ["default", "auth"];

/// Roles that can be asked.
const ROLES: [Role; 1] = [Role::Auth];

/// An address for a path of a role: its host leads nowhere, and is only good for telling paths from other places.
fn role_url(config: &SourceConfig) -> Option<String> {
    config.role.as_ref().map(|role| format!("http://{role}.role.invalid{}", config.url))
}

impl Compiling<'_> {
    pub(super) fn address(&mut self, key: &str, config: &SourceConfig) -> Option<Address> {
        let Some(sql) = &config.sql else {
            for (name, given) in [("database", config.database.is_some()), ("max_rows", config.max_rows.is_some())] {
                if given {
                    self.fault(format!("{key}.{name}"), "only a source with `sql` has it");
                }
            }
            let url = role_url(config).unwrap_or_else(|| config.url.clone());
            let parsed = UrlTemplate::parse(&url).map(Address::Http);
            return parsed.map_err(|fault| self.fault(format!("{key}.url"), fault.detail)).ok();
        };
        let of_http = [
            ("url", !config.url.is_empty()),
            ("role", config.role.is_some()),
            ("forward_headers", !config.forward_headers.is_empty()),
            ("expect", !config.expect.is_empty()),
            ("paginate", config.paginate.is_some()),
            ("redirects", config.redirects.is_some()),
            ("compressed", config.compressed),
            ("retry", config.retry.is_some()),
            ("method", config.method != "GET"),
        ];
        for (name, _) in of_http.into_iter().filter(|(_, given)| *given) {
            self.fault(format!("{key}.{name}"), "a source with `sql` does not have it");
        }
        if let Some(database) = config.database.as_deref().filter(|database| !DATABASES.contains(database)) {
            self.fault(format!("{key}.database"), format!("{database:?} is none of {}", DATABASES.join(", ")));
        }
        if config.max_rows == Some(0) {
            self.fault(format!("{key}.max_rows"), "expected at least 1");
        }
        let parsed = Statement::parse(sql).map(Address::Sql);
        parsed.map_err(|fault| self.fault(format!("{key}.sql"), fault.detail)).ok()
    }

    /// The role that is asked.
    pub(super) fn role(&mut self, key: &str, config: &SourceConfig) -> Option<Role> {
        let name = config.role.as_deref()?;
        let Some(role) = name.parse().ok().filter(|role| ROLES.contains(role)) else {
            let known = ROLES.map(Role::as_str).join(", ");
            self.fault(format!("{key}.role"), format!("{name:?} cannot be asked; expected {known}"));
            return None;
        };
        // What roles tell each other is nothing for an answer.
        if config.sql.is_none() && (!config.url.starts_with('/') || config.url.starts_with("/internal")) {
            self.fault(format!("{key}.url"), "expected a path of the role such as \"/auth/me\"");
        }
        Some(role)
    }

    pub(super) fn schema(&mut self, key: String, path: &FilePath) -> Option<Arc<dyn AnswerSchema>> {
        match ResponseSchema::load(path) {
            Ok(schema) => Some(Arc::new(schema)),
            Err(fault) => {
                self.fault(key, fault);
                None
            }
        }
    }

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
