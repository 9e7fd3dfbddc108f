//! One parsed file: every path it names, resolved from the crate's root, with its line.

use std::collections::BTreeSet;

use syn::{
    Attribute, ItemMod, Macro, Path, UseTree,
    spanned::Spanned as _,
    visit::{self, Visit},
};

/// A name that a file uses from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mention {
    /// Counted from 1.
    pub(crate) line: usize,
    /// `crate::…`, or a foreign crate's path.
    pub(crate) path: Vec<String>,
    /// Whether it stands in a test module.
    pub(crate) in_tests: bool,
}

/// An attribute of interest.
#[derive(Debug, Clone)]
pub(crate) struct Marked {
    /// Counted from 1.
    pub(crate) line: usize,
    /// The attribute's or macro's name.
    pub(crate) name: String,
    /// Its tokens, as text.
    pub(crate) tokens: String,
}

/// A parsed source.
pub(crate) struct Source {
    /// Relative to the package: `src/kernel/clock.rs`.
    pub(crate) file: String,
    pub(crate) text: String,
    pub(crate) mentions: BTreeSet<Mention>,
    /// Attributes, and the macros `cfg!`.
    pub(crate) marks: Vec<Marked>,
}

impl Source {
    /// Parses a file's text.
    pub(crate) fn parse(file: &str, text: &str) -> Self {
        let tree = syn::parse_file(text).unwrap_or_else(|fault| panic!("{file}: {fault}"));
        let mut reader = Reader {
            module: module_of(file),
            local: local_names(&tree),
            in_tests: is_test_file(file),
            mentions: BTreeSet::new(),
            marks: Vec::new(),
        };
        reader.visit_file(&tree);
        Self { file: file.to_owned(), text: text.to_owned(), mentions: reader.mentions, marks: reader.marks }
    }
}

/// `x/tests.rs` and `x/tests/…` are test modules in files of their own, and `fuzzing.rs` is a door for fuzz targets alone.
fn is_test_file(file: &str) -> bool {
    file.ends_with("/tests.rs") || file.contains("/tests/") || file.ends_with("/fuzzing.rs")
}

/// `src/modules/auth/domain/user.rs` → `crate::modules::auth::domain::user`.
pub(crate) fn module_of(file: &str) -> Vec<String> {
    let path = file.strip_prefix("src/").unwrap_or(file).trim_end_matches(".rs");
    let inner = path.split('/').filter(|part| !matches!(*part, "lib" | "main" | "mod"));
    std::iter::once("crate").chain(inner).map(str::to_owned).collect()
}

/// Names that a file declares or imports itself: a path that begins with one of them is not a foreign crate's.
fn local_names(tree: &syn::File) -> BTreeSet<String> {
    struct Names(BTreeSet<String>);
    impl<'ast> Visit<'ast> for Names {
        fn visit_item_mod(&mut self, module: &'ast ItemMod) {
            self.0.insert(module.ident.to_string());
            visit::visit_item_mod(self, module);
        }

        fn visit_item_use(&mut self, import: &'ast syn::ItemUse) {
            bound_names(&import.tree, &mut self.0);
        }
    }
    let mut names = Names(BTreeSet::new());
    names.visit_file(tree);
    names.0
}

fn bound_names(tree: &UseTree, names: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => {
            let imports_itself = match &*path.tree {
                UseTree::Name(name) => name.ident == "self",
                UseTree::Group(group) => {
                    group.items.iter().any(|inner| matches!(inner, UseTree::Name(name) if name.ident == "self"))
                }
                _ => false,
            };
            if imports_itself {
                names.insert(path.ident.to_string());
            }
            bound_names(&path.tree, names);
        }
        UseTree::Name(name) => drop(names.insert(name.ident.to_string())),
        UseTree::Rename(rename) => drop(names.insert(rename.rename.to_string())),
        UseTree::Group(group) => group.items.iter().for_each(|inner| bound_names(inner, names)),
        UseTree::Glob(_) => {}
    }
}

struct Reader {
    module: Vec<String>,
    local: BTreeSet<String>,
    in_tests: bool,
    mentions: BTreeSet<Mention>,
    marks: Vec<Marked>,
}

impl Reader {
    /// Notes a path; `import` paths always begin at a crate or a module, others may begin with a local name.
    fn note(&mut self, segments: &[String], line: usize, import: bool, leading_colon: bool) {
        let Some(first) = segments.first().map(String::as_str) else { return };
        let own = self.local.contains(first) && !leading_colon && segments.len() > 1;
        let path = match first {
            "crate" => segments.to_vec(),
            "self" | "super" => self.resolve(segments),
            // Something this file declares or imported: noted where it was imported.
            _ if own || !is_crate_like(first) => return,
            _ if !import && !leading_colon && segments.len() < 2 => return,
            _ => segments.to_vec(),
        };
        self.mentions.insert(Mention { line, path, in_tests: self.in_tests });
    }

    fn resolve(&self, segments: &[String]) -> Vec<String> {
        let mut path = self.module.clone();
        let mut rest = segments;
        while let Some((first, tail)) = rest.split_first() {
            match first.as_str() {
                "self" => {}
                "super" => drop(path.pop()),
                _ => break,
            }
            rest = tail;
        }
        path.extend(rest.iter().cloned());
        path
    }

    fn tree(&mut self, tree: &UseTree, before: &[String], leading_colon: bool) {
        let with = |ident: &syn::Ident| before.iter().cloned().chain([ident.to_string()]).collect::<Vec<_>>();
        match tree {
            UseTree::Path(path) => self.tree(&path.tree, &with(&path.ident), leading_colon),
            UseTree::Group(group) => group.items.iter().for_each(|inner| self.tree(inner, before, leading_colon)),
            UseTree::Name(name) if name.ident == "self" => {
                self.note(before, name.span().start().line, true, leading_colon);
            }
            UseTree::Name(name) => self.note(&with(&name.ident), name.span().start().line, true, leading_colon),
            UseTree::Rename(rename) => self.note(&with(&rename.ident), rename.span().start().line, true, leading_colon),
            UseTree::Glob(glob) => self.note(before, glob.span().start().line, true, leading_colon),
        }
    }

    /// Paths inside a macro's tokens, which are not parsed: `a::b` wherever it stands.
    fn tokens(&mut self, tokens: proc_macro2::TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let (mut line, mut colons) = (0, 0);
        for token in tokens {
            match token {
                proc_macro2::TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.note(&std::mem::take(&mut path), line, false, false);
                    }
                    if path.is_empty() {
                        line = ident.span().start().line;
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                proc_macro2::TokenTree::Punct(mark) if mark.as_char() == ':' && !path.is_empty() => colons += 1,
                other => {
                    self.note(&std::mem::take(&mut path), line, false, false);
                    colons = 0;
                    if let proc_macro2::TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.note(&path, line, false, false);
    }
}

/// Types and constants begin in upper case; crates do not.
fn is_crate_like(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase()) && !PRIMITIVES.contains(&name)
}

const PRIMITIVES: &[&str] = &[
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
    "f32", "f64",
];

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&item.tree, &[], item.leading_colon.is_some());
        item.attrs.iter().for_each(|attribute| self.visit_attribute(attribute));
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.note(&segments, path.span().start().line, false, path.leading_colon.is_some());
        visit::visit_path(self, path);
    }

    /// `pub(crate)` is no import.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        let outside = self.in_tests;
        self.in_tests |= module
            .attrs
            .iter()
            .any(|attribute| attribute.path().is_ident("cfg") && quoted(attribute).replace(' ', "").contains("(test)"));
        if module.content.is_some() {
            self.module.push(module.ident.to_string());
            visit::visit_item_mod(self, module);
            self.module.pop();
        } else {
            visit::visit_item_mod(self, module);
        }
        self.in_tests = outside;
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        let name = call.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        if name == "cfg" {
            let tokens = call.tokens.to_string();
            self.marks.push(Marked { line: call.span().start().line, name, tokens });
        }
        self.tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let name = attribute.path().segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        let line = attribute.span().start().line;
        self.marks.push(Marked { line, name, tokens: quoted(attribute) });
        visit::visit_attribute(self, attribute);
    }
}

fn quoted(attribute: &Attribute) -> String {
    match &attribute.meta {
        syn::Meta::Path(_) => String::new(),
        syn::Meta::List(list) => format!("({})", list.tokens),
        syn::Meta::NameValue(_) => "=".to_owned(),
    }
}
