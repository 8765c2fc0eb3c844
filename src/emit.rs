//! The machine code of all functions, linked into one piece.
//!
//! Calls between functions are relative, so the code runs wherever it is mapped.

use {
    crate::{
        CompileError, CompileOptions,
        diversity::Diversity,
        functions,
        native_names::Symbols,
        placement::{self, Loop},
    },
    cranelift_codegen::{Context, FinalizedRelocTarget, binemit::Reloc, isa::TargetIsa},
    sbpf_lowering::function::{Analysis, FunctionName, Sites},
    std::collections::HashMap,
    target_lexicon::Architecture,
};

/// Bytes of code within which every call reaches every function.
fn reach(architecture: Architecture) -> usize {
    match architecture {
        // `bl` has 26 bits for a distance in instructions, of which one is the sign.
        Architecture::Aarch64(_) => 128 << 20,
        // `call` has 32 bits for a distance in bytes.
        _ => i32::MAX as usize,
    }
}

/// Functions start at multiples of this, unless where they start is random.
const ALIGNMENT: usize = 16;

/// Machine code of a whole program, not yet executable.
#[derive(Debug, Default)]
pub(crate) struct Emitted {
    /// The code; the way in is at its start.
    pub(crate) code: Vec<u8>,
    /// Where each function starts.
    pub(crate) offsets: HashMap<FunctionName, u32>,
    /// Places that call back.
    pub(crate) sites: Sites,
    /// Bytes of native stack that the largest frame takes, its arguments included.
    pub(crate) largest_frame: usize,
    /// CLIF instructions.
    pub(crate) clif_instructions: usize,
    /// CLIF blocks.
    pub(crate) clif_blocks: usize,
    /// What native tools are to be told, if anything.
    pub(crate) symbols: Option<Symbols>,
}

/// `int3`
const BREAKPOINT: u8 = 0xcc;

/// A function that has no place yet.
pub(crate) struct Piece {
    name: FunctionName,
    code: Vec<u8>,
    /// Relative to its start.
    fixups: Vec<Fixup>,
    loops: Vec<Loop>,
}

impl Piece {
    /// Bytes of code.
    pub(crate) fn len(&self) -> usize {
        self.code.len()
    }
}

/// A call whose target is not yet known.
#[derive(Clone, Copy)]
pub(crate) struct Fixup {
    at: usize,
    kind: Reloc,
    addend: i64,
    target: FunctionName,
}

/// Compiles and links all functions of a program, with the threads and the observer of `options`.
///
/// # Errors
/// What Cranelift refuses, code that is too large for its own calls, and cancellation.
pub(crate) fn emit(
    analysis: &Analysis<'_>,
    isa: &dyn TargetIsa,
    options: &CompileOptions,
    diversity: &mut Diversity,
) -> Result<Emitted, CompileError> {
    let limit = reach(isa.triple().architecture);
    emit_within(analysis, isa, options, diversity, limit)
}

/// [`emit`], if the code has at most `limit` bytes.
fn emit_within(
    analysis: &Analysis<'_>,
    isa: &dyn TargetIsa,
    options: &CompileOptions,
    diversity: &mut Diversity,
    limit: usize,
) -> Result<Emitted, CompileError> {
    let mut emitted = Emitted {
        symbols: Symbols::new(&options.native_names, isa),
        ..Emitted::default()
    };
    let mut fixups = Vec::new();
    let mut pieces = Vec::new();
    let mut length = 0;
    let total = analysis.functions().len();
    let mut done = 0;
    options.tell(done, total)?;
    let sites = functions::compile_all(analysis, isa, options.threads, |function| {
        done += 1;
        options.tell(done, total)?;
        emitted.clif_instructions += function.clif_instructions;
        emitted.clif_blocks += function.clif_blocks;
        let Some(piece) = piece(&mut emitted, function.name, &function.context, isa)? else {
            return Ok(());
        };
        length += piece.code.len();
        if length > limit {
            return Err(CompileError::CodeTooLarge { limit });
        }
        // Names are made from the function, which is gone later: then the order is not random.
        if emitted.symbols.is_none() {
            pieces.push(piece);
            return Ok(());
        }
        let index = emitted.offsets.len();
        let padding = diversity.padding(index, piece.code.len(), isa.triple().architecture);
        place(&mut emitted, &mut fixups, &piece, padding, isa)?;
        if let (Some(symbols), Some(start)) =
            (&mut emitted.symbols, emitted.offsets.get(&function.name))
        {
            symbols.add(analysis, isa, function, *start);
        }
        Ok(())
    })?;
    emitted.sites = sites;
    diversity.shuffle(&mut pieces);
    for (index, piece) in pieces.iter().enumerate() {
        let padding = diversity.padding(index, piece.code.len(), isa.triple().architecture);
        place(&mut emitted, &mut fixups, piece, padding, isa)?;
        if emitted.code.len() > limit {
            return Err(CompileError::CodeTooLarge { limit });
        }
    }
    for fixup in &fixups {
        apply(&mut emitted, fixup)?;
    }
    Ok(emitted)
}

/// Takes over the machine code of a function.
pub(crate) fn piece(
    emitted: &mut Emitted,
    name: FunctionName,
    context: &Context,
    isa: &dyn TargetIsa,
) -> Result<Option<Piece>, CompileError> {
    let Some(compiled) = context.compiled_code() else {
        return Ok(None);
    };
    let frame = compiled
        .buffer
        .frame_layout()
        .map_or(0, |layout| layout.frame_to_fp_offset);
    let arguments = 8 * context.func.signature.params.len();
    // Return address and saved frame pointer.
    let linkage = 16;
    emitted.largest_frame = emitted
        .largest_frame
        .max(frame as usize + arguments + linkage);
    let mut fixups = Vec::new();
    for relocation in compiled.buffer.relocs() {
        let target = match &relocation.target {
            FinalizedRelocTarget::ExternalName(name) => {
                FunctionName::of_callee(&context.func, name)
            }
            FinalizedRelocTarget::Func(_) => None,
        };
        let Some(target) = target else {
            return Err(unexpected(relocation.kind));
        };
        fixups.push(Fixup {
            at: relocation.offset as usize,
            kind: relocation.kind,
            addend: relocation.addend,
            target,
        });
    }
    Ok(Some(Piece {
        name,
        code: compiled.code_buffer().to_vec(),
        fixups,
        loops: placement::small_loops(compiled.code_buffer(), isa.triple().architecture),
    }))
}

/// Puts a function behind the others, after so many bytes of padding or some more.
pub(crate) fn place(
    emitted: &mut Emitted,
    fixups: &mut Vec<Fixup>,
    piece: &Piece,
    padding: usize,
    isa: &dyn TargetIsa,
) -> Result<(), CompileError> {
    let code = &mut emitted.code;
    let start = if padding == 0 {
        code.len().next_multiple_of(ALIGNMENT)
    } else {
        code.len() + padding
    };
    let alignment = isa.function_alignment().minimum as usize;
    let start = match piece.name {
        // The way in is at the start of the code.
        FunctionName::Entry => start,
        _ => placement::best_start(start, alignment, &piece.loops),
    };
    // Nothing goes on from one function into the next.
    let filling = match isa.triple().architecture {
        Architecture::X86_64 => BREAKPOINT,
        // All zeros are an undefined instruction.
        _ => 0,
    };
    code.resize(start, filling);
    code.extend_from_slice(&piece.code);
    let offset = u32::try_from(start).map_err(|_| CompileError::CodeTooLarge {
        limit: u32::MAX as usize,
    })?;
    emitted.offsets.insert(piece.name, offset);
    fixups.extend(piece.fixups.iter().map(|fixup| Fixup {
        at: start + fixup.at,
        ..*fixup
    }));
    Ok(())
}

/// Puts the distance to its target into a call.
pub(crate) fn apply(emitted: &mut Emitted, fixup: &Fixup) -> Result<(), CompileError> {
    let target = emitted
        .offsets
        .get(&fixup.target)
        .ok_or_else(|| unexpected(fixup.kind))?;
    let distance = i64::from(*target) + fixup.addend - fixup.at as i64;
    let Some(field) = emitted
        .code
        .get_mut(fixup.at..)
        .and_then(|code| code.first_chunk_mut::<4>())
    else {
        return Err(unexpected(fixup.kind));
    };
    match fixup.kind {
        Reloc::X86CallPCRel4 | Reloc::X86PCRel4 => {
            *field = (distance as i32).to_le_bytes();
        }
        Reloc::Arm64Call => {
            // The low 26 bits hold the distance in instructions.
            const MASK: u32 = (1 << 26) - 1;
            let opcode = u32::from_le_bytes(*field) & !MASK;
            *field = (opcode | (distance >> 2) as u32 & MASK).to_le_bytes();
        }
        kind => return Err(unexpected(kind)),
    }
    Ok(())
}

fn unexpected(kind: Reloc) -> CompileError {
    CompileError::CodeGeneration {
        pc: 0,
        reason: format!("unexpected relocation {kind:?}"),
    }
}

#[cfg(test)]
mod tests {
    use {
        super::*,
        crate::{CompileOptions, config, isa},
        sbpf_lowering::decode::Program,
        solana_sbpf::{program::SBPFVersion, vm::Config},
        std::collections::HashMap,
    };

    /// `mov64 r0, 1`, `exit`.
    const TEXT: [u8; 16] = [0xb7, 0, 0, 0, 1, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];

    fn emit_for(target: &str, limit: Option<usize>) -> Result<usize, CompileError> {
        let program = Program {
            text: &TEXT,
            text_address: 1 << 32,
            entry: 0,
            function_starts: Vec::new(),
            functions: HashMap::new(),
            syscalls: HashMap::new(),
            dialect: config::dialect(SBPFVersion::V3, &Config::default())?,
        };
        let options = CompileOptions {
            target: Some(target.parse().expect("it is a triple")),
            seed: Some(1),
            ..CompileOptions::default()
        };
        let isa = isa::of(&options)?;
        let analysis = sbpf_lowering::analyse(&program)?;
        let limit = limit.unwrap_or_else(|| reach(isa.triple().architecture));
        let mut diversity = Diversity::new(&options, 256)?;
        let emitted = emit_within(&analysis, &*isa, &options, &mut diversity, limit)?;
        Ok(emitted.code.len())
    }

    #[test]
    fn code_beyond_the_reach_of_calls_is_refused() {
        for target in ["x86_64-unknown-linux-gnu", "aarch64-apple-darwin"] {
            let length = emit_for(target, None).expect("it is short");
            assert_eq!(emit_for(target, Some(length)).expect("it fits"), length);
            let error = emit_for(target, Some(length - 1)).expect_err("it does not fit");
            assert_eq!(
                error.to_string(),
                format!("the machine code needs more than {} bytes", length - 1)
            );
        }
    }

    #[test]
    fn the_way_in_is_at_the_start_and_others_where_they_were_put() {
        let isa = isa::of(&CompileOptions::default()).expect("it is known");
        // A loop that would have to be moved.
        let piece = |name| Piece {
            name,
            code: vec![0; 128],
            fixups: Vec::new(),
            loops: vec![Loop {
                start: 40,
                length: 40,
            }],
        };
        let mut emitted = Emitted::default();
        let mut fixups = Vec::new();
        for name in [FunctionName::Entry, FunctionName::Access] {
            place(&mut emitted, &mut fixups, &piece(name), 0, &*isa).expect("there is room");
        }
        assert_eq!(emitted.offsets[&FunctionName::Entry], 0);
        let second = emitted.offsets[&FunctionName::Access];
        assert!(second >= 128 && (second + 40) % 64 + 40 <= 64, "{second}");
        // The first of those that are compiled when they are called.
        let mut emitted = Emitted::default();
        let access = piece(FunctionName::Access);
        place(&mut emitted, &mut fixups, &access, 100, &*isa).expect("there is room");
        assert!(emitted.offsets[&FunctionName::Access] >= 100);
    }

    #[test]
    fn calls_reach_as_far_as_their_fields() {
        let architecture = |target: &str| {
            let target: target_lexicon::Triple = target.parse().expect("it is a triple");
            target.architecture
        };
        assert_eq!(reach(architecture("aarch64-unknown-linux-gnu")), 1 << 27);
        assert_eq!(reach(architecture("x86_64-pc-windows-gnu")), (1 << 31) - 1);
    }
}
