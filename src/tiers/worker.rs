//! The one thread that compiles in the background.

use {
    super::owned::OwnedProgram,
    crate::{CodeOrigin, CompileError, CompileObserver, CompileOptions, code::Code},
    std::{
        ops::ControlFlow,
        panic::{AssertUnwindSafe, catch_unwind},
        sync::{
            Arc, Mutex, MutexGuard, PoisonError,
            atomic::{AtomicBool, Ordering::Relaxed},
            mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
        },
        thread,
        time::{Duration, Instant},
    },
};

/// Programs that may wait. Beyond that a program stays on its tier, and asks again.
const QUEUE: usize = 256;

/// What was asked for, seen from both sides.
#[derive(Debug, Default)]
pub(super) struct Ticket {
    is_cancelled: AtomicBool,
    answer: Mutex<Option<Answer>>,
}

/// How it came out.
#[derive(Debug)]
pub(super) enum Answer {
    /// There is code, which took so long.
    Code(Arc<Code>, CodeOrigin, Duration),
    /// The cache has none.
    NotFound,
    /// The program can't be compiled.
    Failed(CompileError),
    /// The compiler panicked.
    Panicked,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// Look into the cache.
    Find,
    /// Compile, unless the cache has it.
    Compile,
}

struct Job {
    task: Task,
    program: OwnedProgram,
    options: CompileOptions,
    ticket: Arc<Ticket>,
}

impl Ticket {
    /// Ends the work on this as soon as possible; there will be no answer that anyone sees.
    pub(super) fn cancel(&self) {
        self.is_cancelled.store(true, Relaxed);
    }

    /// Takes the answer, once there is one.
    pub(super) fn take_answer(&self) -> Option<Answer> {
        lock(&self.answer).take()
    }
}

/// Has `program` compiled or looked for, and returns where the answer will be. Where no thread can
/// be had, or too many programs wait already, there is nothing to wait for.
pub(super) fn submit(
    task: Task,
    program: OwnedProgram,
    options: &CompileOptions,
) -> Option<Arc<Ticket>> {
    let ticket = Arc::new(Ticket::default());
    let job = Job {
        task,
        program,
        options: CompileOptions {
            // One thread is what the policy asked for.
            threads: 1,
            observer: Some(observer(&ticket, options.observer.clone())),
            ..options.clone()
        },
        ticket: Arc::clone(&ticket),
    };
    static JOBS: Mutex<Option<SyncSender<Job>>> = Mutex::new(None);
    let mut sender = lock(&JOBS);
    let sent = match &*sender {
        Some(sender) => sender.try_send(job),
        None => {
            let started = start()?;
            sender.insert(started).try_send(job)
        }
    };
    match sent {
        Ok(()) => Some(ticket),
        Err(TrySendError::Full(_)) => None,
        Err(TrySendError::Disconnected(_)) => {
            *sender = None;
            None
        }
    }
}

fn start() -> Option<SyncSender<Job>> {
    let (sender, receiver) = sync_channel(QUEUE);
    let thread = thread::Builder::new().name("sbpf-cranelift".to_string());
    thread.spawn(move || work(&receiver)).ok()?;
    Some(sender)
}

fn work(jobs: &Receiver<Job>) {
    yield_to_others();
    while let Ok(job) = jobs.recv() {
        if job.ticket.is_cancelled.load(Relaxed) {
            continue;
        }
        let ticket = Arc::clone(&job.ticket);
        let answer = catch_unwind(AssertUnwindSafe(|| answer(job))).unwrap_or(Answer::Panicked);
        *lock(&ticket.answer) = Some(answer);
    }
}

/// Leaves processors to threads that have something better to do, such as running programs.
fn yield_to_others() {
    // Linux has a niceness for each thread, other systems only for processes. With 15, a thread of
    // 0 on the same processor gets 97 % of it. If it is refused, they share.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, 15);
}

fn answer(job: Job) -> Answer {
    let start = Instant::now();
    let found = match job.task {
        Task::Find => match job.program.find(&job.options) {
            Some(found) => Ok(found),
            None => return Answer::NotFound,
        },
        Task::Compile => job.program.compile(&job.options),
    };
    match found {
        Ok((code, origin)) => Answer::Code(code, origin, start.elapsed()),
        Err(error) => Answer::Failed(error),
    }
}

/// Nothing is left half done by a panic: what is locked changes in single assignments.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An observer that ends the compilation if nobody waits for it any more, or if the caller's does.
fn observer(ticket: &Arc<Ticket>, callers: Option<CompileObserver>) -> CompileObserver {
    let ticket = Arc::clone(ticket);
    CompileObserver::new(move |progress| {
        if ticket.is_cancelled.load(Relaxed) {
            return ControlFlow::Break(());
        }
        match &callers {
            Some(callers) => callers.tell(progress.done, progress.total),
            None => ControlFlow::Continue(()),
        }
    })
}
