//! Where in memory a function starts, so that its small loops wait little for their instructions.
//!
//! A loop of a few instructions can turn once in a cycle if they come from one cache line, and once in two
//! cycles otherwise. A larger one loses a cycle or two a turn if the branch back finds only few bytes before
//! the end of a line. Which bytes are loops is guessed from the machine code, since nothing but time depends on
//! it.

use target_lexicon::Architecture;

/// Bytes from which a processor takes instructions at once: a cache line.
const LINE: usize = 64;

/// Loops with more bytes than this are not looked at.
const LARGEST: usize = 2 * LINE;

/// So many bytes of a loop are enough in its first line.
const ENOUGH: usize = 24;

/// So many loops of a function are looked at.
const MOST: usize = 32;

/// The code of a loop, relative to the start of its function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loop {
    pub(crate) start: usize,
    pub(crate) length: usize,
}

/// The small loops in the code of a function.
pub(crate) fn small_loops(code: &[u8], architecture: Architecture) -> Vec<Loop> {
    type Backward = fn(&[u8]) -> Option<(usize, usize)>;
    let (step, backward): (usize, Backward) = match architecture {
        Architecture::X86_64 => (1, x86_64_backward),
        Architecture::Aarch64(_) => (4, aarch64_backward),
        _ => return Vec::new(),
    };
    let mut loops = Vec::new();
    for at in (0..code.len()).step_by(step) {
        if let Some((length, distance)) = backward(&code[at..])
            && let Some(start) = (at + length).checked_sub(distance)
            && distance <= LARGEST
        {
            loops.push(Loop {
                start,
                length: distance,
            });
            if loops.len() == MOST {
                break;
            }
        }
    }
    loops
}

/// If `code` starts with what may be a branch backward, its length and how far its target is from its end.
fn x86_64_backward(code: &[u8]) -> Option<(usize, usize)> {
    // `jcc` and `jmp`, with the upper three bytes of a small negative distance.
    let (length, low) = match *code {
        [0x0f, 0x80..=0x8f, low, 0xff, 0xff, 0xff, ..] => (6, low),
        [0xe9, low, 0xff, 0xff, 0xff, ..] => (5, low),
        _ => return None,
    };
    Some((length, 0x100 - usize::from(low)))
}

/// [`x86_64_backward`] for arm64.
fn aarch64_backward(code: &[u8]) -> Option<(usize, usize)> {
    let word = u32::from_le_bytes(*code.first_chunk()?);
    // The distance in instructions from the branch, at the top.
    let distance = match word >> 24 {
        // `b.cond`, `cbz` and `cbnz`.
        0x54 | 0x34 | 0x35 | 0xb4 | 0xb5 => (word << 8) as i32 >> 13,
        // `tbz` and `tbnz`.
        0x36 | 0x37 | 0xb6 | 0xb7 => (word << 13) as i32 >> 18,
        // `b`
        0x14..=0x17 => (word << 6) as i32 >> 6,
        _ => return None,
    };
    (distance <= 0).then(|| (4, 4 + 4 * distance.unsigned_abs() as usize))
}

/// The first place from `start` on at which the fewest loops of a function are badly placed, within a line
/// from there; places are `alignment` apart.
pub(crate) fn best_start(start: usize, alignment: usize, loops: &[Loop]) -> usize {
    if loops.is_empty() {
        return start;
    }
    let places = (start..start + LINE).step_by(alignment.max(1));
    let bad = |place: &usize| loops.iter().filter(|each| each.is_bad(*place)).count();
    places.min_by_key(bad).unwrap_or(start)
}

impl Loop {
    /// Whether this takes more cycles than elsewhere if the function starts at `place`.
    fn is_bad(self, place: usize) -> bool {
        let first = LINE - (place + self.start) % LINE;
        first < self.length && (self.length <= LINE || first < ENOUGH)
    }
}

#[cfg(test)]
mod tests {
    use {super::*, target_lexicon::Aarch64Architecture};

    fn of(start: usize, length: usize) -> Loop {
        Loop { start, length }
    }

    #[test]
    fn loops_are_moved_to_good_places() {
        assert_eq!(best_start(7, 1, &[]), 7);
        assert_eq!(best_start(0, 1, &[of(10, 54)]), 0);
        assert_eq!(best_start(1, 1, &[of(10, 54)]), 54);
        assert_eq!(best_start(16, 4, &[of(40, 25)]), 24);
        assert_eq!(best_start(65, 1, &[of(0, 64)]), 128);
        assert_eq!(best_start(40, 1, &[of(0, 65)]), 40);
        assert_eq!(best_start(41, 1, &[of(0, 65)]), 64);
    }

    #[test]
    fn most_loops_are_well_placed_where_not_all_can_be() {
        let loops = [of(0, 60), of(50, 60), of(128, 60)];
        assert_eq!(best_start(10, 1, &loops), 64);
    }

    #[test]
    fn loops_end_with_branches_backward() {
        // add rax, 1; cmp rax, rcx; jne -13; ret; and the same with jmp
        let code = [
            0x48, 0x83, 0xc0, 0x01, 0x48, 0x39, 0xc8, 0x0f, 0x85, 0xf3, 0xff, 0xff, 0xff, 0xc3,
            0x90, 0xe9, 0xfa, 0xff, 0xff, 0xff,
        ];
        assert_eq!(
            small_loops(&code, Architecture::X86_64),
            [of(0, 13), of(14, 6)]
        );
        // jne +13, and as far back as it gets from the start of the code
        let code = [
            0x0f, 0x85, 0x0d, 0, 0, 0, 0x0f, 0x85, 0xf3, 0xff, 0xff, 0xff,
        ];
        assert_eq!(small_loops(&code, Architecture::X86_64), []);
        // add x0, x0, 1; cmp x0, x1; b.ne -8; cbnz x0, -12; tbz x0, 1, -4; b -20; b.ne +8
        let words: [u32; 7] = [
            0x9100_0400,
            0xeb01_001f,
            0x54ff_ffc1,
            0xb5ff_ffa0,
            0x360f_ffe0,
            0x17ff_fffb,
            0x5400_0041,
        ];
        let code = words.map(u32::to_le_bytes).concat();
        let architecture = Architecture::Aarch64(Aarch64Architecture::Aarch64);
        let expected = [of(0, 12), of(0, 16), of(12, 8), of(0, 24)];
        assert_eq!(small_loops(&code, architecture), expected);
    }
}
