//! Where every field is that generated code reads or writes, the same on every machine.
//!
//! Code can be generated on one machine for another, so the machines have to agree. Fields follow
//! each other without padding, so there are no bytes between them that nobody has written.

use {
    crate::{
        abi::{
            AccessCallback, Anchor, CompileCallback, Context, Found, Function, Slot,
            SyscallCallback, Translation, UnwindCallback,
        },
        run::EntryPoint,
        site::AccessSite,
    },
    std::mem::offset_of,
};

/// The size of the field that `_field` borrows.
const fn size_of_field<T, F>(_field: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

/// Asserts the offset of each field of a structure, in order, and the size of the whole.
macro_rules! assert_layout {
    ($name:ident { $($field:ident: $offset:literal),* } $size:literal) => {
        const _: () = {
            let mut end = 0;
            $(
                assert!(offset_of!($name, $field) == $offset);
                assert!(end == $offset);
                end += size_of_field(|value: &$name| &value.$field);
            )*
            assert!(end <= $size && $size < end + align_of::<$name>());
            assert!(size_of::<$name>() == $size);
        };

        /// Compiled only if no field is missing above.
        const _: fn($name) = |$name { $($field: _),* }| ();
    };
}

assert_layout!(Translation { start: 0, host: 8, limits: 16 } 64);
assert_layout!(Slot { load: 0, store: 64 } 128);
assert_layout!(Found { slots: 0, starts: 8192, hints: 8704, reach: 10624, are_hints_new: 10632 } 10688);
assert_layout!(AccessSite {
    base: 0, leaves: 2, inherited: 3, low: 4, span: 8, own_offset: 10, own_span: 12, store: 14, pc: 16,
    spent: 20, count: 24, resume: 28
} 32);
assert_layout!(Context {
    saved: 0, left_frame: 40, frame_limit: 48, exit_pc: 56, registers: 64, key: 152, meter: 160,
    frame: 168, frame_bias: 176, resolved: 184, slots: 192, stack_start: 1216, stack_span: 1224,
    stack_host: 1232, exception: 1240, code: 1248, entries: 1256, access_sites: 1264, found: 1272,
    left_host: 1280, access: 1288, unwind: 1296, syscall: 1304, arguments: 1312, plain_functions: 1320,
    run: 1328, functions: 1336, compile: 1344
} 1408);

/// What generated code and Rust pass to each other: integers, and pointers of 64 bits.
const _: () = {
    assert!(size_of::<usize>() == 8 && size_of::<Anchor>() == 8);
    assert!(size_of::<EntryPoint>() == 8);
    assert!(size_of::<AccessCallback>() == 8 && size_of::<UnwindCallback>() == 8);
    assert!(size_of::<SyscallCallback>() == 8 && size_of::<CompileCallback>() == 8);
    assert!(size_of::<Option<Function>>() == 8);
};
