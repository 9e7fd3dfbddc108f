//! Databases on the PostgreSQL that `scripts/test` starts, made and dropped with `psql`.

use std::{
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// One database; dropped with the value.
pub(crate) struct PostgresDatabase {
    /// Its URL.
    pub(crate) url: String,
    name: String,
}

impl PostgresDatabase {
    /// A new, empty database. Without a server the test fails: it is never skipped.
    pub(crate) fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("it_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        psql(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        psql(&format!("CREATE DATABASE {name}"));
        let server = server();
        let (address, _) = server.rsplit_once('/').expect("VESTIBULE_TEST_POSTGRES ends with a database's name");
        Self { url: format!("{address}/{name}"), name }
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        psql(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

fn server() -> String {
    let url = std::env::var_os("VESTIBULE_TEST_POSTGRES").and_then(|url| url.into_string().ok());
    url.expect("VESTIBULE_TEST_POSTGRES names no server; run the tests with ./scripts/test")
}

fn psql(statement: &str) {
    let output = Command::new("psql").args(["-X", "-q", "-d", &server(), "-c", statement]).output();
    let output = output.expect("psql is installed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || std::thread::panicking(), "{statement}: {errors}");
}
