//! What every module speaks: ids, error kinds, the principal, time, randomness, pages and units. No IO, no framework.

pub mod clock;
pub mod error;
pub mod ids;
pub mod page;
pub mod principal;
pub mod random;
pub mod role;
pub mod settings;
pub mod units;

pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{ErrorKind, FieldFault};
pub use ids::{ApiKeyId, PasskeyId, SessionId, UserId};
pub use page::{Page, PageRequest};
pub use principal::{API_KEY_CLIENT, API_KEY_PREFIX, FIRST_PARTY, Principal, Subject};
pub use random::Random;
pub use role::Role;
pub use settings::{SettingFault, StartError};
