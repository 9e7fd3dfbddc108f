//! OAuth clients, administered from the command line.

use serde_json::{Value, json};

use super::run;

#[test]
fn a_client_is_made_listed_rotated_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let on = |arguments: &[&str]| run(folder.path(), arguments);
    let json_of = |arguments: &[&str]| -> Value {
        serde_json::from_str(&on(arguments).must_exit(0).stdout).expect("JSON on standard output")
    };
    let uri = ["--redirect-uri", "https://shop.example/cb"];
    let shop = json_of(&[&["client", "create", "--name", "Shop", "--format", "json"][..], &uri].concat());
    let (id, secret) = (shop["client_id"].as_str().unwrap(), shop["client_secret"].as_str().unwrap());
    assert_eq!((shop.as_object().unwrap().len(), secret.len()), (2, 64));
    let phone = json_of(&[&["client", "create", "--name", "Phone", "--public", "--format", "json"][..], &uri].concat());
    assert_eq!(phone.as_object().unwrap().keys().collect::<Vec<_>>(), ["client_id"], "it has no secret");

    let listed = json_of(&["client", "list", "--format", "json"]);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert_eq!(listed["items"][0]["client_id"], id);
    assert_eq!(listed["items"][0]["grant_types"], json!(["authorization_code", "refresh_token"]));
    assert_eq!(listed["items"][1]["token_endpoint_auth_method"], "none");
    assert!(!listed.to_string().contains(secret));

    let rotated = json_of(&["client", "rotate-secret", id, "--keep-old-for", "1h", "--format", "json"]);
    assert_ne!(rotated["client_secret"], secret);
    let table = on(&["client", "rotate-secret", id]).must_exit(0);
    assert!(table.stdout.contains("client_secret"), "{}", table.stdout);
    on(&["client", "rotate-secret", phone["client_id"].as_str().unwrap()]).must_exit(1);
    on(&["client", "delete", id]).must_exit(0);
    on(&["client", "delete", id]).must_exit(1);

    for wrong in [
        &["--public"][..],
        &["--public", "--grant", "client_credentials"],
        &["--grant", "password"],
        &["--grant", "authorization_code"],
        &["--redirect-uri", "http://shop.example/cb"],
        &["--jwks", "absent.json"],
    ] {
        on(&[&["client", "create", "--name", "Wrong"][..], wrong].concat()).must_exit(2);
    }
    std::fs::write(folder.path().join("keys.json"), "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}]}").unwrap();
    let refused = on(&["client", "create", "--name", "Wrong", "--jwks", "keys.json"]).must_exit(2);
    assert!(refused.stderr.contains("secret"), "{}", refused.stderr);
}
