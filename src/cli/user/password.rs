//! A password on the command line: from a flag, from standard input, or asked for.

use std::io::{self, IsTerminal as _, Read as _};

use clap::Args;
use secrecy::SecretString;

use super::super::{failure::Failure, session::Session};

/// A password is not longer than this, in bytes.
const LONGEST: u64 = 64 * 1024;

/// `--password`, `--password-stdin`.
#[derive(Debug, Args)]
pub(super) struct PasswordArguments {
    /// The password. Other users of this machine can see it while the command runs
    #[arg(long, allow_hyphen_values = true, conflicts_with = "password_stdin")]
    password: Option<String>,
    /// Reads the password from standard input, without its last line end
    #[arg(long)]
    password_stdin: bool,
}

impl PasswordArguments {
    /// The password that was given; `None` when none was.
    pub(super) fn given(&self) -> Result<Option<SecretString>, Failure> {
        if let Some(password) = &self.password {
            return Ok(Some(password.clone().into()));
        }
        if !self.password_stdin {
            return Ok(None);
        }
        let mut text = String::new();
        io::stdin().take(LONGEST).read_to_string(&mut text).map_err(unreadable)?;
        Ok(Some(without_line_end(&text)))
    }

    /// The password that was given, or is typed now.
    pub(super) fn given_or_asked(&self, session: &mut Session, whose: &str) -> Result<SecretString, Failure> {
        if let Some(password) = self.given()? {
            return Ok(password);
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::Usage("a password is needed: give --password or --password-stdin".to_owned()));
        }
        session.output.message(format_args!("password for {whose} (not shown):"));
        Ok(without_line_end(&rpassword::read_password().map_err(unreadable)?))
    }
}

fn without_line_end(text: &str) -> SecretString {
    let line = text.strip_suffix('\n').unwrap_or(text);
    line.strip_suffix('\r').unwrap_or(line).into()
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
fn unreadable(error: io::Error) -> Failure {
    Failure::Failed(format!("the password cannot be read: {error}"))
}
