//! One worker process, as the server holds it.

use std::{
    ffi::OsString,
    io,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::frames::{Hello, READY};

/// How a worker is started: normally this same binary with its hidden command.
#[derive(Debug, Clone)]
pub struct WorkerCommand {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

impl WorkerCommand {
    /// The hidden command.
    pub const COMMAND: &'static str = "evaluation-worker";

    /// The running executable with the hidden command. The error is the system's, when it does not tell which file runs.
    pub fn current_executable() -> io::Result<Self> {
        Ok(Self { program: std::env::current_exe()?, arguments: vec![Self::COMMAND.into()] })
    }
}

/// A process starts in milliseconds; on a machine that is overrun it may take longer, but not for ever.
const START: Duration = Duration::from_secs(10);

/// A worker that is ready. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    /// How long it has worked in all.
    pub(super) worked: Duration,
}

impl Worker {
    /// Starts a worker with nothing: no environment, no files but the two pipes, a process group of its own so that a
    /// terminal's interrupt does not reach it.
    pub(super) async fn start(command: &WorkerCommand, hello: &Hello) -> io::Result<Self> {
        let mut child = Command::new(&command.program)
            .args(&command.arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let no_pipe = || io::Error::other("the worker has no pipe");
        let (input, output) = (child.stdin.take().ok_or_else(no_pipe)?, child.stdout.take().ok_or_else(no_pipe)?);
        let mut worker = Self { child, input, output, worked: Duration::ZERO };
        let hello = serde_json::to_vec(hello)?;
        match tokio::time::timeout(START, worker.exchange(&hello, READY.len())).await {
            Ok(Ok(answer)) if answer == READY => Ok(worker),
            Ok(Err(fault)) => Err(fault),
            _ => Err(io::Error::other("the worker does not get ready")),
        }
    }

    /// Whether it still runs.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// One frame there, one back. After an error, or when dropped on the way, the worker is of no more use.
    pub(super) async fn exchange(&mut self, frame: &[u8], at_most: usize) -> io::Result<Vec<u8>> {
        let started = Instant::now();
        let length = u32::try_from(frame.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.input.write_all(&length.to_be_bytes()).await?;
        self.input.write_all(frame).await?;
        let length = usize::try_from(self.output.read_u32().await?).unwrap_or(usize::MAX);
        if length > at_most {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        let mut answer = vec![0; length];
        self.output.read_exact(&mut answer).await?;
        self.worked += started.elapsed();
        Ok(answer)
    }
}
