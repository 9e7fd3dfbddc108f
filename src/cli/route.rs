//! `vestibule route`: what the front door does with requests, without sending one.

use clap::{Args, Subcommand};

use super::{
    failure::Failure,
    list::{self, FormatArguments},
    roles::RoleArguments,
    session::{Session, start_failure},
};
use crate::bootstrap;

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum RouteCommand {
    /// Lists every route of the front door
    #[command(after_help = "Example:\n  vestibule route list --config vestibule.toml")]
    List {
        #[command(flatten)]
        roles: RoleArguments,
        #[command(flatten)]
        format: FormatArguments,
    },
    /// Tells which route, upstream and policies a request would meet
    #[command(
        after_help = "Example:\n  vestibule route explain GET https://shop.example/catalog/7 -H 'api-version: 2'"
    )]
    Explain(Explain),
}

/// A request.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The method, such as GET
    method: String,
    /// A URL, or a path
    url: String,
    /// A header of the request; may be given again
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    #[command(flatten)]
    roles: RoleArguments,
    #[command(flatten)]
    format: FormatArguments,
}

impl RouteCommand {
    pub(super) fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let loaded = session.load()?;
        let text = match self {
            Self::List { roles, format } => {
                let routes = bootstrap::list_routes(&loaded.config, &roles.chosen()?);
                let routes = routes.map_err(|error| start_failure(&loaded, error))?;
                list::many(&routes, &["name", "methods", "hosts", "path", "to", "auth", "rate_limit"], format.format)
            }
            Self::Explain(request) => {
                let Explain { method, url, headers, roles, format } = request;
                let explained = bootstrap::explain_route(&loaded.config, &roles.chosen()?, method, url, headers);
                let explained = explained.map_err(|error| start_failure(&loaded, error))?.map_err(Failure::Usage)?;
                list::one(&explained, format.format)
            }
        };
        Ok(session.output.result(text)?)
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected `name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
