//! Bytes as standard eBPF: what the verifier takes does the same compiled and interpreted.

use {
    super::head::{Head, instructions},
    crate::{
        Divergence, Observation, Target,
        agreement::{Case, Observed},
        ebpf_generator,
    },
    sbpf_cranelift::{
        Cache, CompileOptions,
        ebpf::{Options, Program},
    },
};

pub(super) const TARGET: Target = Target {
    name: "ebpf",
    about: "bytes as standard eBPF",
    unit: 8,
    seeds,
    dictionary: || instructions(&seeds()),
    longest: 1024,
    share: 25,
    run,
};

/// Instructions after which programs are cut off.
const LIMIT: u64 = 3000;

fn seeds() -> Vec<Vec<u8>> {
    (0..200u64)
        .map(|seed| {
            let text = ebpf_generator::program(9_000 + seed, seed % 4 == 0);
            let head = [0, 0, 0, 0, 0, 64, 0, seed as u8];
            [&head[..], text.as_flattened()].concat()
        })
        .collect()
}

fn run(input: &[u8]) -> Result<Observation, Divergence> {
    let Some((head, text)) = Head::split(input) else {
        return Ok(Observation::default());
    };
    let program = match Program::from_bytes(text, &options(&head)) {
        Ok(program) => program,
        Err(error) => return Ok(refused(&error)),
    };
    compare(program, &head)
}

/// Options that an input picks.
pub(super) fn options(head: &Head) -> Options {
    let mut compile = CompileOptions::default();
    compile.cache = Cache::none();
    compile.seed = head.compilation.seed;
    compile.guard_speculation = head.compilation.guard_speculation;
    Options {
        call_depth: 1 + u32::from(head.more[0] % 9),
        compile,
        ..Options::default()
    }
}

/// Input that the loader or the verifier has refused.
pub(super) fn refused(error: &dyn std::fmt::Display) -> Observation {
    let mut observation = Observation::default();
    let text = error.to_string();
    observation.see(
        text.chars()
            .filter(|c| !c.is_ascii_digit())
            .collect::<String>(),
    );
    observation
}

/// Runs both engines at the limit, at what was needed then, below, and in between.
pub(super) fn compare(program: Program, head: &Head) -> Result<Observation, Divergence> {
    let [_, _, context, map, _] = head.more;
    let compiled = program
        .compile()
        .map_err(|error| Divergence(format!("compilation failed: {error}")))?;
    let case = Case {
        context: (0..context).collect(),
        map: vec![map; 64],
        program,
    };
    let at = |limit: u64| -> Result<Observed, Divergence> {
        let expected =
            case.observe(|memory, helpers| case.program.interpret(memory, helpers, limit));
        let found = case.observe(|memory, helpers| compiled.run(memory, helpers, limit));
        if found == expected {
            return Ok(expected);
        }
        Err(Divergence(format!(
            "compiled code differs from the interpreter at limit {limit}\nexpected {expected:x?}\ngot {found:x?}"
        )))
    };
    let observed = at(LIMIT)?;
    let count = observed.outcome.instructions;
    for limit in [count, count.saturating_sub(1), head.salt % (count + 1)] {
        at(limit)?;
    }
    Ok(observe(&case.program, &observed))
}

/// Each opcode with the way in which the program ended, and lengths.
fn observe(program: &Program, observed: &Observed) -> Observation {
    let mut observation = Observation {
        ran: true,
        ..Observation::default()
    };
    let ending = match &observed.outcome.result {
        Ok(_) => "returned".to_string(),
        Err(fault) => fault
            .to_string()
            .chars()
            .filter(|c| !c.is_ascii_hexdigit())
            .collect(),
    };
    for slot in program.text().as_chunks::<8>().0 {
        // Atomic operations have their kind in the immediate, others theirs in the offset.
        let kind = if slot[0] & 7 == 3 { slot[4] } else { 0 };
        observation.see((slot[0], kind, &ending));
    }
    observation.see((observed.outcome.instructions.checked_ilog2(), &ending));
    observation
}
