//! The processor's own count of the instructions it executes, where the system gives access to it.

/// Counts machine instructions of this thread.
pub(crate) struct InstructionCounter(Option<system::Counter>);

impl InstructionCounter {
    /// A counter, which counts nothing where there is none to be had: outside of Linux, on virtual
    /// machines, and where `perf_event_paranoid` forbids it.
    pub(crate) fn new() -> Self {
        Self(system::open())
    }

    /// Does `work` and returns how many instructions the processor executed outside of the kernel.
    pub(crate) fn count(&mut self, work: impl FnOnce()) -> Option<u64> {
        let counter = self.0.as_mut()?;
        system::start(counter)?;
        work();
        system::stop(counter)
    }
}

#[cfg(target_os = "linux")]
mod system {
    use perf_event::{Builder, events::Hardware};

    pub(super) use perf_event::Counter;

    pub(super) fn open() -> Option<Counter> {
        // The kernel's instructions and those of a hypervisor are not counted by default.
        Builder::new(Hardware::INSTRUCTIONS).build().ok()
    }

    pub(super) fn start(counter: &mut Counter) -> Option<()> {
        counter.reset().ok()?;
        counter.enable().ok()
    }

    pub(super) fn stop(counter: &mut Counter) -> Option<u64> {
        counter.disable().ok()?;
        // A counter that never ran on the processor reads as zero.
        counter.read().ok().filter(|&instructions| instructions > 0)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) enum Counter {}

    pub(super) fn open() -> Option<Counter> {
        None
    }

    pub(super) fn start(counter: &mut Counter) -> Option<()> {
        match *counter {}
    }

    pub(super) fn stop(counter: &mut Counter) -> Option<u64> {
        match *counter {}
    }
}
