//! The one thread of the background, and the jobs that wait for it.

use super::{
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};

/// Something to do.
pub(super) trait Job: Send + 'static {
    /// What the thread does before its first job.
    fn prepare_thread();

    /// Does it, unless nobody wants it any more.
    fn work(self);
}

/// Jobs and their thread, which is started for the first one and ends with the queue.
#[derive(Debug)]
pub(super) struct Queue<J> {
    sender: Mutex<Option<SyncSender<J>>>,
    /// Jobs that may wait.
    limit: usize,
}

impl<J: Job> Queue<J> {
    /// An empty one, in which at most `limit` jobs wait.
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            sender: Mutex::new(None),
            limit,
        }
    }

    /// Has the thread do a job after those that wait. Returns whether it will: not where no thread can
    /// be had, or too many wait already.
    pub(super) fn submit(&self, job: J) -> bool {
        // A panic leaves it as it was or as it is to be.
        let mut sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = match &*sender {
            Some(sender) => sender.try_send(job),
            None => match start(self.limit) {
                Some(started) => sender.insert(started).try_send(job),
                None => return false,
            },
        };
        match sent {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => false,
            Err(TrySendError::Disconnected(_)) => {
                *sender = None;
                false
            }
        }
    }
}

fn start<J: Job>(limit: usize) -> Option<SyncSender<J>> {
    let (sender, receiver) = sync_channel(limit);
    let thread = thread::Builder::new().name("sbpf-cranelift".to_string());
    thread.spawn(move || work_off(&receiver)).ok()?;
    Some(sender)
}

fn work_off<J: Job>(jobs: &Receiver<J>) {
    J::prepare_thread();
    while let Ok(job) = jobs.recv() {
        job.work();
    }
}
