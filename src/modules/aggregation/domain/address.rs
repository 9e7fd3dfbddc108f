//! What a source is asked: an address with places for arguments, or a question to a database.

use super::{
    statement::Statement,
    template::{Arguments, FillFault, UrlTemplate},
};

/// Either of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// Over HTTP.
    Http(UrlTemplate),
    /// To a database.
    Sql(Statement),
}

/// An address or a question with its arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filled {
    /// The address; empty for a question.
    pub(crate) url: String,
    /// What is bound to the question's places, in order.
    pub(crate) values: Vec<String>,
}

impl Address {
    /// The names of the arguments, in order, each once.
    pub(crate) fn arguments(&self) -> Vec<&str> {
        match self {
            Self::Http(template) => template.arguments(),
            Self::Sql(statement) => statement.arguments(),
        }
    }

    /// With these arguments.
    pub(crate) fn fill(&self, arguments: &Arguments) -> Result<Filled, FillFault> {
        match self {
            Self::Http(template) => Ok(Filled { url: template.fill(arguments)?, values: Vec::new() }),
            Self::Sql(statement) => Ok(Filled { url: String::new(), values: statement.fill(arguments)? }),
        }
    }
}
