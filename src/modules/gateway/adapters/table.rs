//! The routing table: which route a request takes. The most specific path wins; among routes of one path the one with
//! more conditions on headers and host. Method is looked at last, so that a path that is there answers 405, not 404.

use std::{cmp::Reverse, sync::Arc};

use actix_web::http::{Method, header::HeaderMap};

use super::route::Route;

/// All routes, compiled.
#[derive(Debug, Default)]
pub(super) struct Table {
    routes: Vec<Arc<Route>>,
    /// Patterns from the most to the least specific.
    patterns: Vec<Pattern>,
    /// All patterns in one tree. `None` when some overlap in a way that a tree cannot hold; then they are tried in order.
    tree: Option<matchit::Router<usize>>,
}

#[derive(Debug)]
struct Pattern {
    shape: String,
    single: matchit::Router<()>,
    /// The routes of this pattern, the most particular first.
    routes: Vec<Arc<Route>>,
}

/// What a look at the table gives.
#[derive(Debug)]
pub(super) enum Found<'t, 'p> {
    /// A route, and the path's parameters in order.
    Route(&'t Arc<Route>, Vec<&'p str>),
    /// The path is there, but not for this method; these are.
    WrongMethod(Vec<Method>),
    /// Nothing.
    Nothing,
}

impl Table {
    /// Compiles routes. The error names the route, by number, whose path is not of matchit's syntax.
    pub(super) fn compile(routes: Vec<Route>) -> Result<Self, (usize, String)> {
        let routes: Vec<_> = routes.into_iter().map(Arc::new).collect();
        let mut patterns: Vec<Pattern> = Vec::new();
        for (number, route) in routes.iter().enumerate() {
            let (shape, _) = shape_of(&route.pattern);
            if let Some(pattern) = patterns.iter_mut().find(|pattern| pattern.shape == shape) {
                pattern.routes.push(route.clone());
                continue;
            }
            let mut single = matchit::Router::new();
            single.insert(shape.clone(), ()).map_err(|error| (number, error.to_string()))?;
            patterns.push(Pattern { shape, single, routes: vec![route.clone()] });
        }
        patterns.sort_by_cached_key(|pattern| specificity(&pattern.shape));
        for pattern in &mut patterns {
            // Headers and hosts over none; a stable sort keeps the order of the file among equals.
            pattern.routes.sort_by_key(|route| {
                Reverse((
                    route.headers.len(),
                    route.hosts.iter().map(crate::modules::gateway::domain::host::HostPattern::rank).max(),
                ))
            });
        }
        let mut tree = matchit::Router::new();
        let fits =
            patterns.iter().enumerate().all(|(number, pattern)| tree.insert(pattern.shape.clone(), number).is_ok());
        Ok(Self { routes, patterns, tree: fits.then_some(tree) })
    }

    /// Every route, in the order it was given.
    pub(super) fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// The route of a request. `path` is canonical, `host` without port.
    pub(super) fn find<'p>(&self, method: &Method, path: &'p str, host: &str, headers: &HeaderMap) -> Found<'_, 'p> {
        if let Some(tree) = &self.tree {
            let Ok(matched) = tree.at(path) else { return Found::Nothing };
            let pattern = &self.patterns[*matched.value];
            if let Some(found) =
                pattern.choose(method, host, headers, || matched.params.iter().map(|(_, v)| v).collect())
            {
                return found;
            }
        }
        // The best path's routes want other hosts or headers: the next best path's turn.
        for pattern in &self.patterns {
            let Ok(matched) = pattern.single.at(path) else { continue };
            if let Some(found) =
                pattern.choose(method, host, headers, || matched.params.iter().map(|(_, v)| v).collect())
            {
                return found;
            }
        }
        Found::Nothing
    }
}

impl Pattern {
    fn choose<'p>(
        &self,
        method: &Method,
        host: &str,
        headers: &HeaderMap,
        parameters: impl FnOnce() -> Vec<&'p str>,
    ) -> Option<Found<'_, 'p>> {
        let mut allowed = Vec::new();
        for route in self.routes.iter().filter(|route| route.accepts(host, headers)) {
            if route.allows(method) {
                return Some(Found::Route(route, parameters()));
            }
            allowed.extend(route.methods.iter().flatten().cloned());
        }
        (!allowed.is_empty()).then_some(Found::WrongMethod(allowed))
    }
}

/// The pattern with its parameters renamed by position, so that patterns that differ only in names are one; and the names.
pub(super) fn shape_of(pattern: &str) -> (String, Vec<String>) {
    let mut shape = String::with_capacity(pattern.len());
    let mut names = Vec::new();
    let mut rest = pattern;
    while let Some(open) = rest.find('{') {
        shape.push_str(&rest[..=open]);
        rest = &rest[open + 1..];
        // `{{` is a literal brace.
        if let Some(after) = rest.strip_prefix('{') {
            shape.push('{');
            rest = after;
            continue;
        }
        let Some(close) = rest.find('}') else { break };
        let name = &rest[..close];
        let star = if name.starts_with('*') { "*" } else { "" };
        let number = names.len().to_string();
        shape.extend([star, "p", &number, "}"]);
        names.push(name.trim_start_matches('*').to_owned());
        rest = &rest[close + 1..];
    }
    shape.push_str(rest);
    (shape, names)
}

/// Sorts from the most to the least specific: literal segments before partly literal ones before parameters before the
/// rest of the path, from left to right, as matchit does.
fn specificity(shape: &str) -> Vec<(u8, Reverse<usize>)> {
    let rank = |segment: &str| match (segment.find('{'), segment.find('}')) {
        (Some(0), Some(_)) if segment.starts_with("{*") => (3, Reverse(0)),
        (Some(0), Some(close)) if close + 1 == segment.len() => (2, Reverse(0)),
        (Some(open), Some(close)) => (1, Reverse(open + segment.len() - close)),
        _ => (0, Reverse(0)),
    };
    shape.split('/').skip(1).map(rank).collect()
}

#[cfg(test)]
mod tests;
