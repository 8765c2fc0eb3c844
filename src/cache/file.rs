//! The format of a stored program: one file of position-independent code with its tables.
//!
//! All numbers are little-endian.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `sbpfcode` |
//! | 8 | 4 | version of this format |
//! | 12 | 4 | bytes of this header |
//! | 16 | 32 | the key of the code |
//! | 48 | 32 | BLAKE3 of the rest of the file, before and behind this field |
//! | 80 | 8 × 4 | bytes of code, numbers of entries, of access sites, of calls |
//! | 112 | 8 × 5 | instructions, functions, CLIF instructions, CLIF blocks, largest frame |
//! | 152 | 8 | what hides constants in the code |
//! | 192 | | code, entries (4 bytes each), access sites (32), calls (8) |
//!
//! The hash tells whether the file is whole, the key whether it is the right one. Who can write
//! files that look like ours is kept out by their owner and mode (see the directory).

use {
    super::key::CodeKey,
    crate::{CompileStatistics, GeneratedCode},
    sbpf_lowering::function::Sites,
    sbpf_runtime::{
        abi::offset,
        site::{AccessSite, CallSite, RegisterSet},
    },
};

const MAGIC: &[u8; 8] = b"sbpfcode";
const VERSION: u32 = 2;
const HEADER: usize = 192;
const KEY: usize = 16;
const HASH: usize = 48;
const NUMBERS: usize = 80;
const NUMBER_COUNT: usize = 10;

const CONSTANT_KEY: usize = NUMBERS + 8 * (NUMBER_COUNT - 1);

const ENTRY: usize = 4;
const ACCESS_SITE: usize = 32;
const CALL_SITE: usize = 8;

/// Why a file is not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Defect {
    #[error("it is none of ours")]
    Magic,
    #[error("its format is version {0}, not {VERSION}")]
    Version(u32),
    #[error("it is for another program")]
    Key,
    #[error("its length is wrong")]
    Length,
    #[error("its hash is wrong")]
    Hash,
    #[error("it has a wrong {0}")]
    Field(&'static str),
}

/// What a file holds.
#[derive(Debug)]
pub(super) struct Stored<'f> {
    pub(super) code: &'f [u8],
    pub(super) entries: Vec<u32>,
    pub(super) sites: Sites,
    pub(super) statistics: CompileStatistics,
    pub(super) constant_key: u64,
}

/// The file of `generated`.
pub(super) fn encode(key: &CodeKey, generated: &GeneratedCode) -> Vec<u8> {
    let GeneratedCode {
        code,
        entries,
        sites:
            Sites {
                accesses,
                calls,
                // Of a whole program they are 0.
                first_access: _,
                first_call: _,
            },
        statistics,
        key: constant_key,
        symbols: _,
    } = generated;
    let CompileStatistics {
        instructions,
        functions,
        code_bytes: _,
        clif_instructions,
        clif_blocks,
        largest_frame,
    } = *statistics;
    let length = HEADER
        + code.len()
        + ENTRY * entries.len()
        + ACCESS_SITE * accesses.len()
        + CALL_SITE * calls.len();
    let mut file = Vec::with_capacity(length);
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.extend_from_slice(&(HEADER as u32).to_le_bytes());
    file.extend_from_slice(key.bytes());
    file.extend_from_slice(&[0; 32]);
    let numbers: [u64; NUMBER_COUNT] = [
        code.len() as u64,
        entries.len() as u64,
        accesses.len() as u64,
        calls.len() as u64,
        instructions as u64,
        functions as u64,
        clif_instructions as u64,
        clif_blocks as u64,
        largest_frame as u64,
        *constant_key,
    ];
    for number in numbers {
        file.extend_from_slice(&number.to_le_bytes());
    }
    file.resize(HEADER, 0);
    file.extend_from_slice(code);
    file.extend(entries.iter().flat_map(|entry| entry.to_le_bytes()));
    file.extend(accesses.iter().flat_map(access_site_bytes));
    file.extend(calls.iter().flat_map(call_site_bytes));
    let hash = hash_of(&file);
    if let Some(field) = file.get_mut(HASH..NUMBERS) {
        field.copy_from_slice(&hash);
    }
    file
}

/// Takes a file apart that is to hold the code of `key`, of a program of so many instructions.
///
/// # Errors
/// Whatever is wrong with it.
pub(super) fn decode<'f>(
    key: &CodeKey,
    instructions: usize,
    file: &'f [u8],
) -> Result<Stored<'f>, Defect> {
    if file.get(..8) != Some(MAGIC.as_slice()) {
        return Err(Defect::Magic);
    }
    let version = file.get(8..12).map_or(0, number32);
    if version != VERSION {
        return Err(Defect::Version(version));
    }
    let (header, mut rest) = file.split_at_checked(HEADER).ok_or(Defect::Length)?;
    if number32(&header[12..KEY]) as usize != HEADER {
        return Err(Defect::Field("header"));
    }
    if &header[KEY..HASH] != key.bytes() {
        return Err(Defect::Key);
    }
    if header[HASH..NUMBERS] != hash_of(file) {
        return Err(Defect::Hash);
    }
    let mut numbers = header[NUMBERS..].chunks_exact(8).map(number);
    let mut next = || numbers.next().flatten().ok_or(Defect::Length);
    let lengths: [usize; 4] = [next()?, next()?, next()?, next()?];
    let statistics = CompileStatistics {
        code_bytes: lengths[0],
        instructions: next()?,
        functions: next()?,
        clif_instructions: next()?,
        clif_blocks: next()?,
        largest_frame: next()?,
    };
    let constant_key = header
        .get(CONSTANT_KEY..)
        .and_then(number64)
        .ok_or(Defect::Length)?;
    let mut section = |count: usize, size: usize| {
        let length = count.checked_mul(size)?;
        let section;
        (section, rest) = rest.split_at_checked(length)?;
        Some(section)
    };
    let code = section(lengths[0], 1).ok_or(Defect::Length)?;
    let entries = section(lengths[1], ENTRY).ok_or(Defect::Length)?;
    let accesses = section(lengths[2], ACCESS_SITE).ok_or(Defect::Length)?;
    let calls = section(lengths[3], CALL_SITE).ok_or(Defect::Length)?;
    if !rest.is_empty() {
        return Err(Defect::Length);
    }
    let stored = Stored {
        code,
        entries: entries.chunks_exact(ENTRY).map(number32).collect(),
        sites: Sites {
            accesses: accesses
                .chunks_exact(ACCESS_SITE)
                .map(access_site)
                .collect(),
            calls: calls.chunks_exact(CALL_SITE).map(call_site).collect(),
            ..Sites::default()
        },
        statistics,
        constant_key,
    };
    check(&stored, instructions)?;
    Ok(stored)
}

/// Refuses what no compilation produces.
fn check(stored: &Stored<'_>, instructions: usize) -> Result<(), Defect> {
    let Stored {
        code,
        entries,
        sites,
        statistics,
        constant_key: _,
    } = stored;
    let is_pc = |pc: u32| pc as usize <= instructions;
    let (first, last) = (offset::register(0), offset::register(10));
    let is_register = |base: i32| (first..=last).contains(&base) && (base - first) % 8 == 0;
    if code.is_empty() {
        return Err(Defect::Field("code"));
    }
    if statistics.instructions != instructions {
        return Err(Defect::Field("number of instructions"));
    }
    // Generated code compares a pc with the length of the text before it looks for its entry.
    let is_table = entries.is_empty() || entries.len() == instructions;
    if !is_table || entries.iter().any(|entry| *entry as usize >= code.len()) {
        return Err(Defect::Field("entry"));
    }
    let is_access = |site: &AccessSite| {
        is_register(site.base.into())
            && site.needs_frame <= 1
            && site.store <= 1
            && is_pc(site.pc)
            && is_pc(site.resume)
    };
    if !sites.accesses.iter().all(is_access) {
        return Err(Defect::Field("access site"));
    }
    let kept = RegisterSet::range(6, 10);
    let is_call = |site: &CallSite| is_pc(site.return_pc) && site.saved.without(kept).is_empty();
    if !sites.calls.iter().all(is_call) {
        return Err(Defect::Field("call"));
    }
    Ok(())
}

/// The hash of all but its own field.
fn hash_of(file: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&file[..HASH.min(file.len())]);
    hasher.update(file.get(NUMBERS..).unwrap_or_default());
    *hasher.finalize().as_bytes()
}

fn access_site_bytes(site: &AccessSite) -> [u8; ACCESS_SITE] {
    let mut bytes = [0; ACCESS_SITE];
    for (place, word) in bytes.chunks_exact_mut(4).zip(site.to_words()) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

fn access_site(bytes: &[u8]) -> AccessSite {
    AccessSite::from_words(std::array::from_fn(|word| number32(&bytes[4 * word..])))
}

fn call_site_bytes(site: &CallSite) -> [u8; CALL_SITE] {
    let CallSite { return_pc, saved } = *site;
    let fields = u64::from(return_pc) | u64::from(saved.bits()) << 32;
    fields.to_le_bytes()
}

fn call_site(bytes: &[u8]) -> CallSite {
    CallSite {
        return_pc: number32(bytes),
        saved: RegisterSet::from_bits(number32(&bytes[4..]) as u16),
    }
}

/// The first four bytes; 0 if there are fewer.
fn number32(bytes: &[u8]) -> u32 {
    bytes
        .first_chunk()
        .map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn number(bytes: &[u8]) -> Option<usize> {
    usize::try_from(number64(bytes)?).ok()
}

fn number64(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.first_chunk()?))
}
