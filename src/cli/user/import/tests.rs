//! Imports, from the file to what a login finds.

use std::io::Cursor;

use super::*;

fn lines(text: impl Into<Vec<u8>>) -> Lines {
    Lines::new(Box::new(Cursor::new(text.into())))
}

fn codes(outcome: Result<ImportedUser, Vec<FieldFault>>) -> Vec<(String, &'static str)> {
    outcome.unwrap_err().into_iter().map(|fault| (fault.pointer, fault.code)).collect()
}

#[test]
fn lines_are_bounded_and_counted() {
    let long = "x".repeat(3 * lines::LONGEST);
    let mut lines = lines([b"\xef\xbb\xbfone\r\n\n  \n", long.as_bytes(), b"\ntwo\n\xff\nlast"].concat());
    let mut next = || lines.next_line().unwrap();
    assert_eq!(next(), Some((1, Ok("one".to_owned()))));
    assert!(matches!(next(), Some((4, Err(faults))) if faults[0].code == "too-long"));
    assert_eq!(next(), Some((5, Ok("two".to_owned()))));
    assert!(matches!(next(), Some((6, Err(faults))) if faults[0].code == "not-utf-8"));
    assert_eq!(next(), Some((7, Ok("last".to_owned()))));
    assert_eq!(next(), None);
}

#[test]
fn a_json_line_is_read_strictly() {
    let text = r#"{"email":"ada@example.com","password_hash":"$2b$","email_verified":true,"roles":["admin"],
                  "created_at":"2020-01-31T12:00:00+01:00","status":"active","display_name":null}"#;
    let user = record::from_json(3, text).unwrap();
    assert_eq!(
        (user.line, user.email.as_str(), user.email_verified, user.roles.len()),
        (3, "ada@example.com", true, 1)
    );
    assert_eq!(user.created_at.unwrap().to_rfc3339(), "2020-01-31T11:00:00+00:00");
    let faults =
        codes(record::from_json(1, r#"{"email":7,"email_verified":"yes","roles":[1],"created_at":"now","a/b":1}"#));
    let expected = [
        ("/email", "wrong-type"),
        ("/email_verified", "wrong-type"),
        ("/roles", "wrong-type"),
        ("/created_at", "wrong-time"),
        ("/a~1b", "unknown"),
    ];
    assert_eq!(faults, expected.map(|(pointer, code)| (pointer.to_owned(), code)));
    assert_eq!(codes(record::from_json(1, "{}")), [("/email".to_owned(), "missing")]);
    assert_eq!(codes(record::from_json(1, "[]")), [(String::new(), "wrong-type")]);
    for malformed in ["{", r#"{"email":"a","email":"b"}"#, "ada@example.com"] {
        assert_eq!(codes(record::from_json(1, malformed)), [(String::new(), "malformed")], "{malformed}");
    }
}

#[test]
fn a_csv_file_says_its_columns() {
    let mut file = lines(
        "Email,email_verified,roles,display_name\nada@example.com,TRUE,admin;user,\"Lovelace,\nAda\"\n\
         bob@example.com,maybe,,\nshort\ncarl@example.com,0,\"open\n",
    );
    let header = Header::read(&mut file).unwrap();
    let mut next = || header.next(&mut file).unwrap();
    let (number, ada) = next().unwrap();
    let ada = ada.unwrap();
    assert_eq!((number, ada.roles.len(), ada.email_verified), (2, 2, true));
    assert_eq!(ada.display_name.as_deref(), Some("Lovelace,\nAda"));
    let (number, bob) = next().unwrap();
    assert_eq!((number, codes(bob)), (4, vec![("/email_verified".to_owned(), "wrong-type")]));
    assert_eq!(codes(next().unwrap().1), [(String::new(), "wrong-columns")]);
    assert_eq!(codes(next().unwrap().1), [(String::new(), "unbalanced-quotes")]);
    assert!(next().is_none());
    for wrong in ["", "name\n", "email,email\n", "roles\n"] {
        assert!(matches!(Header::read(&mut lines(wrong)), Err(Failure::Usage(_))), "{wrong}");
    }
}
