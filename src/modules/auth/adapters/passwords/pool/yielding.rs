//! A thread that runs only when no other wants the processor. It is a thread of its own, because an unprivileged one that
//! has gone there may not come back (`sched(7)`, `RLIMIT_NICE`).

use std::{io, sync::mpsc, thread::Builder};

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
};

use super::{Job, run};

const IDLE: ThreadSchedulePolicy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);

pub(super) struct YieldingThread {
    jobs: mpsc::SyncSender<Job>,
    done: mpsc::Receiver<()>,
}

impl YieldingThread {
    /// Starts one; `None` where the system has no such thing.
    pub(super) fn start(number: usize) -> io::Result<Option<Self>> {
        let (jobs, next) = mpsc::sync_channel::<Job>(0);
        let (finished, done) = mpsc::channel();
        let (told, begun) = mpsc::channel();
        Builder::new().name(format!("hash-yield-{number}")).spawn(move || {
            let can_yield = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, IDLE);
            if let Err(error) = &can_yield {
                tracing::info!(event = "hashing_cannot_yield", ?error);
            }
            if told.send(can_yield.is_ok()).is_err() || can_yield.is_err() {
                return;
            }
            while let Ok(job) = next.recv() {
                run(job);
                if finished.send(()).is_err() {
                    return;
                }
            }
        })?;
        let can_yield = begun.recv().unwrap_or(false);
        Ok(can_yield.then_some(Self { jobs, done }))
    }

    /// Runs a job, and waits until it is done.
    pub(super) fn run(&self, job: Job) {
        match self.jobs.send(job) {
            Ok(()) => drop(self.done.recv()),
            Err(mpsc::SendError(job)) => run(job),
        }
    }
}

#[cfg(test)]
pub(super) fn yields() -> bool {
    thread_priority::thread_schedule_policy().is_ok_and(|policy| policy == IDLE)
}
