//! Both engines on the same program and memory, at every limit that matters.

use sbpf_cranelift::ebpf::{HelperError, Helpers, Memory, Options, Outcome, Program};

/// The number of a helper that mixes its arguments and writes to the context.
pub(crate) const MIX: u32 = 7;
/// The number of a helper that fails if its first argument is odd.
pub(crate) const FAIL_IF_ODD: u32 = 8;
/// The number of a helper that makes the program pay for its first argument's low byte.
pub(crate) const CHARGE: u32 = 9;

/// A program with what it runs on.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) program: Program,
    pub(crate) context: Vec<u8>,
    /// Values of map 0.
    pub(crate) map: Vec<u8>,
}

/// All that can be observed of a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Observed {
    pub(crate) outcome: Outcome,
    pub(crate) context: Vec<u8>,
    pub(crate) map: Vec<u8>,
    pub(crate) stack: Vec<u8>,
}

impl Case {
    /// A program of bytes with a context.
    pub(crate) fn new(text: &[[u8; 8]], context: Vec<u8>) -> Self {
        Self::with(text, context, &Options::default())
    }

    pub(crate) fn with(text: &[[u8; 8]], context: Vec<u8>, options: &Options) -> Self {
        let program = Program::from_bytes(text.as_flattened(), options).expect("it is valid");
        Self {
            program,
            context,
            map: vec![0; 64],
        }
    }

    /// Runs the program on `run`, which is one of the engines.
    pub(crate) fn observe(
        &self,
        run: impl FnOnce(&mut Memory<'_>, &mut Helpers<'_>) -> Outcome,
    ) -> Observed {
        let (mut context, mut map) = (self.context.clone(), self.map.clone());
        let mut memory = self.program.memory();
        memory.set_context(&mut context);
        memory.set_map(0, &mut map);
        let outcome = run(&mut memory, &mut helpers());
        Observed {
            outcome,
            stack: memory.stack(),
            context: memory.context(),
            map: memory.map(0).expect("it was set"),
        }
    }

    /// The outcome of a run, and all that can be observed of the next one on what it left.
    fn observe_twice(
        &self,
        limits: [u64; 2],
        run: impl FnOnce(&mut Memory<'_>, &mut Helpers<'_>, [u64; 2]) -> [Outcome; 2],
    ) -> (Outcome, Observed) {
        let mut first = None;
        let observed = self.observe(|memory, helpers| {
            let [before, after] = run(memory, helpers, limits);
            first = Some(before);
            after
        });
        (first.expect("it was run"), observed)
    }

    /// Runs both engines with `limit`, the exact number of instructions, and one more and less; at
    /// every limit if that are few. Returns what was observed with `limit`.
    pub(crate) fn agree(&self, limit: u64) -> Observed {
        let compiled = self.program.compile().expect("it can be compiled");
        let generous = limit;
        let at = |limit: u64| {
            let expected =
                self.observe(|memory, helpers| self.program.interpret(memory, helpers, limit));
            let found = self.observe(|memory, helpers| compiled.run(memory, helpers, limit));
            assert_eq!(found, expected, "limit {limit}");
            let limits = [limit, generous];
            let twice = self.observe_twice(limits, |memory, helpers, limits| {
                limits.map(|limit| self.program.interpret(memory, helpers, limit))
            });
            let found = self.observe_twice(limits, |memory, helpers, limits| {
                let mut session = compiled.session(memory, helpers);
                limits.map(|limit| session.run(limit))
            });
            assert_eq!(found, twice, "limits {limits:?} in a session");
            expected
        };
        let observed = at(limit);
        let count = observed.outcome.instructions;
        let few = 0..=count.min(40);
        for limit in few.chain([count.saturating_sub(1), count, count + 1]) {
            at(limit);
        }
        observed
    }

    /// The result of a program that has to succeed, on both engines.
    pub(crate) fn result(&self) -> u64 {
        let observed = self.agree(1 << 20);
        observed.outcome.result.expect("it succeeds")
    }
}

fn helpers<'h>() -> Helpers<'h> {
    let mut helpers = Helpers::new();
    let mut calls = 0;
    helpers.register(MIX, move |call| {
        calls += 1;
        let sum = call.arguments.iter().fold(calls, |sum: u64, argument| {
            sum.rotate_left(5).wrapping_add(*argument)
        });
        // Where there is no context it has nothing to do.
        let _ = call.memory.write(3 << 32, &[sum as u8]);
        Ok(sum)
    });
    helpers.register(FAIL_IF_ODD, |call| match call.arguments[0] % 2 {
        0 => Ok(call.arguments[1]),
        _ => Err(HelperError("odd".into())),
    });
    helpers.register(CHARGE, |call| {
        call.remaining = call.remaining.saturating_sub(call.arguments[0] & 0xff);
        Ok(0)
    });
    helpers
}
