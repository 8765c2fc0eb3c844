//! What a program's code depends on, as one hash.
//!
//! Structures are taken apart field by field, so that whoever adds one has to decide here.

use {
    crate::{CompileOptions, isa::Machine},
    sbpf_lowering::{
        decode::Program,
        dialect::{CallxRegister, Dialect, FrameLayout},
    },
    std::fmt,
};

/// Tells apart all code that differs: a BLAKE3 hash of everything that shaped it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CodeKey([u8; 32]);

impl CodeKey {
    /// The key of the code that `program` is compiled to.
    pub(crate) fn of(program: &Program<'_>, options: &CompileOptions, machine: &Machine) -> Self {
        let mut key = Builder(Vec::new());
        key.text(env!("CARGO_PKG_VERSION"));
        key.text(sbpf_lowering::VERSION);
        key.text(sbpf_runtime::VERSION);
        key.text(env!("SOURCE_FINGERPRINT"));
        key.text(cranelift_codegen::VERSION);
        key.bytes(machine.description());
        key.options(options);
        key.program(program);
        Self(*blake3::hash(&key.0).as_bytes())
    }

    /// The hash.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for CodeKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = blake3::Hash::from_bytes(self.0);
        formatter.write_str(&hash.to_hex())
    }
}

impl fmt::Debug for CodeKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// From so many bytes on, a hash of their own takes less time than copying them.
const LONG: usize = 4096;

/// The options that shape code otherwise than through the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choices {
    seed: Option<u64>,
    guard_speculation: bool,
}

impl Choices {
    pub(super) fn of(options: &CompileOptions) -> Self {
        let CompileOptions {
            verify_ir: _,
            // It shapes code through the machine.
            target: _,
            threads: _,
            cache: _,
            observer: _,
            seed,
            // It shapes code through the machine.
            protect_branches: _,
            guard_speculation,
            // Code with names is not in any cache.
            native_names: _,
            // Code calls syscalls in any case; the runtime looks what they do.
            memory_syscalls: _,
        } = options;
        Self {
            seed: *seed,
            guard_speculation: *guard_speculation,
        }
    }
}

/// What is hashed, with the length of whatever has no fixed one. It is collected first, since many chunks are
/// hashed at once only where they follow each other in memory.
struct Builder(Vec<u8>);

impl Builder {
    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        if bytes.len() < LONG {
            self.0.extend_from_slice(bytes);
        } else {
            self.0.extend_from_slice(blake3::hash(bytes).as_bytes());
        }
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Many numbers, hashed in one go.
    fn numbers(&mut self, numbers: impl ExactSizeIterator<Item = u64>) {
        let bytes: Vec<u8> = numbers.flat_map(u64::to_le_bytes).collect();
        self.bytes(&bytes);
    }

    fn options(&mut self, options: &CompileOptions) {
        let Choices {
            seed,
            guard_speculation,
        } = Choices::of(options);
        self.number(u64::from(seed.is_some()));
        self.number(seed.unwrap_or(0));
        self.number(u64::from(guard_speculation));
    }

    fn program(&mut self, program: &Program<'_>) {
        let Program {
            text,
            text_address,
            entry,
            function_starts,
            functions,
            syscalls,
            dialect,
        } = program;
        self.bytes(text);
        self.number(*text_address);
        self.number(*entry as u64);
        self.numbers(function_starts.iter().map(|start| *start as u64));
        let mut functions: Vec<_> = functions
            .iter()
            .map(|(immediate, pc)| (*immediate, *pc as u64))
            .collect();
        functions.sort_unstable();
        self.numbers(functions.iter().map(|(immediate, _)| u64::from(*immediate)));
        self.numbers(functions.iter().map(|(_, pc)| *pc));
        let mut syscalls: Vec<_> = syscalls
            .iter()
            .map(|(immediate, number)| u64::from(*immediate) << 32 | u64::from(*number))
            .collect();
        syscalls.sort_unstable();
        self.numbers(syscalls.into_iter());
        self.dialect(dialect);
    }

    fn dialect(&mut self, dialect: &Dialect) {
        let Dialect {
            standard,
            explicit_sign_extension,
            swapped_subtraction,
            product_quotient_remainder,
            negation,
            load_double_word,
            little_endian,
            moved_memory_classes,
            jump32,
            callx_register,
            static_syscalls,
            frames,
            meter,
            translation,
            regions_adjoin,
            direct_functions,
            hides_constants,
            padding_rate,
        } = dialect;
        for flag in [
            explicit_sign_extension,
            swapped_subtraction,
            product_quotient_remainder,
            negation,
            load_double_word,
            little_endian,
            moved_memory_classes,
            jump32,
            static_syscalls,
            meter,
            translation,
            regions_adjoin,
            direct_functions,
            hides_constants,
        ] {
            self.number(u64::from(*flag));
        }
        self.number(u64::from(*padding_rate));
        self.number(standard.map_or(0, |groups| u64::from(groups.bits())));
        self.number(match callx_register {
            CallxRegister::Immediate => 0,
            CallxRegister::Source => 1,
            CallxRegister::Destination => 2,
        });
        match frames {
            FrameLayout::Fixed { size, stride } => {
                self.number(0);
                self.number(u64::from(*size));
                self.number(u64::from(*stride));
            }
            FrameLayout::Manual => self.number(1),
        }
    }
}
