//! What the audit log keeps: who did what to whom, when, from where, and how it ended. Never a secret.

use std::net::{IpAddr, Ipv4Addr};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::kernel::{Principal, Subject, UserId};

/// Where a call comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The client's address; none on the command line.
    pub(crate) address: Option<IpAddr>,
    /// What the client calls itself, at most 256 characters.
    pub(crate) user_agent: Option<String>,
    /// The request's id.
    pub(crate) request_id: Option<String>,
}

impl Origin {
    /// Whom attempts are counted for: the client's address; one that nobody has, when there is none.
    pub(crate) fn client(&self) -> IpAddr {
        self.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Actor {
    /// Somebody who has not shown who it is.
    Anonymous,
    /// A user.
    User(UserId),
    /// A client that speaks for itself.
    Client(String),
    /// Whoever may run our commands.
    CommandLine,
    /// The product itself, on a timer.
    System,
}

impl Actor {
    /// The actor behind a token.
    pub(crate) fn of(principal: &Principal) -> Self {
        match &principal.subject {
            Subject::User(id) => Self::User(*id),
            Subject::Client(id) => Self::Client(id.clone()),
        }
    }

    /// The kind, as in answers and in the store.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User(_) => "user",
            Self::Client(_) => "client",
            Self::CommandLine => "command-line",
            Self::System => "system",
        }
    }

    /// The id, for those that have one.
    pub(crate) fn id(&self) -> Option<String> {
        match self {
            Self::User(id) => Some(id.to_string()),
            Self::Client(id) => Some(id.clone()),
            Self::Anonymous | Self::CommandLine | Self::System => None,
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was done.
    Success,
    /// It was refused.
    Failure,
}

impl Outcome {
    /// The name, as in answers and in the store.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// One line of the audit log, before it has its number and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuditEntry {
    /// Its own id, which orders entries by time.
    pub(crate) id: Uuid,
    /// When.
    pub(crate) at: DateTime<Utc>,
    /// Who.
    pub(crate) actor: Actor,
    /// What, as `noun.verb`: `session.created`, `user.suspended`, `login.failed`.
    pub(crate) action: String,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// To whom or what: the kind (`user`, `session`, `client`, `role`, `key`) and its id.
    pub(crate) target: Option<(String, String)>,
    /// From where.
    pub(crate) origin: Origin,
    /// What else matters. Never a secret.
    pub(crate) details: Map<String, Value>,
}
