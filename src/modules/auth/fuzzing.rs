//! A door for the fuzz targets in `fuzz/` to what is private; compiled for them alone.

use std::sync::Arc;

use super::{application::TokenSigner, domain::RedirectUri, start};
use crate::{
    config::{Sources, load},
    kernel::SystemClock,
    platform::random::SystemRandom,
};

/// Whether `asked` is the registered `kept`; `None` when that cannot be registered.
pub fn redirect_matches(kept: &str, asked: &str) -> Option<bool> {
    RedirectUri::parse(kept).ok().map(|kept| kept.matches(asked))
}

/// The parameters of an OAuth request, in the order of their names; `None` when it is refused.
pub fn read_form(text: &[u8]) -> Option<Vec<(String, String)>> {
    super::adapters::http::read_form(text)
}

/// Reads refresh tokens as the module does.
pub struct RefreshReader {
    signer: Arc<dyn TokenSigner>,
}

impl RefreshReader {
    /// A reader of what an issuer signs with this shared secret, on a database that is thrown away.
    ///
    /// # Panics
    ///
    /// When there is no place for a temporary file.
    pub fn new(issuer: &str, audience: &str, secret: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let settings = [
            ("VESTIBULE__AUTH__ISSUER", issuer.to_owned()),
            ("VESTIBULE__AUTH__TOKENS__AUDIENCE", audience.to_owned()),
            ("VESTIBULE__AUTH__TOKENS__ALGORITHM", "HS256".to_owned()),
            ("VESTIBULE__AUTH__TOKENS__SECRET", secret.to_owned()),
            ("VESTIBULE__DATABASE__URL", format!("sqlite://{}/fuzz.db", directory.path().display())),
        ];
        let environment = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let sources = Sources { files: Vec::new(), environment, overrides: Vec::new() };
        let config = load(&sources).expect("the settings are good").config;
        let runtime = tokio::runtime::Runtime::new().expect("a runtime can be started");
        let opened = start::signer(&config.auth, &config.database, Arc::new(SystemClock), Arc::new(SystemRandom));
        Self { signer: runtime.block_on(opened).expect("the module can be opened") }
    }

    /// Whether it is a refresh token of ours.
    pub fn reads(&self, token: &str) -> bool {
        self.signer.read_refresh(token).is_some()
    }
}
