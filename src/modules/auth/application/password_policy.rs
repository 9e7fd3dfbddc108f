//! Which passwords may be set. It is asked wherever one is: at registration, change, reset, and by administrators.

use std::sync::Arc;

use super::{BreachList, CommonPasswords, Failure};
use crate::{
    kernel::{FieldFault, error::ValueFault},
    modules::auth::domain::{PasswordOwner, PlainPassword},
};

/// The rules beyond the length, which a [`PlainPassword`] has by itself.
#[derive(Clone)]
pub(crate) struct PasswordPolicy {
    pub(crate) common: Arc<dyn CommonPasswords>,
    /// Absent: nobody is asked.
    pub(crate) breaches: Option<Arc<dyn BreachList>>,
    /// Whether a password is accepted while the list of breaches cannot be asked.
    pub(crate) breaches_fail_open: bool,
}

impl PasswordPolicy {
    /// `Invalid` with every reason against the password, at `pointer`.
    pub(crate) async fn check(
        &self,
        pointer: &str,
        password: &PlainPassword,
        owner: PasswordOwner<'_>,
    ) -> Result<(), Failure> {
        let faults = self.faults(password, owner).await?;
        if faults.is_empty() {
            return Ok(());
        }
        let at = |fault: ValueFault| FieldFault::new(pointer, fault.code, fault.detail);
        Err(Failure::Invalid(faults.into_iter().map(at).collect()))
    }

    async fn faults(&self, password: &PlainPassword, owner: PasswordOwner<'_>) -> Result<Vec<ValueFault>, Failure> {
        let mut faults = owner.faults(password);
        if self.common.is_common(password) {
            faults.push(ValueFault::new("common-password", "this password is one of the first that everybody tries"));
        }
        // Who is refused anyway is not asked about elsewhere.
        if faults.is_empty() && self.is_breached(password).await? {
            let detail = "this password was stolen from some other service, and attackers know it";
            faults.push(ValueFault::new("breached-password", detail));
        }
        Ok(faults)
    }

    async fn is_breached(&self, password: &PlainPassword) -> Result<bool, Failure> {
        let Some(breaches) = &self.breaches else { return Ok(false) };
        match breaches.is_breached(password).await {
            Ok(is_breached) => Ok(is_breached),
            Err(error) if self.breaches_fail_open => {
                tracing::warn!(event = "breach_list_not_asked", %error);
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::modules::auth::{application::PortError, domain::Email};

    struct Fake(Result<bool, PortError>);

    impl CommonPasswords for Fake {
        fn is_common(&self, password: &PlainPassword) -> bool {
            password.text() == "password"
        }
    }

    #[async_trait]
    impl BreachList for Fake {
        async fn is_breached(&self, _: &PlainPassword) -> Result<bool, PortError> {
            self.0.clone()
        }
    }

    async fn check(password: &str, breaches: Option<Result<bool, PortError>>, fail_open: bool) -> Result<(), Failure> {
        let policy = PasswordPolicy {
            common: Arc::new(Fake(Ok(false))),
            breaches: breaches.map(|answer| Arc::new(Fake(answer)) as Arc<dyn BreachList>),
            breaches_fail_open: fail_open,
        };
        let email = Email::parse("password@example.com").unwrap();
        let owner = PasswordOwner { email: &email, display_name: None };
        policy.check("/new_password", &PlainPassword::given(password).unwrap(), owner).await
    }

    fn codes(outcome: Result<(), Failure>) -> Vec<(String, &'static str)> {
        let Err(Failure::Invalid(faults)) = outcome else { panic!("{outcome:?}") };
        faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
    }

    #[tokio::test]
    async fn every_reason_is_told_with_its_place() {
        let at = |code| ("/new_password".to_owned(), code);
        assert_eq!(codes(check("password", None, true).await), [at("contains-address"), at("common-password")]);
        assert_eq!(codes(check("correct horse", Some(Ok(true)), true).await), [at("breached-password")]);
        assert_eq!(check("correct horse", Some(Ok(false)), false).await, Ok(()));
        assert_eq!(check("correct horse", None, false).await, Ok(()));
    }

    #[tokio::test]
    async fn a_list_that_is_away_refuses_or_not_as_configured() {
        let away = || Some(Err(PortError::Unavailable("away".to_owned())));
        assert_eq!(check("correct horse", away(), true).await, Ok(()));
        assert_eq!(check("correct horse", away(), false).await, Err(Failure::Unavailable("away".to_owned())));
    }
}
