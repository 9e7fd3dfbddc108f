//! What an account's owner is told about its credentials, so that somebody else's doing is noticed.

use crate::modules::auth::domain::Email;

/// What happened, and to what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The password was changed by somebody who knew it.
    PasswordChanged,
    /// The password was set by a mailed link or code.
    PasswordReset,
    /// An administrator set the password.
    PasswordSet,
    /// An administrator gave the account another address: this one.
    AddressChanged(Email),
    /// An administrator took the second factor and the passkeys off.
    FactorsRemoved,
    /// A passkey was added; its name.
    PasskeyAdded(String),
    /// A passkey was removed; its name.
    PasskeyRemoved(String),
    /// Somebody tried a copy of a passkey; its name.
    PasskeyCloned(String),
    /// An API key was made; its name.
    ApiKeyCreated(String),
}
