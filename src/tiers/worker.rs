//! What the thread of the background does.

use {
    super::{
        owned::OwnedProgram,
        queue::{self, Queue},
        switch::Task,
        ticket::Ticket,
    },
    crate::{CodeOrigin, CompileError, CompileObserver, CompileOptions, code::Code},
    std::{
        ops::ControlFlow,
        panic::{AssertUnwindSafe, catch_unwind},
        sync::Arc,
        time::{Duration, Instant},
    },
};

/// Programs that may wait. Beyond that a program stays on its tier, and asks again.
const WAITING: usize = 256;

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

struct Job {
    task: Task,
    program: OwnedProgram,
    options: CompileOptions,
    ticket: Arc<Ticket<Answer>>,
}

/// Has `program` compiled or looked for, and returns where the answer will be. Where no thread can
/// be had, or too many programs wait already, there is nothing to wait for.
pub(super) fn submit(
    task: Task,
    program: OwnedProgram,
    options: &CompileOptions,
) -> Option<Arc<Ticket<Answer>>> {
    static QUEUE: Queue<Job> = Queue::new(WAITING);
    let ticket = Arc::new(Ticket::default());
    let is_submitted = QUEUE.submit(Job {
        task,
        program,
        options: CompileOptions {
            // One thread is what the policy asked for.
            threads: 1,
            observer: Some(observer(&ticket, options.observer.clone())),
            ..options.clone()
        },
        ticket: Arc::clone(&ticket),
    });
    is_submitted.then_some(ticket)
}

impl queue::Job for Job {
    /// Leaves processors to threads that have something better to do, such as running programs.
    fn prepare_thread() {
        // Linux has a niceness for each thread, other systems only for processes. With 15, a thread of
        // 0 on the same processor gets 97 % of it. If it is refused, they share.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::setpriority_process(None, 15);
    }

    fn work(self) {
        if self.ticket.is_cancelled() {
            return;
        }
        let ticket = Arc::clone(&self.ticket);
        let answer = catch_unwind(AssertUnwindSafe(|| answer(self))).unwrap_or(Answer::Panicked);
        ticket.answer(answer);
    }
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

/// An observer that ends the compilation if nobody waits for it any more, or if the caller's does.
fn observer(ticket: &Arc<Ticket<Answer>>, callers: Option<CompileObserver>) -> CompileObserver {
    let ticket = Arc::clone(ticket);
    CompileObserver::new(move |progress| {
        if ticket.is_cancelled() {
            return ControlFlow::Break(());
        }
        match &callers {
            Some(callers) => callers.tell(progress.done, progress.total),
            None => ControlFlow::Continue(()),
        }
    })
}
