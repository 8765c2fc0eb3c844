//! What the environment chooses.

use {
    sbpf_cranelift::{Cache, CacheOptions, Hotness, Policy},
    std::{
        env,
        sync::{
            OnceLock,
            atomic::{AtomicUsize, Ordering::Relaxed},
        },
    },
};

/// Bytes of code that are kept for programs which are loaded again, as each test of a host does.
const RETAINED: usize = 128 << 20;

/// What runs programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Engine {
    /// sbpf-cranelift.
    #[default]
    Cranelift,
    /// Upstream as it is, with its hand-written JIT where that exists.
    HandWritten,
    /// Upstream's interpreter.
    Interpreter,
}

/// When programs are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum When {
    /// At the first run: hosts load many programs that never run.
    #[default]
    Lazy,
    /// Each function when it is called first.
    LazyFunctions,
    /// When `jit_compile` is called.
    Eager,
    /// In the background, when a program was busy for a while: until then it runs on upstream's
    /// JIT, where there is one, or on the interpreter.
    Tiered,
}

impl Engine {
    /// The engine of this process.
    pub fn chosen() -> Self {
        static CHOSEN: OnceLock<Engine> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            choose(
                "SBPF_CRANELIFT_ENGINE",
                &[
                    ("cranelift", Self::Cranelift),
                    ("hand-written", Self::HandWritten),
                    ("interpreter", Self::Interpreter),
                ],
            )
        })
    }
}

impl When {
    /// The moment of compilation in this process.
    pub fn chosen() -> Self {
        static CHOSEN: OnceLock<When> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            choose(
                "SBPF_CRANELIFT_COMPILE",
                &[
                    ("lazy", Self::Lazy),
                    ("lazy-functions", Self::LazyFunctions),
                    ("eager", Self::Eager),
                    ("tiered", Self::Tiered),
                ],
            )
        })
    }

    pub(crate) fn policy(self) -> Policy {
        match self {
            Self::Lazy => Policy::Lazy,
            Self::LazyFunctions => Policy::LazyFunctions { after_runs: 0 },
            Self::Eager => Policy::Eager,
            Self::Tiered => Policy::Tiered(Hotness::default()),
        }
    }
}

/// The cache of this process, in the directory that `SBPF_CRANELIFT_CACHE` names if it does.
pub(crate) fn cache() -> &'static Cache {
    static CACHE: OnceLock<Cache> = OnceLock::new();
    CACHE.get_or_init(|| {
        let directory = env::var_os("SBPF_CRANELIFT_CACHE");
        let mut options = CacheOptions::default();
        options.directory = directory.filter(|path| !path.is_empty()).map(Into::into);
        options.retained_bytes = RETAINED;
        Cache::new(options)
    })
}

/// Reports what the cache could not do, each problem once.
pub(crate) fn report_problems() {
    static REPORTED: AtomicUsize = AtomicUsize::new(0);
    let problems = cache().statistics().problems;
    let reported = REPORTED.fetch_max(problems.len(), Relaxed);
    for problem in problems.iter().skip(reported) {
        eprintln!("sbpf-cranelift: cache: {problem}");
    }
}

/// The choice that `variable` names. A host must not fail because of a variable that is none of
/// its own, so an unknown name is reported and the default taken.
fn choose<T: Copy + Default>(variable: &str, choices: &[(&str, T)]) -> T {
    let Some(value) = env::var_os(variable) else {
        return T::default();
    };
    let chosen = choices.iter().find(|(name, _)| value == *name);
    chosen.map_or_else(
        || {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            eprintln!(
                "sbpf-cranelift: {variable}={} is none of {}: using {}",
                value.display(),
                names.join(", "),
                names[0],
            );
            T::default()
        },
        |(_, choice)| *choice,
    )
}
