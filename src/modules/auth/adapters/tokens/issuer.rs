//! Signs access tokens (RFC 9068) and refresh tokens, and reads the latter back. Neither passes for the other: both the
//! header's `typ` and the claim `type` differ.

use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::digest;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use jsonwebtoken::Header;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{SigningKeys, seal};
use crate::{
    kernel::{Clock, Random, Subject, ids::new_uuid},
    modules::auth::application::{AccessGrant, IdGrant, IdHint, PortError, RefreshGrant, Settings, TokenSigner},
    platform::{
        json,
        tokens::{AccessClaims, SigningAlgorithm},
    },
};

/// No token of ours comes near this.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The claims of a refresh token.
#[derive(Serialize, Deserialize)]
struct RefreshClaims {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
    iat: i64,
    jti: String,
    sid: String,
    generation: i64,
    #[serde(rename = "type")]
    kind: String,
}

/// The claims of an id_token.
#[derive(Serialize)]
struct IdClaims<'a> {
    iss: &'a str,
    sub: String,
    aud: &'a str,
    exp: i64,
    iat: i64,
    auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    at_hash: String,
    amr: Vec<&'a str>,
    sid: String,
}

/// What is read of an id_token that comes back.
#[derive(Deserialize)]
struct IdHintClaims {
    iss: String,
    sub: String,
    aud: String,
    sid: String,
}

/// Issues JWTs.
pub(crate) struct JwtIssuer {
    keys: Arc<SigningKeys>,
    settings: Arc<Settings>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl JwtIssuer {
    /// An issuer with these keys.
    pub(crate) fn new(
        keys: Arc<SigningKeys>,
        settings: Arc<Settings>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self { keys, settings, clock, random }
    }

    fn sign<T: Serialize>(&self, typ: &str, claims: &T) -> Result<String, PortError> {
        let signer = self.keys.signer()?;
        let mut header = Header::new(signer.algorithm.jwt());
        header.typ = Some(typ.to_owned());
        header.kid = Some(signer.kid.clone());
        jsonwebtoken::encode(&header, claims, &signer.key)
            .map_err(|error| PortError::Internal(format!("a token cannot be signed: {error}")))
    }

    /// The claims of a genuine token of this `typ`.
    fn read(&self, token: &str, typ: &str) -> Option<Value> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let header = decode(header)?;
        if header["typ"].as_str() != Some(typ) || header.get("crit").is_some() {
            return None;
        }
        let known = self.keys.known();
        let (algorithm, key) = known.find(header["kid"].as_str()?)?;
        if header["alg"].as_str() != Some(algorithm.as_str()) {
            return None;
        }
        let genuine = jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, algorithm.jwt()).ok()?;
        if genuine { decode(claims) } else { None }
    }
}

fn decode(part: &str) -> Option<Value> {
    json::parse(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok().filter(Value::is_object)
}

#[async_trait]
impl TokenSigner for JwtIssuer {
    fn access(&self, grant: &AccessGrant) -> Result<String, PortError> {
        let claims = AccessClaims {
            iss: self.settings.issuer.clone(),
            sub: grant.subject.to_string(),
            aud: grant.audience.clone().unwrap_or_else(|| self.settings.audience.clone()),
            exp: grant.expires_at.timestamp(),
            iat: grant.issued_at.timestamp(),
            jti: new_uuid(&*self.clock, &*self.random).to_string(),
            sid: grant.session.to_string(),
            client_id: grant.client_id.clone(),
            scope: grant.scope.clone(),
            roles: grant.roles.clone(),
            email: grant.email.clone(),
            kind: "access".to_owned(),
        };
        self.sign("at+jwt", &claims)
    }

    fn refresh(&self, grant: &RefreshGrant) -> Result<String, PortError> {
        let claims = RefreshClaims {
            iss: self.settings.issuer.clone(),
            sub: grant.user.to_string(),
            aud: self.settings.audience.clone(),
            exp: grant.expires_at.timestamp(),
            iat: grant.issued_at.timestamp(),
            jti: new_uuid(&*self.clock, &*self.random).to_string(),
            sid: grant.session.to_string(),
            generation: grant.generation,
            kind: "refresh".to_owned(),
        };
        self.sign("rt+jwt", &claims)
    }

    fn id_token(&self, grant: &IdGrant<'_>) -> Result<String, PortError> {
        // OpenID Connect Core 1.0 §3.1.3.6: the hash is that of the signature's algorithm, which for Ed25519 is SHA-512.
        let is_ed25519 = self.keys.signer()?.algorithm == SigningAlgorithm::EdDSA;
        let hash = digest::digest(if is_ed25519 { &digest::SHA512 } else { &digest::SHA256 }, grant.access.as_bytes());
        let hash = hash.as_ref();
        let claims = IdClaims {
            iss: &self.settings.issuer,
            sub: grant.user.to_string(),
            aud: grant.client_id,
            exp: grant.expires_at.timestamp(),
            iat: grant.issued_at.timestamp(),
            auth_time: grant.authenticated_at.timestamp(),
            nonce: grant.nonce,
            at_hash: BASE64_URL_SAFE_NO_PAD.encode(&hash[..hash.len() / 2]),
            amr: grant.methods.split(' ').filter(|method| !method.is_empty()).collect(),
            sid: grant.session.to_string(),
        };
        self.sign("JWT", &claims)
    }

    fn read_id_token(&self, token: &str) -> Option<IdHint> {
        let claims: IdHintClaims = serde_json::from_value(self.read(token, "JWT")?).ok()?;
        if claims.iss != self.settings.issuer {
            return None;
        }
        Some(IdHint { user: claims.sub.parse().ok()?, client_id: claims.aud, session: claims.sid.parse().ok()? })
    }

    fn s256(&self, text: &str) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
    }

    fn read_refresh(&self, token: &str) -> Option<RefreshGrant> {
        let claims: RefreshClaims = serde_json::from_value(self.read(token, "rt+jwt")?).ok()?;
        let is_ours = claims.kind == "refresh"
            && claims.iss == self.settings.issuer
            && claims.aud == self.settings.audience
            && claims.generation >= 0;
        if !is_ours {
            return None;
        }
        Some(RefreshGrant {
            user: claims.sub.parse().ok()?,
            session: claims.sid.parse().ok()?,
            generation: claims.generation,
            issued_at: DateTime::<Utc>::from_timestamp(claims.iat, 0)?,
            expires_at: DateTime::<Utc>::from_timestamp(claims.exp, 0)?,
        })
    }

    fn read_access(&self, token: &str) -> Option<(AccessGrant, String)> {
        let claims: AccessClaims = serde_json::from_value(self.read(token, "at+jwt")?).ok()?;
        if claims.kind != "access" || claims.iss != self.settings.issuer {
            return None;
        }
        let grant = AccessGrant {
            subject: if claims.sub == claims.client_id {
                Subject::Client(claims.sub)
            } else {
                Subject::User(claims.sub.parse().ok()?)
            },
            session: claims.sid.parse().ok()?,
            client_id: claims.client_id,
            scope: claims.scope,
            audience: Some(claims.aud).filter(|audience| *audience != self.settings.audience),
            roles: claims.roles,
            email: claims.email,
            issued_at: DateTime::<Utc>::from_timestamp(claims.iat, 0)?,
            expires_at: DateTime::<Utc>::from_timestamp(claims.exp, 0)?,
        };
        Some((grant, claims.jti))
    }

    fn seal(&self, text: &str, token: &str) -> Result<Vec<u8>, PortError> {
        seal::seal(text, token, &*self.random).ok_or_else(|| PortError::Internal("a token cannot be sealed".to_owned()))
    }

    fn open(&self, sealed: &[u8], token: &str) -> Option<String> {
        seal::open(sealed, token)
    }

    fn digest(&self, text: &str) -> String {
        use std::fmt::Write as _;
        let digest = digest::digest(&digest::SHA256, text.as_bytes());
        digest.as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    async fn jwks(&self) -> Result<String, PortError> {
        Ok(self.keys.fresh().await?.jwks.clone())
    }
}
