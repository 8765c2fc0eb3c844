//! From `SBPFVersion` and `Config` of `solana-sbpf` to the data that the lowering works on.

use {
    crate::CompileError,
    sbpf_lowering::{
        decode::Program,
        dialect::{CallxRegister, Dialect, FrameLayout},
        error::LoweringError,
    },
    solana_sbpf::{
        elf::Executable,
        program::{BuiltinFunction, SBPFVersion},
        vm::{Config, ContextObject},
    },
    std::collections::HashMap,
};

/// The dialect of a version under a configuration: each predicate of `SBPFVersion`, resolved.
pub(crate) fn dialect(version: SBPFVersion, config: &Config) -> Result<Dialect, CompileError> {
    let unsupported = LoweringError::Frames {
        frame_size: config.stack_frame_size,
        max_call_depth: config.max_call_depth,
    };
    if config.max_call_depth >= 1 << 31 {
        return Err(unsupported.into());
    }
    let size = u32::try_from(config.stack_frame_size).map_err(|_| unsupported)?;
    let has_gaps = version.stack_frame_gaps() && config.enable_stack_frame_gaps;
    Ok(Dialect {
        standard: None,
        explicit_sign_extension: version.explicit_sign_extension_of_results(),
        swapped_subtraction: version.swap_sub_reg_imm_operands(),
        product_quotient_remainder: version.enable_pqr(),
        negation: !version.disable_neg(),
        load_double_word: !version.disable_lddw(),
        little_endian: !version.disable_le(),
        moved_memory_classes: version.move_memory_instruction_classes(),
        jump32: version.enable_jmp32(),
        callx_register: if version.callx_uses_src_reg() {
            CallxRegister::Source
        } else if version.callx_uses_dst_reg() {
            CallxRegister::Destination
        } else {
            CallxRegister::Immediate
        },
        static_syscalls: version.static_syscalls(),
        // Without any frame for calls there is no stack that fixed frames could be in.
        frames: if version.manual_stack_frame_bump() || size == 0 || config.max_call_depth == 0 {
            FrameLayout::Manual
        } else {
            FrameLayout::Fixed {
                size,
                stride: if has_gaps { 2 } else { 1 },
            }
        },
        meter: config.enable_instruction_meter,
        translation: config.enable_address_translation,
        regions_adjoin: !config.aligned_memory_mapping && version < SBPFVersion::V4,
        direct_functions: false,
        hides_constants: hides_constants(config),
        padding_rate: padding_rate(config),
    })
}

/// `Config` has what concerns generated code only with upstream's feature `jit`; without it this is
/// the default.
#[cfg(feature = "hand-written")]
fn hides_constants(config: &Config) -> bool {
    config.sanitize_user_provided_values
}

#[cfg(not(feature = "hand-written"))]
fn hides_constants(_: &Config) -> bool {
    true
}

/// As [`hides_constants`].
#[cfg(feature = "hand-written")]
fn padding_rate(config: &Config) -> u32 {
    config.noop_instruction_rate
}

#[cfg(not(feature = "hand-written"))]
fn padding_rate(_: &Config) -> u32 {
    256
}

/// A program for the lowering, and the syscalls that its numbers stand for.
pub(crate) fn program<C: ContextObject>(
    executable: &Executable<C>,
) -> Result<(Program<'_>, Vec<BuiltinFunction<C>>), CompileError> {
    let (text_address, text) = executable.get_text_bytes();
    let mut syscalls = HashMap::new();
    let mut functions = Vec::new();
    for (key, _, function) in registered_syscalls(executable) {
        syscalls.insert(key, functions.len() as u32);
        functions.push(function);
    }
    let calls = executable.get_function_registry();
    let program = Program {
        text,
        text_address,
        entry: executable.get_entrypoint_instruction_offset(),
        function_starts: around(executable.get_ro_section(), text)
            .into_iter()
            .flat_map(|data| pointers_into_text(data, text_address, text.len()))
            .collect(),
        functions: calls.iter().map(|(key, (_, pc))| (key, pc)).collect(),
        syscalls,
        dialect: dialect(executable.get_sbpf_version(), executable.get_config())?,
    };
    Ok((program, functions))
}

/// Key, name and function of every syscall, in the order of their keys: the registry's own order is
/// another one each time, and the same program has to give the same code.
pub(crate) fn registered_syscalls<C: ContextObject>(
    executable: &Executable<C>,
) -> Vec<(u32, &[u8], BuiltinFunction<C>)> {
    let registry = executable.get_loader().get_function_registry();
    let mut syscalls: Vec<_> = registry
        .iter()
        .map(|(key, (name, (function, _)))| (key, name, function))
        .collect();
    syscalls.sort_unstable_by_key(|(key, ..)| *key);
    syscalls
}

/// What comes before and behind the text where that is part of the read-only data: instructions can look like
/// pointers, `lddw` of a small constant above all.
fn around<'d>(data: &'d [u8], text: &[u8]) -> [&'d [u8]; 2] {
    let start = text.as_ptr().addr().wrapping_sub(data.as_ptr().addr());
    // Words stay aligned.
    let end = start.saturating_add(text.len()).next_multiple_of(8);
    match (data.get(..start), data.get(end..)) {
        (Some(before), Some(behind)) => [before, behind],
        _ => [data, &[]],
    }
}

/// The pcs to which aligned words of the read-only data point: tables of functions are made of
/// such words. A word that only looks like a pointer costs one more function start.
fn pointers_into_text(data: &[u8], text_address: u64, text_length: usize) -> Vec<usize> {
    let offset = |word: &[u8; 8]| u64::from_le_bytes(*word).wrapping_sub(text_address);
    // Few words are pointers. One comparison tells nearly all others, of many words at a time.
    let not_in_text = !((text_length as u64).next_power_of_two() - 1) | 7;
    let mut pcs = Vec::new();
    for words in data.as_chunks::<8>().0.chunks(16) {
        let mut may_point = false;
        for word in words {
            may_point |= offset(word) & not_in_text == 0;
        }
        if may_point {
            let offsets = words.iter().map(offset);
            let pointers = offsets.filter(|offset| *offset < text_length as u64 && offset % 8 == 0);
            pcs.extend(pointers.map(|offset| offset as usize / 8));
        }
    }
    pcs
}
