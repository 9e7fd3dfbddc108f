//! `vestibule user import`: takes over the users of another system, line by line, in constant memory.

mod csv;
mod lines;
mod record;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, IsTerminal as _, Write},
    path::PathBuf,
};

use clap::{Args, ValueEnum};
use serde_json::json;

use self::{csv::Header, lines::Lines};
use super::{
    super::{
        failure::Failure,
        list::{self, FormatArguments},
        output::Output,
        session::{Session, block_on, start_failure},
    },
    refused,
};
use crate::{
    bootstrap,
    config::Loaded,
    kernel::FieldFault,
    modules::auth::api::{ImportMode, ImportReport, ImportedUser, UserImport},
};

/// Users that are kept in one transaction.
const BATCH: usize = 500;
/// Without a terminal: lines between two messages.
const TELL_EVERY: u64 = 10_000;

/// What `--help` says below.
pub(super) const HELP: &str = "\
Examples:
  vestibule user import users.jsonl --dry-run
  vestibule user import users.csv --skip-existing --report refused.jsonl
  export-users | vestibule user import - --from csv

JSON Lines: an object a line; of its members only `email` must be there.
  {\"email\": \"ada@example.com\", \"password_hash\": \"$2b$12$…\", \"email_verified\": true, \"display_name\": \"Ada\",
   \"roles\": [\"user\"], \"created_at\": \"2020-01-31T12:00:00Z\", \"status\": \"active\"}
CSV (RFC 4180): the same names in the first line; roles are separated by spaces or semicolons.

Hashes: argon2id and argon2i ($argon2id$…), bcrypt ($2a$ $2b$ $2y$), scrypt ($scrypt$ln=…,r=…,p=…$…), PBKDF2 with SHA-1,
SHA-256 or SHA-512 ($pbkdf2-sha256$i=…$…, passlib's and Django's forms). They are verified as they are and written anew at
the next login. Without one, a user sets a password by a mailed link. A hash whose comparison would cost too much is refused.

Lines that are at fault are told on standard error, or in --report, and left out: exit code 1.";

/// The file and what to do with it.
#[derive(Debug, Args)]
pub(in super::super) struct Import {
    /// The file; `-`: standard input
    file: PathBuf,
    /// What the file is; without it, what its name ends in says
    #[arg(long, value_name = "FORMAT")]
    from: Option<Source>,
    /// Only tells what would be done; an address that stands twice, far apart, is found by the import alone
    #[arg(long)]
    dry_run: bool,
    /// Leaves out users whose address has an account already, as after an import that broke off
    #[arg(long)]
    skip_existing: bool,
    /// Writes refused lines into this file, as JSON Lines
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    format: FormatArguments,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Source {
    /// JSON Lines.
    Jsonl,
    /// Comma-separated values with a header.
    Csv,
}

impl Import {
    pub(super) fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let loaded = session.load()?;
        let unusable = |path: &PathBuf, error: io::Error| Failure::Failed(format!("{}: {error}", path.display()));
        let is_stdin = self.file.as_os_str() == "-";
        let (input, length): (Box<dyn BufRead>, _) = if is_stdin {
            (Box::new(BufReader::new(io::stdin())), None)
        } else {
            let file = File::open(&self.file).map_err(|error| unusable(&self.file, error))?;
            let length = file.metadata().ok().map(|data| data.len());
            (Box::new(BufReader::new(file)), length)
        };
        let report = self.report.as_ref().map(|path| File::create(path).map_err(|error| unusable(path, error)));
        let mut run = Run {
            output: &mut session.output,
            report: report.transpose()?.map(BufWriter::new),
            mode: ImportMode { dry_run: self.dry_run, skip_existing: self.skip_existing },
            done: ImportReport::default(),
            refused: 0,
            progress: Progress { length, told: 0, is_terminal: io::stderr().is_terminal() },
        };
        block_on(run.all(Lines::new(input), self.source(), &loaded))??;
        run.finish(self.format.format)
    }

    fn source(&self) -> Source {
        let is_csv = self.file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        self.from.unwrap_or(if is_csv { Source::Csv } else { Source::Jsonl })
    }
}

/// An import that is going on.
struct Run<'a> {
    output: &'a mut Output,
    report: Option<BufWriter<File>>,
    mode: ImportMode,
    /// The counts; refused lines are told and forgotten.
    done: ImportReport,
    refused: u64,
    progress: Progress,
}

impl Run<'_> {
    async fn all(&mut self, mut lines: Lines, source: Source, loaded: &Loaded) -> Result<(), Failure> {
        let import =
            bootstrap::administration(&loaded.config).await.map_err(|error| start_failure(loaded, error))?.import;
        let header = match source {
            Source::Jsonl => None,
            Source::Csv => Some(Header::read(&mut lines)?),
        };
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let next = match &header {
                None => lines
                    .next_line()
                    .map(|line| line.map(|(number, text)| (number, text.and_then(|t| record::from_json(number, &t))))),
                Some(header) => header.next(&mut lines),
            };
            let next = next.map_err(|error| Failure::Failed(format!("the file cannot be read further: {error}")))?;
            let Some((number, record)) = next else { break };
            match record {
                Ok(user) => batch.push(user),
                Err(faults) => self.refuse(faults.into_iter().map(|fault| (number, fault)).collect())?,
            }
            if batch.len() == BATCH {
                self.keep(&*import, &mut batch).await?;
            }
            self.progress.tell(self.output, &lines, &self.done, self.refused);
        }
        self.keep(&*import, &mut batch).await
    }

    async fn keep(&mut self, import: &dyn UserImport, batch: &mut Vec<ImportedUser>) -> Result<(), Failure> {
        let Some(first) = batch.first().map(|user| user.line) else { return Ok(()) };
        let users = std::mem::replace(batch, Vec::with_capacity(BATCH));
        let report = import.import_users(users, self.mode).await.map_err(|error| {
            self.output.message(format_args!(
                "nothing from line {first} on is kept; go on with --skip-existing when the cause is gone"
            ));
            refused(error)
        })?;
        self.done.imported += report.imported;
        self.done.existing += report.existing;
        self.refuse(report.refused)
    }

    /// Tells faults; a line counts once.
    fn refuse(&mut self, faults: Vec<(u64, FieldFault)>) -> Result<(), Failure> {
        let mut last = None;
        for (line, fault) in faults {
            self.refused += u64::from(last != Some(line));
            last = Some(line);
            let FieldFault { pointer, code, detail } = fault;
            match &mut self.report {
                Some(report) => {
                    let told = json!({"line": line, "pointer": pointer, "code": code, "detail": detail});
                    writeln!(report, "{told}")?;
                }
                None => self.output.message(format_args!("line {line}: {pointer}: {detail} ({code})")),
            }
        }
        Ok(())
    }

    fn finish(mut self, format: list::Format) -> Result<(), Failure> {
        if let Some(report) = &mut self.report {
            report.flush()?;
        }
        self.progress.end(self.output);
        let counts = json!({
            "imported": self.done.imported, "existing": self.done.existing, "refused": self.refused,
            "dry_run": self.mode.dry_run,
        });
        self.output.result(list::one(&counts, format))?;
        match self.refused {
            0 => Ok(()),
            1 => Err(Failure::Failed("1 line was refused".to_owned())),
            many => Err(Failure::Failed(format!("{many} lines were refused"))),
        }
    }
}

/// How far it is: a bar on a terminal, a line now and then elsewhere.
struct Progress {
    /// Of the file, in bytes, where it is known.
    length: Option<u64>,
    /// The line that was told last.
    told: u64,
    is_terminal: bool,
}

impl Progress {
    fn tell(&mut self, output: &mut Output, lines: &Lines, done: &ImportReport, refused: u64) {
        let every = if self.is_terminal { BATCH as u64 } else { TELL_EVERY };
        if lines.number() < self.told + every {
            return;
        }
        self.told = lines.number();
        let counts =
            format!("line {}: {} imported, {} existing, {refused} refused", self.told, done.imported, done.existing);
        if !self.is_terminal {
            output.message(counts);
            return;
        }
        let share = self.length.filter(|length| *length > 0).map(|length| (lines.bytes() * 20 / length).min(20));
        let bar = share.map(|full| "#".repeat(usize::try_from(full).unwrap_or_default()));
        let bar = bar.map(|bar| format!("[{bar:-<20}] ")).unwrap_or_default();
        output.progress(format_args!("{bar}{counts}"));
    }

    fn end(&self, output: &mut Output) {
        if self.is_terminal && self.told > 0 {
            output.message("");
        }
    }
}

#[cfg(test)]
mod tests;
