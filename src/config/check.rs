//! What can be wrong with the sections that belong to no single role, though each value reads well.

use std::str::FromStr as _;

use http::Uri;
use tracing_subscriber::EnvFilter;

use super::{Config, Http2Config};
use crate::kernel::settings::SettingFault;

/// As HMAC with SHA-256 wants it (RFC 7518 §3.2).
const LEAST_SECRET_BYTES: usize = 32;

impl Config {
    /// Every fault of `server`, `database`, `redis`, `log`, `mail` and `services`, with full keys.
    pub fn check(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        let mut expect = |holds: bool, key: &str, expected: &str| {
            if !holds {
                faults.push(SettingFault::new(key, expected));
            }
        };
        let operations = self.server.operations.as_ref();
        let port = self.server.port;
        expect(
            operations.is_none_or(|operations| operations.port != port || port == 0),
            "server.operations.port",
            "expected another port than `server.port`",
        );
        expect(self.server.body_limit.0 > 0, "server.body_limit", "expected at least 1B");
        expect(!self.server.head_timeout.get().is_zero(), "server.head_timeout", "expected at least 1ms");
        for (key, database) in [("database", Some(&self.database)), ("auth.database", self.auth.database.as_ref())] {
            let Some(database) = database else { continue };
            expect(
                is_database(&database.url),
                &format!("{key}.url"),
                "expected `sqlite://FILE`, or `postgres://…` in a binary with PostgreSQL compiled in",
            );
            expect(database.max_connections > 0, &format!("{key}.max_connections"), "expected at least 1");
        }
        if let Some(redis) = &self.redis {
            let is_url = ["redis://", "rediss://"].iter().any(|scheme| redis.url.starts_with(scheme));
            expect(is_url, "redis.url", "expected a URL such as `redis://127.0.0.1:6379`");
            expect(!redis.prefix.is_empty(), "redis.prefix", "expected a name");
            expect(!redis.connect_timeout.get().is_zero(), "redis.connect_timeout", "expected more than zero");
            expect(!redis.response_timeout.get().is_zero(), "redis.response_timeout", "expected more than zero");
        }
        expect(
            EnvFilter::try_new(&self.log.level).is_ok(),
            "log.level",
            "expected a level such as `info`, or directives",
        );
        expect(self.log.sample > 0, "log.sample", "expected at least 1");
        expect(
            is_transport(&self.mail.transport),
            "mail.transport",
            "expected `log`, `file:DIR`, or `smtp://user:password@host:port`",
        );
        expect(self.mail.from.contains('@'), "mail.from", "expected an address");
        let secrets = self.services.secret.iter().map(|secret| ("services.secret".to_owned(), secret));
        let previous = self.services.previous_secrets.iter().enumerate();
        let previous = previous.map(|(number, secret)| (format!("services.previous_secrets[{number}]"), secret));
        for (key, secret) in secrets.chain(previous) {
            expect(secret.len() >= LEAST_SECRET_BYTES, &key, "expected at least 32 bytes");
        }
        for (key, url) in [("services.auth", &self.services.auth), ("services.aggregation", &self.services.aggregation)]
        {
            expect(is_base_url(url), key, "expected a URL such as `http://auth:8001`");
        }
        faults.extend(self.server.http2.iter().flat_map(Http2Config::check));
        faults
    }
}

fn is_database(url: &str) -> bool {
    ["sqlite:", "postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
}

fn is_transport(text: &str) -> bool {
    let has = |scheme: &str| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty());
    text == "log" || has("file:") || has("smtp://") || has("smtps://")
}

/// `http` or `https` with a host, and nothing that a path could not follow.
fn is_base_url(text: &str) -> bool {
    Uri::from_str(text).is_ok_and(|url| {
        matches!(url.scheme_str(), Some("http" | "https"))
            && url.host().is_some_and(|host| !host.is_empty())
            && url.query().is_none()
    })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use crate::config::{Override, Sources, load_checked};

    #[test]
    fn the_defaults_are_good() {
        load_checked(&Sources::default(), crate::config::Config::check).unwrap();
    }

    #[test]
    fn every_fault_is_told() {
        let given = [
            ("server.operations", "{ host = \"127.0.0.1\", port = 8000 }"),
            ("server.body_limit", "0B"),
            ("database.url", "mysql://x"),
            ("log.level", "info,vestibule=loud"),
            ("mail.transport", "pigeon"),
            ("services.auth", "auth:8001"),
        ];
        let overrides = given.map(|(key, text)| Override { key, text: text.to_owned(), flag: "--test" }).to_vec();
        let sources = Sources { overrides, ..Sources::default() };
        let faults = load_checked(&sources, crate::config::Config::check).unwrap_err();
        let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_snapshot!(lines.join("\n"), @r#"
        --test: server.operations.port: expected another port than `server.port`
        --test: server.body_limit: expected at least 1B
        --test: database.url: expected `sqlite://FILE`, or `postgres://…` in a binary with PostgreSQL compiled in
        --test: log.level: expected a level such as `info`, or directives
        --test: mail.transport: expected `log`, `file:DIR`, or `smtp://user:password@host:port`
        --test: services.auth: expected a URL such as `http://auth:8001`
        "#);
    }
}
