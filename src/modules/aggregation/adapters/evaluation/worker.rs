//! The worker's side: limits first, then one evaluation after the other.

use std::{
    io::{self, Read, Write},
    process::{self, ExitCode},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

use rlimit::Resource;

use super::{
    super::super::domain::{
        rule,
        transform::{RuleFault, apply},
    },
    frames::{FAULT, Fault, Hello, Job, READY, RESULT, TOO_LARGE},
    programs::Remembering,
};

/// The stack of the worker, which bounds how deep a program may call itself.
const STACK: u64 = 8 << 20;

/// The hidden command `evaluation-worker`: serves evaluations on standard input and output until the input ends. Never
/// called by people. The exit code tells whether it ended in order.
pub fn evaluation_worker() -> ExitCode {
    match serve(&mut io::stdin().lock(), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve(input: &mut impl Read, output: &mut impl Write) -> io::Result<()> {
    let Some(hello) = read_frame(input)? else { return Ok(()) };
    let hello: Hello = serde_json::from_slice(&hello)?;
    let watch = watchdog(Duration::from_millis(hello.give_up_ms))?;
    limit(&hello)?;
    write_frame(output, &[READY])?;
    let programs = Remembering::default();
    while let Some(job) = read_frame(input)? {
        watch.send(()).map_err(io::Error::other)?;
        let (kind, body) = evaluate(&programs, &job, hello.output_limit)?;
        watch.send(()).map_err(io::Error::other)?;
        write_frame(output, &[&[kind], &body])?;
    }
    Ok(())
}

/// Ends this process when an evaluation takes longer than that: the server normally does, unless it was killed. It is
/// told of the beginning and of the end of each.
fn watchdog(give_up: Duration) -> io::Result<Sender<()>> {
    let (watch, told) = mpsc::channel();
    let (ready, is_ready) = mpsc::channel();
    let watching = move || {
        // Its first allocation reserves address space, which must be there before that is counted and limited.
        let _ = ready.send(());
        while told.recv().is_ok() {
            if told.recv_timeout(give_up) == Err(RecvTimeoutError::Timeout) {
                process::abort();
            }
        }
    };
    thread::Builder::new().stack_size(64 << 10).spawn(watching)?;
    is_ready.recv().map_err(io::Error::other)?;
    Ok(watch)
}

/// Takes away what an evaluation does not need. What cannot be limited on this system is left.
fn limit(hello: &Hello) -> io::Result<()> {
    let memory = address_space().saturating_add(hello.memory);
    Resource::AS.set(memory, memory)?;
    Resource::CPU.set(hello.cpu_seconds, hello.cpu_seconds)?;
    Resource::CORE.set(0, 0)?;
    Resource::FSIZE.set(0, 0)?;
    let (_, hard) = Resource::STACK.get()?;
    Resource::STACK.set(STACK.min(hard), hard)?;
    Resource::NOFILE.set(3, 3)
}

/// The bytes this process has mapped now; mapped is not used, so the limit counts from here.
fn address_space() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok());
    kib.map_or(1 << 30, |kib| kib * 1024)
}

fn evaluate(programs: &Remembering, job: &[u8], output_limit: usize) -> io::Result<(u8, Vec<u8>)> {
    let job: Job<'_> = serde_json::from_slice(job)?;
    let rules: serde_json::Value = serde_json::from_str(job.rules.get())?;
    // The server has read the rules with the same function, so they are good.
    let rules = rule::read(&rules, "").map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(match apply(programs, job.data, &rules, output_limit) {
        Ok(result) => (RESULT, Box::<str>::from(result).into_string().into_bytes()),
        Err(RuleFault::TooLarge) => (TOO_LARGE, Vec::new()),
        Err(RuleFault::Bad { pointer, code, detail }) => {
            (FAULT, serde_json::to_vec(&Fault { pointer, detail, code: code.to_owned() })?)
        }
    })
}

fn read_frame(input: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match input.read_exact(&mut length) {
        Err(end) if end.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u32::from_be_bytes(length);
    let mut frame = Vec::new();
    input.take(u64::from(length)).read_to_end(&mut frame)?;
    Ok(Some(frame))
}

fn write_frame(output: &mut impl Write, parts: &[&[u8]]) -> io::Result<()> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let length = u32::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    output.write_all(&length.to_be_bytes())?;
    for part in parts {
        output.write_all(part)?;
    }
    output.flush()
}
