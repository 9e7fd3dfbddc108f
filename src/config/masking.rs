//! The configuration as it may be shown: without secrets.

use serde_json::Value as Json;

use super::{key::Key, node::Node};

const MASK: &str = "********";
/// A key whose last name has one of these in it holds a secret.
const SECRET_NAMES: [&str; 8] =
    ["secret", "password", "token", "authorization", "cookie", "api-key", "api_key", "master_key"];

/// Whether the value must not be shown: by its name, or because it was kept out of the file.
pub(super) fn is_secret(key: &Key, node: &Node) -> bool {
    let section = ["auth.tokens", "auth.password"].contains(&key.pattern().as_str());
    node.reference.is_some() || (named_secret(key) && !section)
}

fn named_secret(key: &Key) -> bool {
    let name = key.last_name().unwrap_or_default().to_ascii_lowercase();
    SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

/// Masks secrets in place. What came from `file:` or `env:` is shown as that, everything else that is absent is left out.
pub(super) fn mask(value: &mut Json, key: &Key, tree: &Node) {
    match value {
        Json::Object(members) => {
            members.retain(|_, member| !member.is_null());
            for (name, member) in members {
                mask(member, &key.member(name), tree);
            }
        }
        Json::Array(elements) => {
            for (index, element) in elements.iter_mut().enumerate() {
                mask(element, &key.element(index), tree);
            }
        }
        leaf => {
            let reference = tree.find(key).and_then(|node| node.reference.clone());
            if let Some(reference) = reference {
                *leaf = Json::String(reference);
            } else if let Json::String(text) = leaf {
                *text = if named_secret(key) { MASK.to_owned() } else { without_password(text) };
            }
        }
    }
}

/// Masks the password of a URL with user information (RFC 3986 §3.2.1).
pub(super) fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // A password with a slash in it is not a valid URL, but it is a password all the same: the last `@` ends it.
    let Some(at) = rest.get(..authority_end).and_then(|authority| authority.rfind('@')).or_else(|| rest.rfind('@'))
    else {
        return text.to_owned();
    };
    let (user_information, host) = rest.split_at(at);
    match user_information.split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:{MASK}{host}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_passwords_of_urls() {
        assert_eq!(without_password("postgres://me:pw@db/x"), "postgres://me:********@db/x");
        assert_eq!(without_password("smtp://u:p/w@mail:587"), "smtp://u:********@mail:587");
        assert_eq!(without_password("http://a.example/b@c"), "http://a.example/b@c");
        assert_eq!(without_password("sqlite://data/vestibule.db"), "sqlite://data/vestibule.db");
    }
}
