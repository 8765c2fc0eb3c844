//! How long each pass of Cranelift takes.

use {
    cranelift_codegen::timing::{Pass, Profiler, set_thread_profiler},
    std::{
        any::Any,
        cell::RefCell,
        rc::Rc,
        time::{Duration, Instant},
    },
};

/// Time by pass, without the passes within it, in the order in which they first began.
pub(crate) type PassTimes = Vec<(Pass, Duration)>;

/// Does `work` and returns how long each pass took on this thread.
pub(crate) fn profile<T>(work: impl FnOnce() -> T) -> (T, PassTimes) {
    let record = Rc::new(RefCell::new(Record::default()));
    let before = set_thread_profiler(Box::new(Recorder(Rc::clone(&record))));
    let result = work();
    set_thread_profiler(before);
    let times = std::mem::take(&mut record.borrow_mut().times);
    (result, times)
}

/// What has been seen so far.
#[derive(Default)]
struct Record {
    times: PassTimes,
    /// For each running pass, outermost first, how long the passes within it took.
    running: Vec<Duration>,
}

impl Record {
    fn begin(&mut self, pass: Pass) {
        if !self.times.iter().any(|(known, _)| *known == pass) {
            self.times.push((pass, Duration::ZERO));
        }
        self.running.push(Duration::ZERO);
    }

    fn end(&mut self, pass: Pass, elapsed: Duration) {
        let within = self.running.pop().unwrap_or_default();
        if let Some(outer) = self.running.last_mut() {
            *outer += elapsed;
        }
        if let Some((_, time)) = self.times.iter_mut().find(|(known, _)| *known == pass) {
            *time += elapsed.saturating_sub(within);
        }
    }
}

/// Writes to a record.
struct Recorder(Rc<RefCell<Record>>);

impl Profiler for Recorder {
    fn start_pass(&self, pass: Pass) -> Box<dyn Any> {
        self.0.borrow_mut().begin(pass);
        Box::new(RunningPass {
            record: Rc::clone(&self.0),
            pass,
            start: Instant::now(),
        })
    }
}

/// A pass that ends when this is dropped.
struct RunningPass {
    record: Rc<RefCell<Record>>,
    pass: Pass,
    start: Instant,
}

impl Drop for RunningPass {
    fn drop(&mut self) {
        let elapsed = self.start.elapsed();
        self.record.borrow_mut().end(self.pass, elapsed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_charged_without_those_within_it() {
        let mut record = Record::default();
        record.begin(Pass::compile);
        for _ in 0..2 {
            record.begin(Pass::regalloc);
            record.end(Pass::regalloc, Duration::from_nanos(3));
        }
        record.end(Pass::compile, Duration::from_nanos(10));
        let expected = [
            (Pass::compile, Duration::from_nanos(4)),
            (Pass::regalloc, Duration::from_nanos(6)),
        ];
        assert_eq!(record.times, expected);
    }
}
