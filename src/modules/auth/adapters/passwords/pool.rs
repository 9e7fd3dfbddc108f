//! A few threads and a short queue. Who finds the queue full, or waits in it for too long, is told so.

use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

use tokio::sync::oneshot;

use crate::modules::auth::application::PortError;

type Job = Box<dyn FnOnce() + Send>;

pub(super) struct Pool {
    jobs: mpsc::SyncSender<Job>,
    timeout: Duration,
}

impl Pool {
    pub(super) fn start(threads: usize, queue: usize, timeout: Duration) -> Result<Self, String> {
        let (jobs, waiting) = mpsc::sync_channel::<Job>(queue);
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..threads {
            let waiting = waiting.clone();
            let name = format!("hash-{number}");
            let spawned = std::thread::Builder::new().name(name).spawn(move || work(&waiting));
            spawned.map_err(|error| format!("cannot start a hashing thread: {error}"))?;
        }
        Ok(Self { jobs, timeout })
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
        self.jobs.try_send(Box::new(job)).map_err(|_| overloaded())?;
        match tokio::time::timeout(self.timeout, begins).await {
            Ok(Ok(())) => {}
            _ => return Err(overloaded()),
        }
        answer.await.map_err(|_| PortError::Internal("a hashing thread died".to_owned()))
    }
}

/// Until the pool is gone.
fn work(waiting: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // A job that panics must not take the thread with it; its caller learns by the closed channel.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_and_a_long_wait_are_answers() {
        let pool = Arc::new(Pool::start(1, 1, Duration::from_millis(500)).unwrap());
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
        let pool = Pool::start(1, 1, Duration::from_secs(10)).unwrap();
        let died: Result<(), _> = pool.run(|| panic!("as a test")).await;
        assert!(matches!(died, Err(PortError::Internal(_))));
        assert_eq!(pool.run(|| 7).await, Ok(7));
    }
}
