//! The processor that code is generated for, and Cranelift's settings.

use {
    crate::{CompileError, CompileOptions},
    cranelift_codegen::{
        isa::{self, OwnedTargetIsa},
        settings::{self, Configurable, SetError},
    },
    target_lexicon::{Endianness, PointerWidth, Triple},
};

/// The machine that this runs on, with all its features.
pub(crate) fn host(options: &CompileOptions) -> Result<OwnedTargetIsa, CompileError> {
    let target = Triple::host();
    let builder = cranelift_native::builder().map_err(|reason| unsupported(&target, reason))?;
    finish(builder, &target, options)
}

/// Any machine that Cranelift knows, with the features that all of its kind have.
pub(crate) fn target(
    target: &Triple,
    options: &CompileOptions,
) -> Result<OwnedTargetIsa, CompileError> {
    // The context and the lowering hold host addresses in 64 bits, in the host's byte order.
    if target.pointer_width() != Ok(PointerWidth::U64)
        || target.endianness() != Ok(Endianness::Little)
    {
        return Err(unsupported(
            target,
            "it is no little-endian machine of 64 bits",
        ));
    }
    let builder = isa::lookup(target.clone()).map_err(|reason| unsupported(target, reason))?;
    finish(builder, target, options)
}

fn finish(
    builder: isa::Builder,
    target: &Triple,
    options: &CompileOptions,
) -> Result<OwnedTargetIsa, CompileError> {
    let flags = flags(options).map_err(|reason| unsupported(target, reason))?;
    builder
        .finish(settings::Flags::new(flags))
        .map_err(|reason| unsupported(target, reason))
}

fn flags(options: &CompileOptions) -> Result<settings::Builder, SetError> {
    let mut flags = settings::builder();
    // Our own analyses have done what pays off; the optimiser would double the compile time.
    flags.set("opt_level", "none")?;
    flags.set("unwind_info", "false")?;
    // Tail calls rely on them.
    flags.set("preserve_frame_pointers", "true")?;
    // Only accesses that were checked before; the guards of division are ours.
    flags.set("enable_heap_access_spectre_mitigation", "false")?;
    flags.set("enable_table_access_spectre_mitigation", "false")?;
    flags.set("enable_probestack", "true")?;
    flags.set("probestack_strategy", "inline")?;
    let verifies = options.verify_ir || cfg!(debug_assertions);
    flags.set("enable_verifier", if verifies { "true" } else { "false" })?;
    Ok(flags)
}

fn unsupported(target: &Triple, reason: impl std::fmt::Display) -> CompileError {
    CompileError::UnsupportedTarget {
        target: target.to_string(),
        reason: reason.to_string(),
    }
}
