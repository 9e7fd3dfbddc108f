//! jq by jaq. What reaches outside the program is left out: environment, input, time, messages, the end of the process.

use std::{fmt::Write as _, sync::Arc};

use jaq_core::{
    Compiler as JaqCompiler, Ctx, Filter, ValT as _, Vars,
    data::JustLut,
    load::{Arena, File, Loader},
    unwrap_valr,
};
use jaq_json::{Map, Num, Val, read};
use serde_json::value::RawValue;

use super::super::{
    application::ports::{Compiler, Input, Program},
    domain::{
        data::{Json, MAX_DEPTH},
        transform::Expressions,
    },
};

/// Functions that are not there.
const LEFT_OUT: [&str; 12] = [
    "env",
    "now",
    "halt",
    "halt_error",
    "debug",
    "debug_empty",
    "stderr",
    "stderr_empty",
    "localtime",
    "strflocaltime",
    "input",
    "inputs",
];

/// The longest message about a value, in characters.
const MESSAGE: usize = 200;

/// Compiles and runs jq.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Jaq;

/// A compiled program.
pub(crate) struct JaqProgram(Filter<JustLut<Val>>);

impl std::fmt::Debug for JaqProgram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JaqProgram")
    }
}

impl JaqProgram {
    /// Compiles; the error names what cannot be read or is not known.
    pub(crate) fn compile(text: &str) -> Result<Self, String> {
        let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
        let loader = Loader::new(definitions.filter(|definition| !LEFT_OUT.contains(&definition.name)));
        let arena = Arena::default();
        let modules = loader.load(&arena, File { code: text, path: () });
        let modules = modules.map_err(|faults| {
            let told = faults.into_iter().map(|(_, fault)| match fault {
                jaq_core::load::Error::Io(faults) => {
                    faults.into_iter().map(|(path, why)| format!("{path}: {why}")).collect::<Vec<_>>().join("; ")
                }
                jaq_core::load::Error::Lex(faults) => {
                    join(faults.into_iter().map(|(e, at)| (e.as_str().to_owned(), at)))
                }
                jaq_core::load::Error::Parse(faults) => {
                    join(faults.into_iter().map(|(e, at)| (e.as_str().to_owned(), at)))
                }
            });
            short(&format!("not a jq program: {}", told.collect::<Vec<_>>().join("; ")))
        })?;
        let functions = functions.filter(|(name, ..)| !LEFT_OUT.contains(name));
        let filter = JaqCompiler::default().with_funs(functions).compile(modules).map_err(|faults| {
            let told = faults.into_iter().flat_map(|(_, faults)| faults);
            let told = told.map(|(name, what)| format!("there is no {} `{name}`", what.as_str()));
            short(&told.collect::<Vec<_>>().join("; "))
        })?;
        Ok(Self(filter))
    }

    fn outputs(&self, input: Val, at_most: usize) -> Result<Vec<Val>, String> {
        let context = Ctx::<JustLut<Val>>::new(&self.0.lut, Vars::new([]));
        let outputs = self.0.id.run((context, input)).map(unwrap_valr).take(at_most);
        outputs.collect::<Result<_, _>>().map_err(|fault| short(&fault.to_string()))
    }
}

fn join<'a>(faults: impl Iterator<Item = (String, &'a str)>) -> String {
    let one = |(expected, at): (String, &str)| {
        let at: String = at.chars().take(20).collect();
        if at.is_empty() { format!("expected {expected} at the end") } else { format!("expected {expected} at {at:?}") }
    };
    faults.map(one).collect::<Vec<_>>().join("; ")
}

fn short(text: &str) -> String {
    text.chars().take(MESSAGE).collect()
}

impl Program for JaqProgram {
    fn run(&self, input: Input<'_>, at_most: usize) -> Result<Vec<Json>, String> {
        self.texts(read_input(input)?, at_most)
    }

    fn run_each(&self, input: Input<'_>, items: &[Json], at_most: usize) -> Vec<Result<Vec<Json>, String>> {
        let scope = match read_input(input) {
            Ok(Val::Obj(scope)) => scope,
            Ok(_) => return vec![Err("only a scope has an item".to_owned()); items.len()],
            Err(fault) => return vec![Err(fault); items.len()],
        };
        let run = |item: &Json| {
            // The members are shared, not copied.
            let mut scope = (*scope).clone();
            scope.insert(key("item"), parse(item)?);
            self.texts(Val::Obj(scope.into()), at_most)
        };
        items.iter().map(run).collect()
    }
}

impl JaqProgram {
    fn texts(&self, input: Val, at_most: usize) -> Result<Vec<Json>, String> {
        self.outputs(input, at_most)?.iter().map(|output| text_of(output).map(Arc::from)).collect()
    }
}

fn read_input(input: Input<'_>) -> Result<Val, String> {
    let (request, results, item) = match input {
        Input::Body(body) => return parse(body),
        Input::Scope { request, results, item } => (request, results, item),
    };
    let mut scope = Map::default();
    for (name, value) in request {
        scope.insert(key(name), parse(value)?);
    }
    let mut members = Map::default();
    for (name, value) in results {
        members.insert(key(name), parse(value)?);
    }
    scope.insert(key("results"), Val::Obj(members.into()));
    scope.insert(key("item"), item.map_or(Ok(Val::Null), parse)?);
    Ok(Val::Obj(scope.into()))
}

impl Compiler for Jaq {
    fn compile(&self, text: &str) -> Result<Arc<dyn Program>, String> {
        JaqProgram::compile(text).map(|program| Arc::new(program) as Arc<dyn Program>)
    }
}

impl Expressions for Jaq {
    type Program = JaqProgram;
    type Value = Val;

    fn compile(&self, text: &str) -> Result<JaqProgram, String> {
        JaqProgram::compile(text)
    }
    fn read(&self, text: &RawValue) -> Result<Val, String> {
        parse(text)
    }
    fn run(&self, program: &JaqProgram, input: &Val, at_most: usize) -> Result<Vec<Val>, String> {
        program.outputs(input.clone(), at_most)
    }
    fn is_true(&self, value: &Val) -> bool {
        value.as_bool()
    }
    fn null(&self) -> Val {
        Val::Null
    }
    fn array(&self, items: Vec<Val>) -> Val {
        Val::Arr(items.into())
    }
    fn write(&self, value: &Val) -> Result<Box<RawValue>, String> {
        text_of(value)
    }
}

fn key(name: &str) -> Val {
    Val::utf8_str(name.to_owned())
}

/// jaq reads a superset of JSON; this text has already been read as JSON.
fn parse(text: &RawValue) -> Result<Val, String> {
    read::parse_single(text.get().as_bytes()).map_err(|fault| short(&fault.to_string()))
}

fn text_of(value: &Val) -> Result<Box<RawValue>, String> {
    let mut text = String::new();
    write(value, &mut text, 0)?;
    RawValue::from_string(text).map_err(|fault| short(&format!("the result is not JSON: {fault}")))
}

/// JSON, strictly: jaq's values are more than that.
fn write(value: &Val, out: &mut String, depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("the result has more than {MAX_DEPTH} levels"));
    }
    match value {
        Val::Null => out.push_str("null"),
        Val::Bool(true) => out.push_str("true"),
        Val::Bool(false) => out.push_str("false"),
        Val::Num(number) => write_number(number, out),
        Val::TStr(text) | Val::BStr(text) => write_text(text, out),
        Val::Arr(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out, depth + 1)?;
            }
            out.push(']');
        }
        Val::Obj(members) => {
            out.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                match name {
                    Val::TStr(name) => write_text(name, out),
                    _ => return Err("an object has a name that is no text".to_owned()),
                }
                out.push(':');
                write(member, out, depth + 1)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn write_text(text: &[u8], out: &mut String) {
    out.push_str(&serde_json::Value::from(String::from_utf8_lossy(text)).to_string());
}

/// As jq writes them: no number of JSON's kind is lost, NaN is null, infinity the largest number.
fn write_number(number: &Num, out: &mut String) {
    let float = match number {
        Num::Int(_) | Num::BigInt(_) => return out.push_str(&number.to_string()),
        // What was written in decimals stays as it was written.
        Num::Dec(text) if serde_json::from_str::<&RawValue>(text).is_ok() => return out.push_str(text),
        Num::Dec(text) => text.parse().unwrap_or(f64::NAN),
        Num::Float(float) => *float,
    };
    if float.is_nan() {
        out.push_str("null");
    } else if float.fract() == 0.0 && float.abs() < 1e17 {
        let _ = write!(out, "{float:.0}");
    } else {
        let finite = float.clamp(f64::MIN, f64::MAX);
        out.push_str(
            &serde_json::Number::from_f64(finite).map_or_else(|| "null".to_owned(), |number| number.to_string()),
        );
    }
}

#[cfg(test)]
mod tests;
