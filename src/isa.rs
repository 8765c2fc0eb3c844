//! The processor that code is generated for, and Cranelift's settings.

use {
    crate::{CompileError, CompileOptions},
    cranelift_codegen::{
        isa::{self, CallConv, OwnedTargetIsa, TargetIsa},
        settings::{self, Configurable, SetError},
    },
    sbpf_lowering::dialect::Dialect,
    std::{ops::Deref, sync::OnceLock},
    target_lexicon::{Architecture, Endianness, OperatingSystem, PointerWidth, Triple},
};

/// A machine that code is generated for.
#[derive(Clone)]
pub(crate) struct Machine {
    isa: OwnedTargetIsa,
    description: [u8; 32],
}

impl Machine {
    fn new(isa: OwnedTargetIsa) -> Self {
        let mut description = blake3::Hasher::new();
        let mut add = |text: &str| {
            description.update(&(text.len() as u64).to_le_bytes());
            description.update(text.as_bytes());
        };
        add(&isa.triple().to_string());
        add(isa.name());
        for flag in isa.flags().iter().chain(isa.isa_flags()) {
            // The verifier only looks at code.
            if flag.name != "enable_verifier" {
                add(&flag.to_string());
            }
        }
        let description = *description.finalize().as_bytes();
        Self { isa, description }
    }

    /// A hash of all that shapes code.
    pub(crate) fn description(&self) -> &[u8; 32] {
        &self.description
    }

    /// What Cranelift knows of it.
    pub(crate) fn isa(&self) -> &OwnedTargetIsa {
        &self.isa
    }
}

impl Deref for Machine {
    type Target = dyn TargetIsa;

    fn deref(&self) -> &Self::Target {
        &*self.isa
    }
}

/// The machine that `options` name.
pub(crate) fn of(options: &CompileOptions) -> Result<Machine, CompileError> {
    match &options.target {
        Some(machine) => target(machine, options).map(Machine::new),
        None => host(options),
    }
}

/// What of the options shapes a machine, whichever it is.
#[derive(Debug, Clone, Copy)]
struct Settings {
    unwinds: bool,
    verifies: bool,
    protects_branches: bool,
}

impl Settings {
    fn of(options: &CompileOptions) -> Self {
        Self {
            unwinds: options.native_names.needs_unwind_info(),
            verifies: options.verify_ir || cfg!(debug_assertions),
            protects_branches: options.protect_branches,
        }
    }
}

/// The machine that `options` ask for, if its code can be called here.
pub(crate) fn here(options: &CompileOptions) -> Result<Machine, CompileError> {
    let machine = of(options)?;
    assert_runs_here(&*machine)?;
    Ok(machine)
}

/// Refuses a machine whose code can't be called here.
fn assert_runs_here(isa: &dyn TargetIsa) -> Result<(), CompileError> {
    let (host, machine) = (Triple::host(), isa.triple());
    if host.architecture != machine.architecture {
        return Err(unsupported(machine, "this machine is another one"));
    }
    let (ours, theirs) = (CallConv::triple_default(&host), isa.default_call_conv());
    if !conventions_agree(ours, theirs) {
        let reason = format!("functions are called by {ours} here, not by {theirs}");
        return Err(unsupported(machine, reason));
    }
    Ok(())
}

/// Whether functions of one convention can be called by the other, if all arguments are in
/// registers and of 32 or 64 bits, as those of the entry point and the callbacks are.
fn conventions_agree(ours: CallConv, theirs: CallConv) -> bool {
    // Apple passes arguments differently on the stack, and extends what is shorter than 32 bits.
    let standard = |convention| match convention {
        CallConv::AppleAarch64 => CallConv::SystemV,
        other => other,
    };
    standard(ours) == standard(theirs)
}

/// The machine that this runs on, with all its features.
fn host(options: &CompileOptions) -> Result<Machine, CompileError> {
    // Finding out what a processor has takes longer than finding code in memory.
    static MACHINES: [OnceLock<Machine>; 8] = [const { OnceLock::new() }; 8];
    let settings = Settings::of(options);
    let Settings {
        unwinds,
        verifies,
        protects_branches,
    } = settings;
    let number = [unwinds, verifies, protects_branches].into_iter();
    let number = number.fold(0, |number, setting| 2 * number + usize::from(setting));
    let known = &MACHINES[number];
    if let Some(machine) = known.get() {
        return Ok(machine.clone());
    }
    let target = Triple::host();
    let builder = cranelift_native::builder().map_err(|reason| unsupported(&target, reason))?;
    let isa = finish(builder, &target, settings)?;
    Ok(known.get_or_init(|| Machine::new(isa)).clone())
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
    finish(builder, target, Settings::of(options))
}

fn finish(
    builder: isa::Builder,
    target: &Triple,
    settings: Settings,
) -> Result<OwnedTargetIsa, CompileError> {
    let mut builder = builder;
    let flags = flags(settings).map_err(|reason| unsupported(target, reason))?;
    if settings.protects_branches {
        protect_branches(&mut builder, target).map_err(|reason| unsupported(target, reason))?;
    }
    builder
        .finish(settings::Flags::new(flags))
        .map_err(|reason| unsupported(target, reason))
}

/// Instructions that processors without these features take for others that do nothing.
fn protect_branches(builder: &mut isa::Builder, target: &Triple) -> Result<(), SetError> {
    if matches!(target.architecture, Architecture::Aarch64(_)) {
        builder.enable("use_bti")?;
        builder.enable("sign_return_address")?;
        // Apple's convention has the other key.
        if matches!(
            target.operating_system,
            OperatingSystem::Darwin(_) | OperatingSystem::MacOSX(_) | OperatingSystem::IOS(_)
        ) {
            builder.enable("sign_return_address_with_bkey")?;
        }
    }
    Ok(())
}

fn flags(chosen: Settings) -> Result<settings::Builder, SetError> {
    let mut flags = settings::builder();
    // Our own analyses have done what pays off; the optimiser would double the compile time.
    flags.set("opt_level", "none")?;
    // It changes no code.
    flags.set("unwind_info", text(chosen.unwinds))?;
    // Tail calls rely on them.
    flags.set("preserve_frame_pointers", "true")?;
    // For the context, see `lower_entry`.
    flags.set("enable_pinned_reg", "true")?;
    // Only accesses that were checked before; the guards of division are ours.
    flags.set("enable_heap_access_spectre_mitigation", "false")?;
    flags.set("enable_table_access_spectre_mitigation", "false")?;
    flags.set("enable_probestack", "true")?;
    flags.set("probestack_strategy", "inline")?;
    flags.set("enable_verifier", text(chosen.verifies))?;
    Ok(flags)
}

fn text(setting: bool) -> &'static str {
    if setting { "true" } else { "false" }
}

/// Whether constants that a program chose have to be hidden in code for this machine.
///
/// Instructions of arm64 have 4 bytes and are aligned to them, and no constant of the program's choice
/// fills one: what has 16 bits is in the middle of one, at no whole byte. Without literals among the
/// code, which Cranelift makes none of for integers, nothing has to be hidden.
pub(crate) fn hides_constants(isa: &dyn TargetIsa, dialect: &Dialect) -> bool {
    dialect.hides_constants && !matches!(isa.triple().architecture, Architecture::Aarch64(_))
}

fn unsupported(target: &Triple, reason: impl std::fmt::Display) -> CompileError {
    CompileError::UnsupportedTarget {
        target: target.to_string(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs_here(target: &str) -> Result<(), CompileError> {
        let options = CompileOptions {
            target: Some(target.parse().expect("it is a triple")),
            ..CompileOptions::default()
        };
        assert_runs_here(&*of(&options)?)
    }

    #[test]
    fn code_for_this_machine_runs_here() {
        assert!(runs_here(&Triple::host().to_string()).is_ok());
        assert!(assert_runs_here(&*host(&CompileOptions::default()).expect("it is known")).is_ok());
    }

    /// Frames larger than a page touch every page, as Windows asks and as guard pages of stacks
    /// rely on.
    #[test]
    fn large_frames_touch_every_page() {
        for target in [
            "x86_64-unknown-linux-gnu",
            "x86_64-pc-windows-gnu",
            "aarch64-unknown-linux-gnu",
            "aarch64-apple-darwin",
        ] {
            let small = code_with_frame(target, 64);
            let large = code_with_frame(target, 64 * 4096);
            assert!(large.len() > small.len() + 16, "{target}: no probes");
        }
        let host = code_with_frame(&Triple::host().to_string(), 64 * 4096);
        // SAFETY: `code_with_frame` makes a function of this type.
        let answer = on_new_thread(&host, |code| unsafe {
            std::mem::transmute::<*const u8, unsafe extern "C" fn(u64) -> u64>(code)(41)
        });
        assert_eq!(answer, 41);
        #[cfg(target_arch = "x86_64")]
        {
            let windows = code_with_frame("x86_64-pc-windows-gnu", 64 * 4096);
            // SAFETY: as above, by the convention of Windows.
            let answer = on_new_thread(&windows, |code| unsafe {
                std::mem::transmute::<*const u8, unsafe extern "win64" fn(u64) -> u64>(code)(42)
            });
            assert_eq!(answer, 42);
        }
    }

    /// Calls `code` on a thread whose stack is untouched below its first pages.
    fn on_new_thread(code: &[u8], call: impl FnOnce(*const u8) -> u64 + Send) -> u64 {
        let sealed = sbpf_runtime::code::CodeMemory::seal(code).expect("there is memory");
        let call = || call(sealed.as_ptr());
        std::thread::scope(|scope| scope.spawn(call).join().expect("it returns"))
    }

    /// A function that keeps its argument at the far end of a frame of `size` bytes.
    fn code_with_frame(target: &str, size: u32) -> Vec<u8> {
        use cranelift_codegen::{
            Context,
            control::ControlPlane,
            ir::{
                AbiParam, Function, InstBuilder, Signature, StackSlotData, StackSlotKind,
                UserFuncName, types::I64,
            },
        };
        let options = CompileOptions {
            target: Some(target.parse().expect("it is a triple")),
            ..CompileOptions::default()
        };
        let isa = of(&options).expect("it is known");
        let mut signature = Signature::new(isa.default_call_conv());
        signature.params.push(AbiParam::new(I64));
        signature.returns.push(AbiParam::new(I64));
        let mut function = Function::with_name_signature(UserFuncName::user(0, 0), signature);
        let mut frontend = cranelift_frontend::FunctionBuilderContext::new();
        let mut builder = cranelift_frontend::FunctionBuilder::new(&mut function, &mut frontend);
        let block = builder.create_block();
        builder.append_block_params_for_function_params(block);
        builder.switch_to_block(block);
        builder.seal_block(block);
        let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, size, 3);
        let slot = builder.create_sized_stack_slot(slot);
        let argument = builder.block_params(block)[0];
        builder.ins().stack_store(I64, argument, slot, 0);
        let result = builder.ins().stack_load(I64, I64, slot, 0);
        builder.ins().return_(&[result]);
        builder.finalize(isa.frontend_config());
        let mut context = Context::for_function(function);
        let compiled = context
            .compile(&*isa, &mut ControlPlane::default())
            .expect("it compiles");
        compiled.code_buffer().to_vec()
    }

    #[test]
    fn code_for_another_machine_does_not() {
        let [other, same] = if cfg!(target_arch = "x86_64") {
            ["aarch64-unknown-linux-gnu", "x86_64-apple-darwin"]
        } else {
            ["x86_64-unknown-linux-gnu", "aarch64-apple-darwin"]
        };
        assert!(runs_here(other).is_err());
        assert_eq!(runs_here(same).is_ok(), cfg!(unix));
    }
}
