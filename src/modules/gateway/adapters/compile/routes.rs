//! Routes of the configuration: checked, and compiled.

use std::{collections::HashSet, sync::Arc, time::Duration};

use actix_web::http::{
    Method,
    header::{HeaderName, HeaderValue},
};

use super::{Compiler, is_beneath, is_plain_name};
use crate::{
    kernel::{SettingFault, units::Span},
    modules::gateway::{
        adapters::{
            limits::Limits,
            route::{PathRule, Route},
            table::shape_of,
            template::Template,
        },
        config::{RouteAuth, RouteConfig},
        domain::{host::HostPattern, path::canonical},
    },
};

impl Compiler<'_> {
    pub(super) fn route(
        &mut self,
        number: usize,
        config: &RouteConfig,
        default: Option<&Arc<Limits>>,
    ) -> Option<Route> {
        let before = self.faults.len();
        let key = |name: &str| format!("gateway.routes[{number}].{name}");
        if !is_plain_name(&config.name) {
            self.fault(key("name"), "expected letters, digits, `.`, `_` and `-`");
        }
        let parameters = self.pattern(&key("path"), &config.path);
        let to = self.route_destination(number, config);
        let limit = match &config.rate_limit {
            None => default.cloned(),
            Some(own) => self.limit(&key("rate_limit"), &config.name, &config.name, own),
        };
        if config.auth == RouteAuth::None && !(config.roles.is_empty() && config.scopes.is_empty()) {
            self.fault(key("auth"), "roles and scopes need auth = \"required\" or \"optional\"");
        }
        if config.timeout.is_some_and(|timeout| timeout.get() == Duration::ZERO) {
            self.fault(key("timeout"), "expected more than no time");
        }
        self.upgrade(&key("upgrade"), config);
        let cache = self.cache(number, config, to);
        let methods = self.methods(&key("methods"), config.methods.as_deref());
        let hosts = self.hosts(&key("hosts"), &config.hosts);
        let headers = self.conditions(&key("headers"), config);
        let path = self.path_rule(number, config, &parameters);
        let request_headers = self.header_changes(&key("request_headers"), &config.request_headers, &parameters);
        let response_headers = self.header_changes(&key("response_headers"), &config.response_headers, &parameters);
        let shaping = self.shaping(number, config);
        let to = to.filter(|_| self.faults.len() == before)?;
        Some(Route {
            name: config.name.as_str().into(),
            pattern: config.path.as_str().into(),
            methods,
            hosts,
            headers,
            to,
            path,
            auth: config.auth,
            roles: config.roles.clone(),
            scopes: config.scopes.clone(),
            limit,
            timeout: config.timeout.map(Span::get),
            body_limit: config.body_limit.map_or(self.around.body_limit, |limit| limit.0),
            own_body_limit: config.body_limit.is_some(),
            upgrade: config.upgrade.clone(),
            cache,
            request_headers,
            response_headers,
            shaping,
        })
    }

    fn methods(&mut self, key: &str, names: Option<&[String]>) -> Option<Vec<Method>> {
        let names = names?;
        if names.is_empty() {
            self.fault(key, "expected at least one method; leave the key away for all");
        }
        let mut methods = Vec::new();
        for (number, name) in names.iter().enumerate() {
            match Method::from_bytes(name.as_bytes()) {
                Ok(method) if !name.bytes().any(|byte| byte.is_ascii_lowercase()) && name != "CONNECT" => {
                    methods.push(method);
                }
                _ => {
                    self.fault(
                        format!("{key}[{number}]"),
                        format!("expected a method such as \"GET\", found {name:?}"),
                    );
                }
            }
        }
        Some(methods)
    }

    fn hosts(&mut self, key: &str, names: &[String]) -> Vec<HostPattern> {
        let mut hosts = Vec::new();
        for (number, name) in names.iter().enumerate() {
            match HostPattern::parse(name) {
                Ok(host) => hosts.push(host),
                Err(fault) => self.fault(format!("{key}[{number}]"), fault.detail),
            }
        }
        hosts
    }

    fn conditions(&mut self, key: &str, config: &RouteConfig) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::new();
        for (name, value) in &config.headers {
            match (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str())) {
                (Ok(name), Ok(value)) => headers.push((name, value)),
                _ => self.fault(format!("{key}.{name}"), "expected a header's name and value"),
            }
        }
        headers
    }

    fn path_rule(&mut self, number: usize, config: &RouteConfig, parameters: &[String]) -> PathRule {
        let key = |name: &str| format!("gateway.routes[{number}].{name}");
        match (&config.strip_prefix, &config.rewrite) {
            (None, None) => PathRule::Keep,
            (Some(_), Some(_)) => {
                self.fault(key("rewrite"), "strip_prefix and rewrite exclude each other");
                PathRule::Keep
            }
            (Some(prefix), None) => {
                if prefix.ends_with('/') || prefix.contains('{') || !is_beneath(&config.path, prefix) {
                    self.fault(
                        key("strip_prefix"),
                        "expected whole segments that the path begins with, such as \"/catalog\"",
                    );
                }
                PathRule::Strip(prefix.len())
            }
            (None, Some(text)) => match Template::parse(text, parameters) {
                Ok(template) if text.starts_with('/') => {
                    let literal = text.replace(['{', '}', '*'], "");
                    if canonical(&literal).as_deref() != Ok(literal.as_str()) {
                        self.fault(key("rewrite"), "expected a canonical path");
                    }
                    PathRule::Rewrite(template)
                }
                Ok(_) => {
                    self.fault(key("rewrite"), "expected a path from /");
                    PathRule::Keep
                }
                Err(fault) => {
                    self.fault(key("rewrite"), fault.detail);
                    PathRule::Keep
                }
            },
        }
    }

    /// Checks a route's path; its parameters' names.
    fn pattern(&mut self, key: &str, path: &str) -> Vec<String> {
        let (shape, parameters) = shape_of(path);
        if let Err(error) = matchit::Router::new().insert(shape.clone(), ()) {
            self.fault(key, error.to_string());
            return parameters;
        }
        let literal = shape.replace(['{', '}', '*'], "");
        if canonical(&literal).as_deref() != Ok(literal.as_str()) {
            self.fault(
                key,
                "expected a canonical path: from /, without empty, `.` or `..` segments, encoded where needed",
            );
        }
        let prefixes = self.around.open.iter().chain(self.around.roles.iter().map(|role| &role.prefix));
        let built_in = prefixes.into_iter().find(|prefix| is_beneath(path, prefix)).cloned();
        if let Some(prefix) = built_in {
            self.fault(key, format!("`{prefix}` is built in, and built-in paths win; take another path"));
        }
        parameters
    }

    pub(super) fn check_route_names(&mut self) {
        let mut names = HashSet::new();
        for (number, route) in self.config.routes.iter().enumerate() {
            if !names.insert(route.name.as_str()) {
                let detail = format!("there are two routes `{}`", route.name);
                self.faults.push(SettingFault::new(format!("gateway.routes[{number}].name"), detail));
            }
        }
    }
}
