//! Bytes as instructions: what the verifier takes runs everywhere, the rest must be refused.

use {
    super::{
        differential::{compare, refused},
        head::{Head, instructions},
    },
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
    dictionary: || instructions(&seeds()),
    longest: 1024,
    share: 30,
    run,
};

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
            let seed = seed as u8;
            let head = [number, seed, 0, seed, 2, 3, seed % 7, 0];
            (text.len() + head.len() <= TARGET.longest).then(|| [&head[..], text].concat())
        })
    });
    programs.collect()
}

fn run(input: &[u8]) -> Result<Observation, Divergence> {
    let Some((head, text)) = Head::split(input) else {
        return Ok(Observation::default());
    };
    let case = case(&head, text);
    // What is refused must not make the compiler panic either.
    let executable = match case.program.load(&case.config, &[]) {
        Ok(executable) => executable,
        Err(message) => return Ok(refused(&message)),
    };
    if let Err(error) = executable.verify::<RequisiteVerifier>() {
        return match engine::compile(&executable, head.compilation) {
            Err(message) if message.contains("panicked") => Err(Divergence(message)),
            _ => Ok(refused(&error.to_string())),
        };
    }
    compare(case, &head)
}

fn case(head: &Head, text: &[u8]) -> Case {
    let version = head.version;
    let [flags, frame_size, depth, kinds, input] = head.more;
    let flag = |bit: u8| flags & (1 << bit) != 0;
    let functions = functions(version, text)
        .into_iter()
        .map(|pc| (pc as u32, format!("function_{pc}"), pc))
        .collect();
    let mut case = Case::raw(version, text.to_vec(), functions).configure(|config| {
        config.stack_frame_size = [64, 256, 512, 4096][usize::from(frame_size) % 4];
        config.max_call_depth = 1 + usize::from(depth % 16);
        config.enable_stack_frame_gaps = flag(0);
        config.aligned_memory_mapping = flag(1);
    });
    case.input = pattern(input, 64 + usize::from(input));
    case = case.memory(|layout| {
        let mut layout = layout.replacing(RegionSpec::writable(MM_HEAP_START, pattern(2, 512)));
        for region in &mut layout.regions {
            region.reserve = if flag(2) { 300 } else { 0 };
            region.payload = flag(3).then_some(u16::from(kinds & 1));
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
            .with_handler(handlers[usize::from(kinds) % handlers.len()])
    });
    for register in [0, 2, 3, 4, 5, 6, 7, 8, 9] {
        let value = [0, u64::MAX, MM_HEAP_START + 8, MM_INPUT_START + 3];
        let choice = usize::from(kinds >> (register % 4)) % value.len();
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
