//! Time-based one-time passwords (RFC 6238) by totp-rs, with the link and the QR code that authenticators read.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use qrcode::{QrCode, render::svg};
use totp_rs::{Algorithm, Builder, Totp};
use zeroize::Zeroizing;

use crate::{
    kernel::{Random, UserId},
    modules::auth::{
        application::{Enrolment, OneTimePasswords, PortError},
        domain::Email,
    },
    platform::sealing::Sealer,
};

/// RFC 4226 §4, R6: 160 bits.
const SECRET_LENGTH: usize = 20;
/// The pixels of a QR code's side, at least.
const QR_SIDE: u32 = 240;

/// The port over totp-rs.
pub(crate) struct TotpCodes {
    /// What authenticators call us.
    pub(crate) name: String,
    /// How secrets are kept.
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) random: Arc<dyn Random>,
}

/// What a user's secret is sealed for.
fn context(user: UserId) -> String {
    format!("totp:{user}")
}

impl TotpCodes {
    /// Brings a user's secret into the form in which it would be kept today; `None` when it is.
    pub(crate) fn resealed(&self, user: UserId, kept: &[u8]) -> Result<Option<Vec<u8>>, PortError> {
        if self.sealer.is_current(kept) {
            return Ok(None);
        }
        let secret = self.sealer.open(&context(user), kept).map_err(internal)?;
        Ok(Some(self.sealer.seal(&context(user), &secret, &*self.random)))
    }
}

impl OneTimePasswords for TotpCodes {
    fn enrol(&self, user: UserId, email: &Email) -> Result<Enrolment, PortError> {
        let mut secret = Zeroizing::new([0; SECRET_LENGTH]);
        self.random.fill(&mut *secret);
        let builder = of(&*secret).with_account_name(email.as_str()).with_issuer(Some(self.name.as_str()));
        let totp = builder.build().map_err(internal)?;
        let otpauth_uri = totp.to_url().map_err(internal)?;
        let qr = QrCode::new(otpauth_uri.as_bytes()).map_err(internal)?;
        let qr_svg = qr.render::<svg::Color<'_>>().min_dimensions(QR_SIDE, QR_SIDE).build();
        let sealed = self.sealer.seal(&context(user), &*secret, &*self.random);
        Ok(Enrolment { secret: totp.secret().to_base32(), otpauth_uri, qr_svg, sealed })
    }

    fn step_of(&self, user: UserId, sealed: &[u8], code: &str, now: DateTime<Utc>) -> Result<Option<i64>, PortError> {
        let secret = self.sealer.open(&context(user), sealed).map_err(internal)?;
        let totp: Totp = of(&secret).build().map_err(internal)?;
        let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
        Ok(totp.check(code, seconds).and_then(|step| i64::try_from(step).ok()))
    }
}

/// What every authenticator knows: SHA-1, six digits, 30 seconds; one step of drift either way.
fn of(secret: &[u8]) -> Builder {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_step_duration(30)
        .with_skew(1)
        .with_secret(secret.to_vec())
}

fn internal(error: impl std::fmt::Display) -> PortError {
    PortError::Internal(format!("a one-time password's secret cannot be used: {error}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        modules::auth::{
            adapters::store::memory::MemoryStore,
            application::{Confirmation, SecondFactorRepository as _},
        },
        platform::random::SystemRandom,
    };

    const USER: UserId = UserId(uuid::Uuid::nil());
    /// The secret of RFC 6238, appendix B.
    const SECRET: &[u8] = b"12345678901234567890";

    fn codes() -> TotpCodes {
        TotpCodes { name: "Vestibule".to_owned(), sealer: Arc::default(), random: Arc::new(SystemRandom) }
    }

    fn step(code: &str, seconds: i64) -> Option<i64> {
        codes().step_of(USER, SECRET, code, DateTime::from_timestamp(seconds, 0).unwrap()).unwrap()
    }

    #[test]
    fn the_vectors_of_rfc_6238() {
        // The table has eight digits; six are their end.
        let table = [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ];
        for (seconds, eight) in table {
            assert_eq!(step(&eight[2..], seconds), Some(seconds / 30), "{seconds}");
        }
        assert_eq!(step("287083", 59), None);
        assert_eq!(step("", 59), None);
    }

    #[test]
    fn one_step_of_drift_is_forgiven_either_way() {
        let code = "050471";
        let middle = 1_111_111_110;
        for (seconds, known) in [(-31, false), (-30, true), (0, true), (29, true), (30, true), (59, true), (60, false)]
        {
            assert_eq!(step(code, middle + seconds), known.then_some(middle / 30), "{seconds}");
        }
    }

    #[test]
    fn a_new_secret_is_told_in_three_ways() {
        let email = Email::parse("ada+totp@example.com").unwrap();
        let enrolment = codes().enrol(USER, &email).unwrap();
        assert_eq!(enrolment.secret.len(), 32, "160 bits in base 32");
        let link = url::Url::parse(&enrolment.otpauth_uri).unwrap();
        assert_eq!((link.scheme(), link.host_str()), ("otpauth", Some("totp")));
        assert_eq!(link.path(), "/Vestibule:ada%2Btotp%40example.com");
        let parameter = |wanted: &str| link.query_pairs().find(|(name, _)| name == wanted).unwrap().1.into_owned();
        assert_eq!((parameter("secret"), parameter("issuer")), (enrolment.secret.clone(), "Vestibule".to_owned()));
        assert!(enrolment.qr_svg.contains("<svg") && !enrolment.qr_svg.contains(&enrolment.secret));
        assert_ne!(codes().enrol(USER, &email).unwrap().secret, enrolment.secret);
    }

    #[test]
    fn a_sealed_secret_belongs_to_its_user() {
        let sealer = Arc::new(Sealer::new(Some(&"ab".repeat(32)), &[]).unwrap());
        let codes = TotpCodes { sealer, ..codes() };
        let enrolment = codes.enrol(USER, &Email::parse("ada@example.com").unwrap()).unwrap();
        let secret = totp_rs::Secret::try_from_base32(&enrolment.secret).unwrap();
        assert!(!enrolment.sealed.windows(SECRET_LENGTH).any(|bytes| bytes == secret.as_bytes()));
        let code = Builder::new().with_secret(secret).build().unwrap().generate(3_000).to_string();
        let at = DateTime::from_timestamp(3_000, 0).unwrap();
        assert_eq!(codes.step_of(USER, &enrolment.sealed, &code, at), Ok(Some(100)));
        assert!(codes.step_of(UserId(uuid::Uuid::max()), &enrolment.sealed, &code, at).is_err());
    }

    /// Tries codes at times, and gives the steps of those that were accepted, in their order.
    async fn accepted(attempts: &[(i64, i64)]) -> Vec<i64> {
        let store = MemoryStore::default();
        store.offer_totp(USER, SECRET, DateTime::UNIX_EPOCH).await.unwrap();
        let mut now = 1_800_000_000;
        let at = DateTime::from_timestamp(now, 0).unwrap();
        let confirmation =
            Confirmation { user: USER, sealed: SECRET.to_vec(), step: now / 30, recovery_codes: Vec::new(), at };
        assert!(store.confirm_totp(&confirmation).await.unwrap());
        let mut accepted = vec![now / 30];
        let totp = of(SECRET).build().unwrap();
        for (pause, drift) in attempts {
            now += pause;
            let code = totp.generate(u64::try_from(now + drift * 30).unwrap()).to_string();
            if let Some(step) = step(&code, now)
                && store.spend_step(USER, step).await.unwrap()
            {
                accepted.push(step);
            }
        }
        accepted
    }

    #[tokio::test]
    async fn every_next_code_is_accepted() {
        assert_eq!(accepted(&[(30, 0); 5]).await.len(), 6);
        assert_eq!(accepted(&[(0, 0), (0, 1), (0, 1), (30, 0), (30, -1), (0, 0)]).await.len(), 3);
    }

    proptest! {
        #[test]
        fn a_step_never_works_twice_however_clocks_jump(
            attempts in prop::collection::vec((-120i64..120, -3i64..=3), 1..60),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let accepted = runtime.block_on(accepted(&attempts));
            prop_assert!(accepted.is_sorted_by(|before, after| before < after), "{:?}", accepted);
        }

        #[test]
        fn a_code_is_of_a_step_near_now_or_of_none(code in "[0-9]{6}", seconds in 60i64..10_000_000_000) {
            if let Some(step) = step(&code, seconds) {
                prop_assert!((step - seconds / 30).abs() <= 1);
            }
        }
    }
}
