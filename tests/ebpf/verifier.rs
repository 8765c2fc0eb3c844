//! What is refused before it runs, and why.

use {
    crate::assembly::*,
    sbpf_cranelift::LoweringError,
    sbpf_cranelift::ebpf::{ConformanceGroups, LoadError, Options, Program, VerifyError},
};

fn refusal(text: &[[u8; 8]], options: &Options) -> Option<VerifyError> {
    match Program::from_bytes(text.as_flattened(), options) {
        Err(LoadError::Verify(error)) => Some(error),
        Err(error) => panic!("{error}"),
        Ok(_) => None,
    }
}

fn refused(text: &[[u8; 8]]) -> VerifyError {
    refusal(text, &Options::default()).expect("it is refused")
}

#[test]
fn what_is_no_program() {
    assert_eq!(refused(&[]), VerifyError::Empty);
    let odd = Program::from_bytes(&[0x95, 0, 0], &Options::default());
    assert!(matches!(
        odd,
        Err(LoadError::Verify(VerifyError::Structure(
            LoweringError::TextLength(3)
        )))
    ));
    assert_eq!(refused(&[set(0, 1)]), VerifyError::FallsOffTheEnd(0));
    assert_eq!(refused(&[EXIT, local(-2)]), VerifyError::FallsOffTheEnd(1));
    let jump_back = [set(0, 1), insn(0x05, 0, 0, -2, 0)];
    assert_eq!(refusal(&jump_back, &Options::default()), None);
}

#[test]
fn registers() {
    for text in [
        [set(11, 1), EXIT],
        [set(10, 1), EXIT],
        [copy(0, 11), EXIT],
        [insn(0x79, 0, 12, 0, 0), EXIT],
        [insn(0x7b, 12, 0, 0, 0), EXIT],
        [insn(0x79, 10, 1, 0, 0), EXIT],
        // Fetches into r10.
        [insn(0xdb, 1, 10, 0, 1), EXIT],
        [insn(0x1d, 1, 13, 0, 0), EXIT],
    ] {
        let error = refused(&text);
        let is_register = matches!(
            error,
            VerifyError::Structure(LoweringError::Register { pc: 0, .. })
        );
        assert!(is_register, "{error}");
    }
    // Only reads r10.
    assert_eq!(
        refusal(&[insn(0xdb, 1, 10, 0, 0), EXIT], &Options::default()),
        None
    );
}

#[test]
fn jumps_and_calls() {
    for (offset, target) in [(1, 2), (-2, -1), (100, 101)] {
        for text in [
            [insn(0x05, 0, 0, offset, 0), EXIT],
            [insn(0x06, 0, 0, 0, offset.into()), EXIT],
            [insn(0x15, 0, 0, offset, 0), EXIT],
            [insn(0x2e, 0, 1, offset, 0), EXIT],
            [local(offset.into()), EXIT],
        ] {
            let expected = LoweringError::JumpOutsideText { pc: 0, target };
            assert_eq!(refused(&text), VerifyError::Structure(expected));
        }
    }
    let [low, high] = constant(1, 0, 5);
    for leap in [insn(0x05, 0, 0, 1, 0), insn(0x15, 0, 0, 1, 0), local(1)] {
        let error = refused(&[leap, low, high, EXIT]);
        assert_eq!(error, VerifyError::IntoConstant { pc: 0, target: 2 });
    }
    let last = refused(&[EXIT, low]);
    assert_eq!(
        last,
        VerifyError::Structure(LoweringError::IncompleteLoad(1))
    );
}

#[test]
fn undefined_instructions() {
    for opcode in 0..=0xffu8 {
        let error = refusal(&[insn(opcode, 0, 0, 0, 0), EXIT], &Options::default());
        let class = opcode & 7;
        let code = opcode & 0xf0;
        let is_defined = match class {
            0 => false,
            1 => matches!(opcode & 0xe0, 0x60 | 0x80) && opcode != 0x99,
            2 => opcode & 0xe0 == 0x60,
            3 => opcode & 0xe0 == 0x60 || matches!(opcode, 0xc3 | 0xdb),
            4 | 7 => code <= 0xc0 && !matches!(opcode, 0x8c | 0x8f),
            5 => code <= 0xd0 && !matches!(opcode, 0x0d | 0x8d | 0x9d),
            _ => code <= 0xd0 && !matches!(code, 0x80 | 0x90) && opcode != 0x0e,
        };
        assert_eq!(error.is_none(), is_defined, "{opcode:#04x}: {error:?}");
        if matches!(opcode, 0x20 | 0x28 | 0x30 | 0x40 | 0x48 | 0x50) {
            assert_eq!(error, Some(VerifyError::Packet(0)));
        }
    }
    assert_eq!(
        refused(&[insn(0x85, 0, 2, 0, 1), EXIT]),
        VerifyError::BtfCall(0)
    );
}

#[test]
fn fields() {
    for text in [
        insn(0x07, 0, 1, 0, 0),
        insn(0x07, 0, 0, 1, 0),
        insn(0x0f, 0, 0, 0, 1),
        insn(0x37, 0, 0, 2, 1),
        insn(0x3f, 0, 1, 1, 1),
        insn(0xb7, 0, 0, 8, 0),
        insn(0xbf, 0, 1, 9, 0),
        insn(0xbf, 0, 1, 8, 1),
        insn(0xbc, 0, 1, 32, 0),
        insn(0xd4, 0, 0, 0, 8),
        insn(0xd7, 0, 0, 0, 0),
        insn(0xdf, 0, 0, 0, 16),
        insn(0x61, 0, 1, 0, 1),
        insn(0x62, 1, 1, 0, 1),
        insn(0x63, 1, 1, 0, 1),
        insn(0xc3, 1, 1, 0, 0x10),
        insn(0xc3, 1, 1, 0, 0xe0),
        insn(0xc3, 1, 1, 0, 0xf0),
        insn(0xc3, 1, 1, 0, 0x100),
        insn(0x85, 1, 0, 0, 1),
        insn(0x85, 0, 3, 0, 1),
        insn(0x95, 1, 0, 0, 0),
        insn(0x05, 0, 0, 0, 1),
        insn(0x06, 0, 0, 1, 0),
    ] {
        let opcode = text[0];
        assert_eq!(refused(&[text, EXIT]), VerifyError::Field { pc: 0, opcode });
    }
    let [low, high] = constant(1, 0, 5);
    for (at, half) in [(1, 0), (2, 0), (0, 1), (1, 1), (3, 1)] {
        let mut halves = [low, high];
        halves[half][at] |= 0x70;
        let error = refused(&[halves[0], halves[1], EXIT]);
        assert_eq!(
            error,
            VerifyError::Field {
                pc: 0,
                opcode: 0x18
            }
        );
    }
}

#[test]
fn conformance_groups() {
    let groups = |groups| Options {
        groups,
        ..Options::default()
    };
    use ConformanceGroups as Groups;
    let [low, high] = constant(1, 0, 5);
    let all: [(&[[u8; 8]], Groups); 12] = [
        (&[insn(0x04, 0, 0, 0, 1)], Groups::BASE32),
        (&[insn(0x16, 0, 0, 0, 1)], Groups::BASE32),
        (&[insn(0xd4, 0, 0, 0, 32)], Groups::BASE32),
        (&[insn(0xd4, 0, 0, 0, 64)], Groups::BASE64),
        (&[insn(0x07, 0, 0, 0, 1)], Groups::BASE64),
        (&[insn(0x15, 0, 0, 0, 1)], Groups::BASE64),
        (&[insn(0x7b, 10, 0, -8, 0)], Groups::BASE64),
        (&[low, high], Groups::BASE64),
        (&[insn(0x34, 0, 0, 1, 1)], Groups::DIVMUL32),
        (&[insn(0x27, 0, 0, 0, 1)], Groups::DIVMUL64),
        (&[insn(0xc3, 10, 0, -8, 1)], Groups::ATOMIC32),
        (&[insn(0xdb, 10, 0, -8, 1)], Groups::ATOMIC64),
    ];
    for (text, group) in all {
        let text = [text, &[EXIT]].concat();
        let selected = [
            Groups::BASE32,
            Groups::BASE64,
            Groups::DIVMUL32,
            Groups::DIVMUL64,
            Groups::ATOMIC32,
            Groups::ATOMIC64,
        ];
        for selected in selected.map(|group| group.union(Groups::BASE32)) {
            let error = refusal(&text, &groups(selected));
            match selected.contains(group) {
                true => assert_eq!(error, None),
                false => assert_eq!(error, Some(VerifyError::Group(0))),
            }
        }
    }
}

#[test]
fn constants_that_stand_for_something() {
    let [low, high] = constant(1, 3, 9);
    let error = refused(&[low, high, EXIT]);
    assert_eq!(error, VerifyError::Variable { pc: 0, variable: 9 });
    let [low, high] = constant(1, 1, u64::from(u32::MAX));
    let error = refused(&[low, high, EXIT]);
    assert_eq!(
        error,
        VerifyError::Map {
            pc: 0,
            map: u32::MAX
        }
    );
    // A handle has no offset, and there is no seventh kind.
    for (kind, value) in [(1, 1 << 32), (7, 0)] {
        let [low, high] = constant(1, kind, value);
        let error = refused(&[low, high, EXIT]);
        assert_eq!(
            error,
            VerifyError::Field {
                pc: 0,
                opcode: 0x18
            }
        );
    }
}

#[test]
fn call_depths() {
    for call_depth in [0, Options::GREATEST_CALL_DEPTH + 1] {
        let options = Options {
            call_depth,
            ..Options::default()
        };
        let error = Program::from_bytes(&EXIT, &options).expect_err("it is refused");
        assert!(matches!(error, LoadError::CallDepth(_)));
    }
}
