//! Where a field's value comes from: `@source`, `@from`, or the member of its name.

use std::sync::Arc;

use async_graphql::{Pos, Value, parser::types::FieldDefinition};

use super::{
    super::{
        super::{
            application::{
                batch::Batch,
                catalogue::{Source, Step},
                ports::Program,
            },
            domain::path::Path,
        },
        schema::{Origin, lists},
    },
    Given, Place, Reading, own_member,
};

/// Calls of one field at a time, where it says nothing else.
const CONCURRENCY: usize = 8;
/// The most elements of one call.
const MAX_BATCH: usize = 1_000;
/// Methods that change something.
const WRITING: [&str; 4] = ["POST", "PUT", "PATCH", "DELETE"];
/// Methods that a query may call with: POST is how much is searched.
const READING: [&str; 3] = ["GET", "HEAD", "POST"];

impl Reading<'_> {
    /// A part of the object.
    pub(super) fn member(
        &mut self,
        place: Place,
        definition: &FieldDefinition,
        from: Option<&Given>,
    ) -> Option<Origin> {
        let name = &definition.name;
        if matches!(place, Place::Query | Place::Mutation) {
            self.fault(name.pos, format!("`{}` comes from nowhere; expected `@source(name: …)`", name.node));
            return None;
        }
        if place == Place::Type
            && let Some(argument) = definition.arguments.first()
        {
            let argument = &argument.node.name;
            self.fault(argument.pos, format!("`{}` is used by nothing: the field has no `@source`", argument.node));
        }
        let path = from.map_or_else(|| Some(own_member(&name.node)), |from| self.path(from));
        path.map(Origin::Member)
    }

    fn path(&mut self, from: &Given) -> Option<Path> {
        let Some((text, position)) = self.text(from, "path") else {
            self.fault(from.name.pos, "`path` is missing; expected such as \".first_name\"");
            return None;
        };
        Path::parse(text).map_err(|fault| self.fault(position, fault.detail)).ok()
    }

    /// An answer of a source.
    pub(super) fn source(
        &mut self,
        place: Place,
        definition: &FieldDefinition,
        given: &Given,
        from: Option<&Given>,
    ) -> Option<Origin> {
        let part = match from {
            Some(from) => Some(self.path(from)?),
            None => None,
        };
        let Some((name, position)) = self.text(given, "name") else {
            self.fault(given.name.pos, "`name` is missing; expected the name of a source");
            return None;
        };
        let Some(source) = self.catalogue.source(name).map(Arc::clone) else {
            let known: Vec<&str> = self.catalogue.sources.iter().map(|source| source.name.as_str()).collect();
            let detail = format!("there is no source `{name}`; expected one of: {}", known.join(", "));
            self.fault(position, detail);
            return None;
        };
        let (methods, what) = match place {
            Place::Mutation => (WRITING.as_slice(), "a mutation"),
            _ => (READING.as_slice(), "a query"),
        };
        if !methods.contains(&source.method.as_str()) {
            let expected = methods.join(", ");
            self.fault(position, format!("`{name}` is called with {}; {what} takes {expected}", source.method));
        }
        source.forward_headers.iter().for_each(|name| self.vary.on(name));
        let scope = Scope { definition, is_root: matches!(place, Place::Query | Place::Mutation) };
        let with = self.with(&scope, given, &source);
        let body = match self.text(given, "body") {
            Some((_, position)) if matches!(source.method.as_str(), "GET" | "HEAD" | "DELETE") => {
                self.fault(position, format!("the source `{name}` is called with {}", source.method));
                None
            }
            Some((text, position)) => self.program(&scope, text, position).map(|program| (text, program)),
            None => None,
        };
        let batch = self.batch(&scope, given, &with, body.as_ref().map(|(text, _)| *text));
        let by_parent =
            with.iter().map(|(_, text, _)| *text).chain(body.as_ref().map(|(text, _)| *text)).any(reads_parent);
        let concurrency = self.number(given, "concurrency").unwrap_or(CONCURRENCY);
        let step = Step {
            name: definition.name.node.to_string(),
            source,
            required: false,
            arguments: with.into_iter().map(|(name, _, program)| (name.to_owned(), program)).collect(),
            headers: Vec::new(),
            body: body.map(|(_, program)| program),
            when: None,
            fallback: None,
            for_each: None,
            batch,
            concurrency,
        };
        Some(Origin::Source { step: Box::new(step), by_parent, part })
    }

    /// `with`: a program for each argument of the source.
    fn with<'g>(
        &mut self,
        scope: &Scope<'_>,
        given: &'g Given,
        source: &Source,
    ) -> Vec<(&'g str, &'g str, Arc<dyn Program>)> {
        let needed = source.url.arguments();
        let mut with = Vec::new();
        let mut named: Vec<&str> = Vec::new();
        match given.get_argument("with").map(|value| (&value.node, value.pos)) {
            None => {}
            Some((Value::Object(members), position)) => {
                for (name, text) in members {
                    let name = name.as_str();
                    named.push(name);
                    if !needed.contains(&name) {
                        self.fault(position, format!("the source `{}` has no argument `{name}`", source.name));
                    }
                    match text {
                        Value::String(text) => {
                            let program = self.program(scope, text, position);
                            with.extend(program.map(|program| (name, text.as_str(), program)));
                        }
                        _ => self.fault(position, format!("`{name}`: expected jq as a text, such as \".args.{name}\"")),
                    }
                }
            }
            Some((_, position)) => {
                self.fault(position, "`with`: expected an object of jq, such as {id: \".args.id\"}");
            }
        }
        for argument in needed.iter().filter(|argument| !named.contains(argument)) {
            self.fault(given.name.pos, format!("the source `{}` needs `{argument}` in `with`", source.name));
        }
        with
    }

    /// jq over `{args, parent, headers}`.
    fn program(&mut self, scope: &Scope<'_>, text: &str, position: Pos) -> Option<Arc<dyn Program>> {
        let known = |name: &str| scope.definition.arguments.iter().any(|argument| argument.node.name.node == name);
        for name in arguments_named(text) {
            if !known(name) {
                self.fault(position, format!("the field has no argument `{name}`"));
            }
        }
        if scope.is_root && reads_parent(text) {
            self.fault(position, "`.parent`: there is none at the root");
        }
        self.vary.on_program(text);
        if let Err(fault) = self.programs.compile(text) {
            self.fault(position, fault);
            return None;
        }
        // What the steps of endpoints call `.item` is the object here.
        let wrapped = format!("{{args: .args, parent: .item, headers: .headers}} | ({text}\n)");
        self.programs.compile(&wrapped).map_err(|fault| self.fault(position, fault)).ok()
    }

    fn batch(
        &mut self,
        scope: &Scope<'_>,
        given: &Given,
        with: &[(&str, &str, Arc<dyn Program>)],
        body: Option<&str>,
    ) -> Option<Batch> {
        let value = given.get_argument("batch")?;
        let position = value.pos;
        let Value::Object(members) = &value.node else {
            self.fault(position, "`batch`: expected an object such as {size: 50, key: \".id\"}");
            return None;
        };
        if scope.is_root {
            self.fault(position, "`batch`: a field of the root is asked for once, there is nothing to put together");
        }
        let (mut size, mut join, mut key) = (None, ",".to_owned(), None);
        for (name, value) in members {
            match (name.as_str(), value) {
                ("size", value) => size = self.positive("size", value, position),
                ("join", Value::String(text)) => join.clone_from(text),
                ("key", Value::String(text)) => {
                    key = Path::parse(text).map_err(|fault| self.fault(position, fault.detail)).ok();
                }
                ("join" | "key", _) => self.fault(position, format!("`{name}`: expected a text")),
                _ => self.fault(position, format!("`batch` has no `{name}`; expected size, join, key")),
            }
        }
        let Some(size) = size else {
            self.fault(position, "`batch`: `size` is missing; expected the most elements of one call");
            return None;
        };
        if size > MAX_BATCH {
            self.fault(position, format!("`size`: expected 1 to {MAX_BATCH}"));
        }
        let joined: Vec<&str> = with.iter().filter(|(_, text, _)| reads_parent(text)).map(|(name, ..)| *name).collect();
        if joined.len() != 1 || join.is_empty() {
            self.fault(position, "`batch`: expected one argument that reads `.parent`, and something to join with");
        }
        if body.is_some_and(reads_parent) {
            self.fault(position, "`batch`: the body reads `.parent`; expected an argument that does");
        }
        // Where the field is a list and the answer says by a key to whom an element belongs, all of them are its own.
        let many = key.is_some() && lists(&scope.definition.ty.node) > 0;
        Some(Batch { size, join, key, joined: joined.first().map(|&name| name.to_owned()), many })
    }
}

/// What a program may read.
struct Scope<'a> {
    definition: &'a FieldDefinition,
    is_root: bool,
}

/// Whether the program's text names `.parent`.
fn reads_parent(program: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    [".parent", "\"parent\"", "{parent"]
        .into_iter()
        .any(|name| program.match_indices(name).any(|(at, _)| ends(&program[at + name.len()..])))
}

/// The names after `.args.`, as far as the program's text shows them.
fn arguments_named(program: &str) -> Vec<&str> {
    const PREFIX: &str = ".args.";
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut names = Vec::new();
    for (at, _) in program.match_indices(PREFIX) {
        // `.parent.args.x` is another `args`.
        let before = program[..at].chars().next_back();
        if before.is_some_and(|c| is_word(c) || matches!(c, ']' | ')' | '"' | '?' | '.')) {
            continue;
        }
        let rest = &program[at + PREFIX.len()..];
        let name = &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())];
        if !name.is_empty() {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_reads_is_seen() {
        assert_eq!(arguments_named(".args.id, .args.a.b | .parent.args.c"), ["id", "a"]);
        assert!(reads_parent(".parent.id") && reads_parent("{parent}") && !reads_parent(".parents"));
    }
}
