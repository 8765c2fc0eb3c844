//! Statistics written when the process exits, if the environment asks for them.

use {
    super::statistics::statistics,
    std::{
        env,
        ffi::{OsString, c_int},
        fs::File,
        io::{self, Write},
        sync::OnceLock,
    },
};

// SAFETY: as the C standard declares it.
unsafe extern "C" {
    /// Of the C library, which every target of `std` that loads programs is linked to.
    fn atexit(function: extern "C" fn()) -> c_int;
}

/// Has statistics written at exit, to where `SBPF_CRANELIFT_STATISTICS` says.
pub(super) fn at_exit() {
    static IS_REGISTERED: OnceLock<()> = OnceLock::new();
    IS_REGISTERED.get_or_init(|| {
        if target().is_some() {
            // SAFETY: `write` takes nothing, doesn't unwind, and uses nothing that is gone when
            // it runs. If it can't be registered there is no report.
            unsafe { atexit(write) };
        }
    });
}

/// Where to; read once, because reading the environment at exit would race with other handlers.
fn target() -> Option<&'static OsString> {
    static TARGET: OnceLock<Option<OsString>> = OnceLock::new();
    TARGET
        .get_or_init(|| env::var_os("SBPF_CRANELIFT_STATISTICS"))
        .as_ref()
        .filter(|target| !target.is_empty())
}

extern "C" fn write() {
    let Some(target) = target() else {
        return;
    };
    let line = format!("sbpf-cranelift: {}\n", statistics());
    // At exit there is nobody left to tell that this failed.
    let _ = if target == "stderr" {
        io::stderr().write_all(line.as_bytes())
    } else {
        File::options()
            .create(true)
            .append(true)
            .open(target)
            .and_then(|mut file| file.write_all(line.as_bytes()))
    };
}
