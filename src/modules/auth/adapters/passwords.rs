//! Password hashing on threads of its own, so that no other call waits for it.

mod breaches;
mod common;
mod formats;
mod hasher;
mod pool;
#[cfg(test)]
mod suite;

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    kernel::error::ValueFault,
    modules::auth::{
        application::{PasswordHasher, PortError, Verdict},
        config::PasswordConfig,
        domain::{PasswordHash, PlainPassword},
    },
};
pub(crate) use breaches::breach_list;
pub(crate) use common::CommonLists;
use hasher::Hasher;
use pool::{Pool, PoolLimits};

/// Hashes by configuration.
pub(crate) struct PooledPasswords {
    hasher: Arc<Hasher>,
    pool: Pool,
}

impl PooledPasswords {
    /// Starts the threads.
    pub(crate) fn start(config: &PasswordConfig) -> Result<Self, String> {
        let threads = match config.hashing_threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            threads => threads,
        };
        let hasher = Arc::new(Hasher::new(config)?);
        let pool = Pool::start(PoolLimits {
            threads,
            queue: config.hashing_queue,
            timeout: config.hashing_timeout.get(),
            yield_after: config.hashing_yield_after,
        })?;
        Ok(Self { hasher, pool })
    }
}

#[async_trait]
impl PasswordHasher for PooledPasswords {
    async fn hash(&self, password: &PlainPassword) -> Result<PasswordHash, PortError> {
        let (hasher, password) = (self.hasher.clone(), password.clone());
        let hash = self.pool.run(move || hasher.hash(password.expose())).await?;
        hash.map(PasswordHash::from_text).map_err(PortError::Internal)
    }

    async fn verify(&self, password: &PlainPassword, hash: Option<&PasswordHash>) -> Result<Verdict, PortError> {
        let (hasher, password) = (self.hasher.clone(), password.clone());
        let hash = hash.cloned();
        let check = move || {
            if let Some(hash) = hash {
                return verify(&hasher, &password, hash.as_text());
            }
            hasher.verify_nothing(password.expose());
            password.as_typed().map_or(Verdict::Wrong, |typed| hasher.verify_nothing(typed))
        };
        self.pool.run(check).await
    }

    fn recognise(&self, text: &str) -> Result<PasswordHash, ValueFault> {
        let text = formats::without_frame(text);
        formats::Kept::parse(text).map(|_| PasswordHash::from_text(text.to_owned()))
    }
}

/// Hashes from elsewhere are of what was typed, ours of what that means; a right one of the former is written anew.
fn verify(hasher: &Hasher, password: &PlainPassword, hash: &str) -> Verdict {
    let verdict = hasher.verify(password.expose(), hash);
    let Some(typed) = password.as_typed().filter(|_| verdict == Verdict::Wrong) else { return verdict };
    match hasher.verify(typed, hash) {
        Verdict::Wrong => Verdict::Wrong,
        Verdict::Right | Verdict::RightButOld => Verdict::RightButOld,
    }
}
