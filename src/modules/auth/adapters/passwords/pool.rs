//! A few threads and a short queue. Who finds the queue full, or waits in it for too long, is told so. While the queue is
//! long, as in a flood of logins, hashing takes only the time that nothing else wants.

mod yielding;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use tokio::sync::oneshot;

use crate::modules::auth::application::PortError;
use yielding::YieldingThread;

type Job = Box<dyn FnOnce() + Send>;

/// What a pool is bounded by.
#[derive(Debug, Clone, Copy)]
pub(super) struct PoolLimits {
    pub(super) threads: usize,
    /// The most jobs that wait.
    pub(super) queue: usize,
    /// The longest that one waits.
    pub(super) timeout: Duration,
    /// With so many jobs waiting the threads yield to everything else; 0: never.
    pub(super) yield_after: usize,
}

pub(super) struct Pool {
    jobs: mpsc::SyncSender<Job>,
    waiting: Arc<AtomicUsize>,
    timeout: Duration,
}

impl Pool {
    pub(super) fn start(limits: PoolLimits) -> Result<Self, String> {
        let (jobs, queue) = mpsc::sync_channel::<Job>(limits.queue);
        let queue = Arc::new(Mutex::new(queue));
        let waiting = Arc::new(AtomicUsize::new(0));
        let failed = |error| format!("cannot start a hashing thread: {error}");
        for number in 0..limits.threads {
            let companion = match limits.yield_after {
                0 => None,
                after => YieldingThread::start(number).map_err(failed)?.map(|companion| (after, companion)),
            };
            let (queue, waiting) = (queue.clone(), waiting.clone());
            let name = format!("hash-{number}");
            let spawned =
                std::thread::Builder::new().name(name).spawn(move || work(&queue, &waiting, companion.as_ref()));
            spawned.map_err(failed)?;
        }
        Ok(Self { jobs, waiting, timeout: limits.timeout })
    }

    /// Runs `work` on one of the threads.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PortError> {
        let overloaded = || PortError::Unavailable("password hashing is overloaded".to_owned());
        let (started, begins) = oneshot::channel();
        let (finished, answer) = oneshot::channel();
        let job = move || {
            // Nobody waits any more: the work would be for nothing.
            if started.send(()).is_ok() {
                let _ = finished.send(work());
            }
        };
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if self.jobs.try_send(Box::new(job)).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(overloaded());
        }
        match tokio::time::timeout(self.timeout, begins).await {
            Ok(Ok(())) => {}
            _ => return Err(overloaded()),
        }
        answer.await.map_err(|_| PortError::Internal("a hashing thread died".to_owned()))
    }
}

/// Until the pool is gone.
fn work(queue: &Mutex<mpsc::Receiver<Job>>, waiting: &AtomicUsize, companion: Option<&(usize, YieldingThread)>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        let behind = waiting.fetch_sub(1, Ordering::Relaxed) - 1;
        match companion {
            Some((after, companion)) if behind >= *after => companion.run(job),
            _ => run(job),
        }
    }
}

/// A job that panics must not take the thread with it; its caller learns by the closed channel.
fn run(job: Job) {
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(queue: usize, timeout: u64, yield_after: usize) -> Pool {
        let timeout = Duration::from_millis(timeout);
        Pool::start(PoolLimits { threads: 1, queue, timeout, yield_after }).unwrap()
    }

    #[tokio::test]
    async fn hashing_yields_while_many_wait_and_only_then() {
        let pool = Arc::new(pool(10, 60_000, 2));
        let policy = || (std::thread::current().name().unwrap().to_owned(), yielding::yields());
        let (begun, has_begun) = oneshot::channel();
        let (gate, opened) = mpsc::channel::<()>();
        let first = tokio::spawn({
            let pool = pool.clone();
            let hold = move || {
                let _ = begun.send(());
                opened.recv().is_err()
            };
            async move { pool.run(hold).await }
        });
        has_begun.await.unwrap();
        let others = futures_util::future::join_all((0..4).map(|_| pool.run(policy)));
        let opens = async {
            while pool.waiting.load(Ordering::Relaxed) < 4 {
                tokio::task::yield_now().await;
            }
            drop(gate);
        };
        let (others, ()) = tokio::join!(others, opens);
        let names: Vec<_> = others.into_iter().map(|policy| policy.unwrap()).collect();
        let yielding = ("hash-yield-0".to_owned(), true);
        let usual = ("hash-0".to_owned(), false);
        assert_eq!(names, [yielding.clone(), yielding, usual.clone(), usual]);
        assert!(first.await.unwrap().unwrap());
    }

    #[tokio::test]
    async fn a_full_queue_and_a_long_wait_are_answers() {
        let pool = Arc::new(pool(1, 500, 0));
        // The only thread is held until the gate opens, however slow the machine is.
        let (begun, has_begun) = oneshot::channel();
        let (gate, opened) = mpsc::channel::<()>();
        let first = tokio::spawn({
            let pool = pool.clone();
            async move {
                let hold = move || {
                    let _ = begun.send(());
                    let _ = opened.recv();
                };
                pool.run(hold).await
            }
        });
        has_begun.await.unwrap();
        let (second, third) = tokio::join!(pool.run(|| ()), pool.run(|| ()));
        assert!(matches!(second, Err(PortError::Unavailable(_))), "waited too long");
        assert!(matches!(third, Err(PortError::Unavailable(_))), "found the queue full");
        drop(gate);
        assert!(first.await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_job_that_panics_takes_no_thread_with_it() {
        let pool = pool(1, 10_000, 0);
        let died: Result<(), _> = pool.run(|| panic!("as a test")).await;
        assert!(matches!(died, Err(PortError::Internal(_))));
        assert_eq!(pool.run(|| 7).await, Ok(7));
    }
}
