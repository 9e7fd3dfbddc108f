//! An application that lets its users log in with us.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{Reply, TestApp, User, Visitor, command};

/// A verifier and its challenge (RFC 7636, appendix B).
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// Nobody listens there; the tests read the redirect itself.
pub(crate) const CALLBACK: &str = "https://shop.example/callback";

/// A registered client.
pub(crate) struct RelyingParty<'a> {
    app: &'a TestApp,
    pub(crate) id: String,
    secret: Option<String>,
}

impl<'a> RelyingParty<'a> {
    /// Registers a client by the command line.
    pub(crate) fn register(app: &'a TestApp, arguments: &[&str]) -> Self {
        let mut create = command(app.directory());
        create.args(["client", "create", "--format", "json", "--config", "harness.toml"]).args(arguments);
        let output = create.stdin(std::process::Stdio::null()).output().expect("the command runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let created: Value = serde_json::from_str(&text).expect("JSON");
        let secret = created["client_secret"].as_str().map(str::to_owned);
        Self { app, id: created["client_id"].as_str().expect("an id").to_owned(), secret }
    }

    /// One with a secret, that may ask for everything about its user.
    pub(crate) fn shop(app: &'a TestApp) -> Self {
        let scopes = ["openid", "profile", "email", "offline_access"].map(|scope| ["--scope", scope]).concat();
        let rest =
            ["--name", "Shop", "--redirect-uri", CALLBACK, "--post-logout-redirect-uri", "https://shop.example/"];
        Self::register(app, &[scopes.as_slice(), &rest].concat())
    }

    /// The path of a request for a code. `changes` replace parameters, or take them away when they are empty.
    pub(crate) fn request(&self, changes: &[(&str, &str)]) -> String {
        format!("/oauth/authorize?{}", self.query(changes))
    }

    /// The same, without the path.
    pub(crate) fn query(&self, changes: &[(&str, &str)]) -> String {
        let mut parameters = vec![
            ("client_id", self.id.as_str()),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid email"),
            ("state", "a b&c"),
            ("nonce", "n-1"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        parameters.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        parameters.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
    }

    /// Calls an endpoint with a form, showing who it is.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields).append_pair("client_id", &self.id);
        if let Some(secret) = &self.secret {
            form.append_pair("client_secret", secret);
        }
        self.app.post(path).body("application/x-www-form-urlencoded", form.finish()).send().await
    }

    /// Redeems a code.
    pub(crate) async fn redeem(&self, code: &str) -> Reply {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.post("/oauth/token", &fields).await
    }

    /// A code for a user who logs in and agrees in a browser of their own.
    pub(crate) async fn code_of(&self, user: &User, changes: &[(&str, &str)]) -> (Visitor<'a>, String) {
        let mut visitor = Visitor::new(self.app);
        visitor.open(&self.request(changes)).await.sees(200, "Log in");
        visitor.submit(&[("email", &user.email), ("password", &user.password)]).await.sees(200, "Allow");
        visitor.submit(&[("decision", "allow")]).await;
        let code = visitor.sent_to(CALLBACK)["code"].clone();
        (visitor, code)
    }
}

/// The claims of a token, unchecked.
pub(crate) fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).expect("a JWT");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("JSON")
}
