//! The programs a worker has compiled: compiling takes longer than most evaluations, and the same rules come again.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use jaq_json::Val;
use serde_json::value::RawValue;

use super::super::{
    super::domain::transform::Expressions,
    jaq::{Jaq, JaqProgram},
};

/// How many are kept; when there are more, all are forgotten.
const KEPT: usize = 32;
/// The longest text that is kept, in bytes.
const LONGEST: usize = 4096;

/// jq that remembers.
#[derive(Default)]
pub(crate) struct Remembering {
    programs: RefCell<HashMap<String, Rc<JaqProgram>>>,
}

impl Expressions for Remembering {
    type Program = Rc<JaqProgram>;
    type Value = Val;

    fn compile(&self, text: &str) -> Result<Rc<JaqProgram>, String> {
        if let Some(known) = self.programs.borrow().get(text) {
            return Ok(Rc::clone(known));
        }
        let program = Rc::new(Expressions::compile(&Jaq, text)?);
        let mut programs = self.programs.borrow_mut();
        if programs.len() == KEPT {
            programs.clear();
        }
        if text.len() <= LONGEST {
            programs.insert(text.to_owned(), Rc::clone(&program));
        }
        Ok(program)
    }
    fn read(&self, text: &RawValue) -> Result<Val, String> {
        Jaq.read(text)
    }
    fn run(&self, program: &Rc<JaqProgram>, input: &Val, at_most: usize) -> Result<Vec<Val>, String> {
        Jaq.run(program, input, at_most)
    }
    fn is_true(&self, value: &Val) -> bool {
        Jaq.is_true(value)
    }
    fn null(&self) -> Val {
        Jaq.null()
    }
    fn array(&self, items: Vec<Val>) -> Val {
        Jaq.array(items)
    }
    fn write(&self, value: &Val) -> Result<Box<RawValue>, String> {
        Jaq.write(value)
    }
}
