//! Bytes as instructions: what the verifier takes runs everywhere, the rest must be refused.

use {
    super::differential::{compare, refused},
    crate::{
        Divergence, Observation, Target,
        common::{
            Case, Handler, RegionSpec, engine, pattern, program::Program, surroundings::random_case,
        },
    },
    solana_sbpf::{ebpf::*, program::SBPFVersion, verifier::RequisiteVerifier},
};

pub(super) const TARGET: Target = Target {
    name: "raw",
    about: "bytes as instructions",
    unit: INSN_SIZE,
    seeds,
    longest: 1024,
    share: 30,
    run,
};

/// Bytes before the instructions.
const HEADER: usize = 8;

/// Functions that a program may have.
const FUNCTIONS: usize = 32;

fn seeds() -> Vec<Vec<u8>> {
    let versions = SBPFVersion::ALL.iter().zip(0u8..);
    let programs = versions.flat_map(|(version, number)| {
        (0..100u64).filter_map(move |seed| {
            let case = random_case(*version, 77_000 + seed);
            let Program::Raw { text, .. } = &case.program else {
                return None;
            };
            let header = [number, seed as u8, 2, 3, seed as u8 % 7, seed as u8, 0, 0];
            (text.len() + HEADER <= TARGET.longest).then(|| [&header[..], text].concat())
        })
    });
    programs.collect()
}

fn run(input: &[u8]) -> Result<Observation, Divergence> {
    let Some((header, text)) = input.split_first_chunk::<HEADER>() else {
        return Ok(Observation::default());
    };
    let case = case(*header, text);
    // What is refused must not make the compiler panic either.
    let executable = match case.program.load(&case.config, &[]) {
        Ok(executable) => executable,
        Err(message) => return Ok(refused(&message)),
    };
    if let Err(error) = executable.verify::<RequisiteVerifier>() {
        return match engine::compile(&executable) {
            Err(message) if message.contains("panicked") => Err(Divergence(message)),
            _ => Ok(refused(&error.to_string())),
        };
    }
    compare(case, u64::from(u16::from_le_bytes([header[5], header[6]])))
}

fn case(header: [u8; HEADER], text: &[u8]) -> Case {
    let version = SBPFVersion::ALL[usize::from(header[0]) % SBPFVersion::ALL.len()];
    let flag = |bit: u8| header[1] & (1 << bit) != 0;
    let functions = functions(version, text)
        .into_iter()
        .map(|pc| (pc as u32, format!("function_{pc}"), pc))
        .collect();
    let mut case = Case::raw(version, text.to_vec(), functions).configure(|config| {
        config.stack_frame_size = [64, 256, 512, 4096][usize::from(header[2]) % 4];
        config.max_call_depth = 1 + usize::from(header[3] % 16);
        config.enable_stack_frame_gaps = flag(0);
        config.aligned_memory_mapping = flag(1);
    });
    case.input = pattern(header[7], 64 + usize::from(header[7]));
    case = case.memory(|layout| {
        let mut layout = layout.replacing(RegionSpec::writable(MM_HEAP_START, pattern(2, 512)));
        for region in &mut layout.regions {
            region.reserve = if flag(2) { 300 } else { 0 };
            region.payload = flag(3).then_some(u16::from(header[4] & 1));
        }
        let handlers = [
            Handler::None,
            Handler::Grow,
            Handler::Unlock,
            Handler::Redirect,
            Handler::Empty,
        ];
        layout
            .with_spare(pattern(7, 1024))
            .with_spare(pattern(8, 96))
            .with_handler(handlers[usize::from(header[4]) % handlers.len()])
    });
    for register in [0, 2, 3, 4, 5, 6, 7, 8, 9] {
        let value = [0, u64::MAX, MM_HEAP_START + 8, MM_INPUT_START + 3];
        let choice = usize::from(header[4] >> (register % 4)) % value.len();
        case = case.register(register, value[choice]);
    }
    case
}

/// Where functions start: at the beginning and where calls lead.
fn functions(version: SBPFVersion, text: &[u8]) -> Vec<usize> {
    let slots = text.len() / INSN_SIZE;
    let mut functions = vec![0];
    for (pc, slot) in text.as_chunks::<INSN_SIZE>().0.iter().enumerate() {
        let immediate = i32::from_le_bytes([slot[4], slot[5], slot[6], slot[7]]);
        if slot[0] != CALL_IMM {
            continue;
        }
        let target = if version.static_syscalls() {
            pc as i64 + 1 + i64::from(immediate)
        } else {
            i64::from(immediate)
        };
        if let Ok(target) = usize::try_from(target)
            && target < slots
            && functions.len() < FUNCTIONS
        {
            functions.push(target);
        }
    }
    functions.sort_unstable();
    functions.dedup();
    functions
}
