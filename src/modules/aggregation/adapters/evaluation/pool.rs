//! A few workers, started at first use and kept warm; one that dies, overruns or is abandoned is replaced.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use super::{
    super::super::{
        application::ports::{EvaluationFault, Evaluator},
        config::EvaluationConfig,
    },
    frames::{FAULT, Fault, Hello, Job, RESULT, TOO_LARGE, known_code},
    process::{Worker, WorkerCommand},
};
use crate::kernel::FieldFault;

/// A worker is retired after so much work, long before its limit of processor time could meet an honest program.
const WORK: Duration = Duration::from_secs(20);
/// The limit of a worker's processor time, in seconds.
const CPU_SECONDS: u64 = 60;
/// The longest wait for a worker.
const WAIT: Duration = Duration::from_secs(2);

/// The pool.
#[derive(Debug)]
pub(crate) struct WorkerPool {
    command: WorkerCommand,
    hello: Hello,
    timeout: Duration,
    queue: usize,
    free: Semaphore,
    waiting: AtomicUsize,
    idle: Mutex<Vec<Worker>>,
}

/// Counts one who waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl WorkerPool {
    /// A pool; no worker runs before it is needed, so that a server that transforms nothing stays small.
    pub(crate) fn new(command: WorkerCommand, config: &EvaluationConfig) -> Self {
        Self {
            command,
            hello: Hello {
                memory: config.memory.0,
                cpu_seconds: CPU_SECONDS,
                give_up_ms: u64::try_from((config.timeout.get() * 2).as_millis()).unwrap_or(u64::MAX).max(200),
                output_limit: config.output_limit.as_usize(),
            },
            timeout: config.timeout.get(),
            queue: config.queue,
            free: Semaphore::new(config.workers),
            waiting: AtomicUsize::new(0),
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Ends the idle workers.
    pub(crate) fn stop(&self) {
        self.free.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn idle(&self) -> Option<Worker> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(mut worker) = idle.pop() {
            if worker.is_alive() {
                return Some(worker);
            }
        }
        None
    }
}

#[async_trait]
impl Evaluator for WorkerPool {
    async fn transform(&self, data: &RawValue, rules: &str) -> Result<Box<RawValue>, EvaluationFault> {
        let busy = || EvaluationFault::Busy(Duration::from_secs(1));
        let permit = if let Ok(permit) = self.free.try_acquire() {
            permit
        } else {
            let before = self.waiting.fetch_add(1, Ordering::Relaxed);
            let _waiting = Waiting(&self.waiting);
            if before >= self.queue {
                return Err(busy());
            }
            match tokio::time::timeout(WAIT, self.free.acquire()).await {
                Ok(Ok(permit)) => permit,
                _ => return Err(busy()),
            }
        };
        let broken = |fault: std::io::Error| EvaluationFault::Broken(format!("the evaluation worker: {fault}"));
        let rules: &RawValue = serde_json::from_str(rules).map_err(|fault| broken(fault.into()))?;
        let job = serde_json::to_vec(&Job { rules, data }).map_err(|fault| broken(fault.into()))?;
        let mut worker = match self.idle() {
            Some(worker) => worker,
            None => Worker::start(&self.command, &self.hello).await.map_err(broken)?,
        };
        // From here the worker is ours: whatever way this function is left, it is killed unless it is put back.
        let answer = tokio::time::timeout(self.timeout, worker.exchange(&job, self.hello.output_limit + 4096)).await;
        let answer = match answer {
            Err(_) => return Err(EvaluationFault::Limit("time")),
            Ok(Err(fault)) if fault.kind() == std::io::ErrorKind::FileTooLarge => {
                return Err(EvaluationFault::Limit("output"));
            }
            Ok(Err(_)) => return Err(EvaluationFault::Limit("memory")),
            Ok(Ok(answer)) => answer,
        };
        if worker.worked < WORK && !self.free.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        }
        drop(permit);
        read_answer(answer)
    }
}

fn read_answer(mut answer: Vec<u8>) -> Result<Box<RawValue>, EvaluationFault> {
    let broken = || EvaluationFault::Broken("the evaluation worker gave no valid answer".to_owned());
    if answer.is_empty() {
        return Err(broken());
    }
    let kind = answer.remove(0);
    match kind {
        RESULT => {
            let text = String::from_utf8(answer).map_err(|_| broken())?;
            RawValue::from_string(text).map_err(|_| broken())
        }
        FAULT => {
            let fault: Fault = serde_json::from_slice(&answer).map_err(|_| broken())?;
            Err(EvaluationFault::Rule(FieldFault::new(fault.pointer, known_code(&fault.code), fault.detail)))
        }
        TOO_LARGE => Err(EvaluationFault::Limit("output")),
        _ => Err(broken()),
    }
}
