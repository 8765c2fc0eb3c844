//! Progress of a compilation, and a way to end it.

use std::{fmt, ops::ControlFlow, sync::Arc};

/// How far a compilation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Native functions that are compiled.
    pub done: usize,
    /// Native functions that the program has.
    pub total: usize,
}

/// Is told the progress of a compilation, and decides whether it goes on.
///
/// It is called before the first function and after each one, on the thread that compiles; with
/// several threads after each batch, for each of its functions. With [`ControlFlow::Break`] the
/// compilation ends with [`CompileError::Cancelled`](crate::CompileError::Cancelled). It must not
/// compile the same program with the same cache, which would wait for itself.
#[derive(Clone)]
pub struct CompileObserver(Arc<dyn Fn(Progress) -> ControlFlow<()> + Send + Sync>);

impl CompileObserver {
    /// An observer that calls `function`.
    pub fn new(function: impl Fn(Progress) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(function))
    }

    pub(crate) fn tell(&self, done: usize, total: usize) -> ControlFlow<()> {
        (self.0)(Progress { done, total })
    }
}

impl fmt::Debug for CompileObserver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CompileObserver")
    }
}
