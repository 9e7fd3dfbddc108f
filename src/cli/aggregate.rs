//! `vestibule aggregate`: sources and endpoints, checked and tried without a server.

mod fixtures;
mod timeline;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{
    failure::Failure,
    session::{Session, block_on},
};
use crate::{
    bootstrap,
    modules::aggregation::api::{RunFault, RunRequest},
};

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum AggregateCommand {
    /// Tells every fault of sources, endpoints and rulesets, with file, line, key and what was expected
    #[command(after_help = "Example:\n  vestibule aggregate check --config vestibule.toml")]
    Check,
    /// Runs an endpoint or a source once and prints what it answers; exit code 1 when something required fails
    #[command(
        after_help = "Examples:\n  vestibule aggregate run /dashboard/42 --explain --config vestibule.toml\n  vestibule aggregate run '/dashboard/{user_id}' --path user_id=42 --with lang=de --header 'accept-language: de'\n  vestibule aggregate run profile --with user_id=42 --offline answers.json\n  vestibule aggregate run /graphql --query 'query Q($id: ID!) { user(id: $id) { name } }' --variables '{\"id\": 42}'\n\nanswers.json: {\"profile\": {\"id\": 42}, \"orders\": {\"$status\": 503}, \"product\": {\"$paths\": {\"/products/7\": {\"name\": \"tea\"}}}}"
    )]
    Run(Run),
    /// Takes the endpoints of a KrakenD configuration over, and names what it left out
    #[command(
        after_help = "Example:\n  vestibule aggregate import-krakend krakend.json -o vestibule.toml && vestibule config check --config vestibule.toml"
    )]
    ImportKrakend(ImportKrakend),
}

/// What to take over.
#[derive(Debug, Args)]
pub(super) struct ImportKrakend {
    /// The configuration, JSON of version 3
    file: PathBuf,
    /// Where to write the TOML; without it: standard output
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
}

/// What to run.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// A source, an endpoint as it is configured, or a path that an endpoint serves
    name: String,
    /// An argument of the source; a path parameter or query parameter of the endpoint; may be given again
    #[arg(long = "with", value_name = "K=V", value_parser = pair)]
    arguments: Vec<(String, String)>,
    /// A path parameter of the endpoint; may be given again
    #[arg(long, value_name = "K=V", value_parser = pair)]
    path: Vec<(String, String)>,
    /// A header of the request; may be given again
    #[arg(short = 'H', long = "header", value_name = "K:V", value_parser = header)]
    headers: Vec<(String, String)>,
    /// For the path of GraphQL: the document
    #[arg(long, value_name = "DOCUMENT")]
    query: Option<String>,
    /// The document's variables, an object in JSON
    #[arg(long, value_name = "JSON", requires = "query")]
    variables: Option<String>,
    /// Calls nothing: a folder with NAME.json for each source, or one JSON file with a member for each, answers instead
    #[arg(long, value_name = "FIXTURES")]
    offline: Option<PathBuf>,
    /// Tells on standard error when each step ran and how it went
    #[arg(long)]
    explain: bool,
}

impl AggregateCommand {
    pub(super) fn run(&self, session: &mut Session) -> Result<(), Failure> {
        match self {
            Self::Check => check(session),
            Self::Run(run) => run.run(session),
            Self::ImportKrakend(import) => import.run(session),
        }
    }
}

fn check(session: &mut Session) -> Result<(), Failure> {
    let aggregation = &session.load()?.config.aggregation;
    let counted = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    Ok(session.output.result(format_args!(
        "{}, {} and {}: good",
        counted(aggregation.sources.len(), "source"),
        counted(aggregation.endpoints.len(), "endpoint"),
        counted(aggregation.rulesets.len(), "ruleset")
    ))?)
}

impl Run {
    fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let fixtures = self.offline.as_deref().map(fixtures::read).transpose().map_err(Failure::Usage)?;
        let loaded = session.load()?;
        let request = RunRequest {
            name: self.name.clone(),
            arguments: self.arguments.clone(),
            path: self.path.clone(),
            headers: self.headers.clone(),
            document: self.query.clone(),
            variables: self.variables.clone(),
            fixtures,
        };
        let outcome = block_on(bootstrap::aggregate(&loaded.config, &request))?.map_err(|fault| match fault {
            RunFault::Usage(message) => Failure::Usage(message),
            RunFault::Settings(faults) => Failure::Configuration(loaded.locate(faults)),
            RunFault::Failed(message) => Failure::Failed(message),
        })?;
        if self.explain {
            session.output.message(timeline::draw(&outcome.timeline));
        } else if !outcome.complete {
            for step in timeline::failed(&outcome.timeline) {
                session.output.message(step);
            }
        }
        let answer = outcome.answer.map_err(Failure::Failed)?;
        Ok(session.output.result(answer)?)
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected `name=value`")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected `name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

impl ImportKrakend {
    fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let wrong = |path: &PathBuf, fault: &dyn std::fmt::Display| format!("{}: {fault}", path.display());
        let text = std::fs::read_to_string(&self.file).map_err(|fault| Failure::Usage(wrong(&self.file, &fault)))?;
        let imported = bootstrap::import_krakend(&text).map_err(|fault| Failure::Usage(wrong(&self.file, &fault)))?;
        for note in &imported.notes {
            session.output.message(format_args!("{}: {note}", self.file.display()));
        }
        match &self.output {
            None => Ok(session.output.result(imported.text.trim_end())?),
            Some(path) => std::fs::write(path, &imported.text).map_err(|fault| Failure::Failed(wrong(path, &fault))),
        }
    }
}
