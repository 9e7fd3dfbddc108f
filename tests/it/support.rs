//! What the tests share: the application under test, clients, mail boxes, and peers that misbehave.

mod app;
#[cfg(feature = "passkeys")]
mod authenticator;
mod authority;
mod backend;
mod browser;
mod client;
mod host;
mod load;
mod mail_server;
mod mailbox;
mod placement;
mod postgres;
mod private_postgres;
mod process;
mod raw;
mod redis;
mod relying_party;
mod visitor;

pub(crate) use app::{AppBuilder, TestApp};
#[cfg(feature = "passkeys")]
pub(crate) use authenticator::Authenticator;
pub(crate) use authority::{Authority, GuardedTarget};
pub(crate) use backend::Backend;
pub(crate) use browser::Browser;
pub(crate) use client::{Call, Reply, Session, User};
pub(crate) use host::free_host;
pub(crate) use load::{KeptUpstream, Load};
pub(crate) use mail_server::MailServer;
pub(crate) use mailbox::Mailbox;
pub(crate) use placement::{Store, Topology};
pub(crate) use private_postgres::PrivatePostgres;
pub(crate) use process::{Process, command, eventually};
pub(crate) use raw::{Manner, RawUpstream};
pub(crate) use redis::Redis;
pub(crate) use relying_party::{CALLBACK, RelyingParty, VERIFIER, claims};
pub(crate) use visitor::Visitor;
