//! The command line: one clap enum, one file a command. Results go to standard output, everything else to standard error.
//! Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.

mod aggregate;
mod client;
mod completions;
mod config;
mod demo;
mod failure;
mod health;
mod key;
mod list;
mod migrate;
mod openapi;
mod output;
mod roles;
mod route;
mod serve;
mod session;
mod transform;
mod user;

use std::{collections::BTreeMap, env, ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use self::{
    aggregate::AggregateCommand, client::ClientCommand, completions::Completions, config::ConfigCommand,
    demo::DemoCommand, failure::Failure, health::Health, key::KeyCommand, migrate::MigrateCommand, openapi::OpenApi,
    output::Output, route::RouteCommand, serve::Serve, session::Session, transform::TransformCommand,
    user::UserCommand,
};
use crate::bootstrap;

/// Login, one front door and one call per screen: identity, API gateway and aggregation in one binary.
#[derive(Debug, Parser)]
#[command(name = "vestibule", version, max_term_width = 100, subcommand_required = true)]
struct Cli {
    /// A TOML file with settings; may be given again, the later file wins
    #[arg(long, global = true, value_name = "FILE")]
    config: Vec<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Serves roles behind one port: all of them, or those of --role
    #[command(after_help = "Examples:\n  vestibule serve\n  vestibule serve --role auth --config production.toml")]
    Serve(Serve),
    /// Everything in one process on throwaway data, with sample backends; prints a tour to follow with curl
    #[command(after_help = "Example:\n  vestibule demo --port 8000")]
    Demo(DemoCommand),
    /// Evaluates programs from requests, within limits; started by the server
    #[command(hide = true)]
    EvaluationWorker,
    /// Changes the database's schema
    #[command(subcommand)]
    Migrate(MigrateCommand),
    /// Looks at the configuration without starting anything
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Tells what the front door does with requests
    #[command(subcommand)]
    Route(RouteCommand),
    /// Checks and tries what aggregation is configured to do
    #[command(subcommand)]
    Aggregate(AggregateCommand),
    /// Applies transformation rules to JSON on standard input
    #[command(
        after_help = "Examples:\n  vestibule transform rules.json < data.json\n  vestibule transform rules.json --ndjson < events.ndjson > less.ndjson\n\nrules.json: [{\"op\": \"filter\", \"where\": \".price > 3\"}, {\"op\": \"select\", \"fields\": [\"id\", \"price\"]}]"
    )]
    Transform(TransformCommand),
    /// Administers accounts
    #[command(subcommand)]
    User(UserCommand),
    /// Looks after the keys that tokens are signed with
    #[command(subcommand)]
    Key(KeyCommand),
    /// Administers OAuth clients
    #[command(subcommand)]
    Client(ClientCommand),
    /// Prints the OpenAPI document
    #[command(after_help = "Example:\n  vestibule openapi --role auth > openapi.json", name = "openapi")]
    OpenApi(OpenApi),
    /// Asks a running process whether it is ready: exit code 0 when it is
    #[command(after_help = "Example:\n  vestibule health http://127.0.0.1:8000")]
    Health(Health),
    /// Prints a shell's completion script
    #[command(after_help = "Example:\n  vestibule completions bash > /etc/bash_completion.d/vestibule")]
    Completions(Completions),
}

/// Runs what the process was asked for.
pub fn run() -> ExitCode {
    // Names and values that are not UTF-8 cannot be settings.
    let environment =
        env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)));
    run_with(env::args_os(), environment.collect(), Output::standard())
}

fn run_with(
    arguments: impl IntoIterator<Item = OsString>,
    environment: BTreeMap<String, String>,
    mut output: Output,
) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            output.message(error.render().ansi().to_string().trim_end());
            return ExitCode::from(2);
        }
        Err(help) => {
            let written = output.result(help.render().ansi().to_string().trim_end());
            return written.map_or_else(|error| Failure::from(error).report(&mut output), |()| ExitCode::SUCCESS);
        }
    };
    let mut session = Session { files: cli.config, environment, output };
    let done = match cli.command {
        Command::Serve(command) => command.run(&mut session),
        Command::Demo(command) => command.run(&mut session),
        Command::EvaluationWorker => return bootstrap::evaluation_worker(),
        Command::Migrate(command) => command.run(&mut session),
        Command::Route(command) => command.run(&mut session),
        Command::Aggregate(command) => command.run(&mut session),
        Command::Transform(command) => command.run(&mut session),
        Command::User(command) => command.run(&mut session),
        Command::Key(command) => command.run(&mut session),
        Command::Client(command) => command.run(&mut session),
        Command::OpenApi(command) => command.run(&mut session),
        Command::Config(command) => command.run(&mut session),
        Command::Health(command) => command.run(&mut session),
        Command::Completions(command) => command.run(&mut session),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(&mut session.output),
    }
}

#[cfg(test)]
mod tests;
