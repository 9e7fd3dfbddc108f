//! Hashes that other implementations made, and ones that nobody should compute.

use super::*;

/// By Python's `hashlib` and the C library's `crypt`, of "correct horse".
pub(crate) const FOREIGN: [&str; 12] = [
    "$pbkdf2-sha1$i=1000,l=20$TmFDbC0xNi1ieXRlcy1vaw$S5R3eLU82s/dt2Ka9I0YW6+duqY",
    "$pbkdf2$1000$TmFDbC0xNi1ieXRlcy1vaw$S5R3eLU82s/dt2Ka9I0YW6.duqY",
    "pbkdf2_sha1$1000$seasalt$iQvkNOF1wEL4Khh8eogJ8rUhipM=",
    "$pbkdf2-sha256$i=1000,l=32$TmFDbC0xNi1ieXRlcy1vaw$Exrf9cCs9ysbvc5ReX/bUIJHRHAQoAd/BM9U26hxzac",
    "$pbkdf2-sha256$i=1000$TmFDbC0xNi1ieXRlcy1vaw$Exrf9cCs9ysbvc5ReX/bUIJHRHAQoAd/BM9U26hxzac",
    "pbkdf2_sha256$1000$seasalt$mQnueSakb748zqBAC1tmWVZsZbi2zPGZarEzTGdfmso=",
    "$pbkdf2-sha512$1000$TmFDbC0xNi1ieXRlcy1vaw$PY0sNTO6nOrWqDkkRPAPLRYB1p4WzcEajZuv29FvV0w/LgrpDn/dUTg/lgqk.ZOrWMmtx46lkth8dBVGcqob4w",
    "pbkdf2_sha512$1000$seasalt$CBx2rkpvjyEAoopNVuRZWOOxTTRwoV6JjrHARZAmWoRGf7Bll/+N6ttV/4gWvtd16NJ94OpVpZHm44IdMrFULg==",
    "$scrypt$ln=10,r=8,p=2$TmFDbC0xNi1ieXRlcy1vaw$zcsJlQtT2E2d6wlpFTuaPtP+czleKJu5YHkYUP2M0AU",
    "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    "$2a$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
];

fn code(text: &str) -> &'static str {
    Kept::parse(text).map_or_else(|fault| fault.code, |_| "fine")
}

#[test]
fn hashes_of_other_systems_are_read() {
    for text in FOREIGN {
        assert_eq!(code(text), "fine", "{text}");
    }
    assert_eq!(code("$argon2i$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG"), "fine");
}

#[test]
fn what_would_cost_too_much_is_refused_unseen() {
    for bomb in [
        "$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
        "$argon2id$v=19$m=2097152,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
        "$argon2id$v=19$m=1048576,t=5,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
        "$argon2id$v=19$m=64,t=4294967295,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
        "$pbkdf2-sha256$i=4294967295$TmFDbC0xNi1ieXRlcy1vaw$Exrf9cCs9ysbvc5ReX/bUIJHRHAQoAd/BM9U26hxzac",
        "pbkdf2_sha256$5000001$seasalt$mQnueSakb748zqBAC1tmWVZsZbi2zPGZarEzTGdfmso=",
        "$scrypt$ln=40,r=8,p=1$TmFDbC0xNi1ieXRlcy1vaw$zcsJlQtT2E2d6wlpFTuaPtP+czleKJu5YHkYUP2M0AU",
        "$scrypt$ln=20,r=8,p=1$TmFDbC0xNi1ieXRlcy1vaw$zcsJlQtT2E2d6wlpFTuaPtP+czleKJu5YHkYUP2M0AU",
        "$scrypt$ln=10,r=4294967295,p=4294967295$TmFDbC0xNi1ieXRlcy1vaw$zcsJlQtT2E2d6wlpFTuaPtP+czleKJu5YHkYUP2M0AU",
        "$2b$19$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
        "$2b$31$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    ] {
        assert_eq!(code(bomb), "costly-hash", "{bomb}");
    }
}

#[test]
fn halves_and_unknown_kinds_are_told_apart() {
    for half in [
        "$argon2id$",
        "$argon2id$v=19$m=64,t=1,p=1",
        "$2b$",
        "$2b$04$abc",
        "$scrypt$ln=10,r=8$a$b",
        "$scrypt$ln=0,r=8,p=1$YWJjZA$zcsJlQtT2E2d6wlpFTuaPtP+czleKJu5YHkYUP2M0AU",
        "pbkdf2_sha256$x$y$z",
        "pbkdf2_sha256$1000$seasalt$",
        "$pbkdf2-sha256$l=32$YWJjZA$YWJjZA",
        "$pbkdf2-sha256$i=0$YWJjZA$Exrf9cCs9ysbvc5ReX/bUIJHRHAQoAd/BM9U26hxzac",
    ] {
        assert_eq!(code(half), "malformed-hash", "{half}");
    }
    for unknown in [
        "",
        "!",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "{SSHA}abc",
        "$1$abc$def",
        "$6$abc$def",
        "$argon2d$v=19$m=64",
        "pbkdf2_md5$1$a$b",
    ] {
        assert_eq!(code(unknown), "unknown-hash", "{unknown}");
    }
    assert_eq!(code(&"x".repeat(2_000)), "malformed-hash");
}

#[test]
fn frames_are_taken_off() {
    assert_eq!(without_frame("argon2$argon2id$v=19$x"), "$argon2id$v=19$x");
    assert_eq!(without_frame("bcrypt$$2b$12$x"), "$2b$12$x");
    assert_eq!(without_frame("$2b$12$x"), "$2b$12$x");
}
