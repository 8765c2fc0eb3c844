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
//! | 48 | 16 | XXH3 (128 bits) of all of the file but this field |
//! | 64 | 8 × 4 | bytes of code, numbers of entries, of access sites, of calls |
//! | 96 | 8 × 5 | instructions, functions, CLIF instructions, CLIF blocks, largest frame |
//! | 136 | 8 | what hides constants in the code |
//! | 192 | | code, entries (4 bytes each), access sites (32), calls (8) |
//!
//! The hash tells whether the file is whole, the key whether it is the right one. Only the key has to be
//! cryptographic: programs choose what is hashed there. Who can write files that look like ours can write
//! a hash into them, whichever it is; their owner and mode keep others out (see the directory).

use {
    super::key::CodeKey,
    crate::{CompileStatistics, GeneratedCode},
    sbpf_lowering::function::Sites,
    sbpf_runtime::{
        abi::offset,
        code::UnsealedCode,
        site::{AccessSite, CallSite, Inherited, NEEDS_FRAME, RegisterSet},
    },
    std::io::{self, BufReader, Read},
    twox_hash::XxHash3_128,
};

const MAGIC: &[u8; 8] = b"sbpfcode";
const VERSION: u32 = 7;
const HEADER: usize = 192;
/// Bytes that are read at once.
const BUFFER: usize = 8192;

const KEY: usize = 16;
const HASH: usize = 48;
const NUMBERS: usize = 64;
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

/// Why there is no code of a file.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Defect(#[from] Defect),
    #[error(transparent)]
    File(io::Error),
    #[error("no memory for it: {0}")]
    Memory(io::Error),
}

/// What a file holds.
#[derive(Debug)]
pub(super) struct Stored {
    /// The code, where it will be executed.
    pub(super) code: UnsealedCode,
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
    file.extend_from_slice(&[0; NUMBERS - HASH]);
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
    let mut hasher = XxHash3_128::new();
    hash_header(&mut hasher, &file);
    hasher.write(file.get(HEADER..).unwrap_or_default());
    let hash = hasher.finish_128().to_le_bytes();
    if let Some(field) = file.get_mut(HASH..NUMBERS) {
        field.copy_from_slice(&hash);
    }
    file
}

/// Reads a file of `length` bytes that is to hold the code of `key`, of a program of so many
/// instructions.
///
/// What is hashed and checked is memory of our own, to which parts are read that stay as they are: the
/// file may change meanwhile, what was read may not.
///
/// # Errors
/// Whatever is wrong with it, or that it can't be read.
pub(super) fn read(
    key: &CodeKey,
    instructions: usize,
    file: impl Read,
    length: u64,
) -> Result<Stored, ReadError> {
    let mut file = Hashing::new(file);
    let header = file.header()?;
    let mut numbers = header[NUMBERS..].chunks_exact(8).map(number);
    let mut next = || numbers.next().flatten().ok_or(Defect::Length);
    if &header[KEY..HASH] != key.bytes() {
        return Err(Defect::Key.into());
    }
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
    // From here on no part is longer than the file.
    if expected_length(lengths) != Some(length) {
        return Err(Defect::Length.into());
    }
    let mut code = UnsealedCode::new(lengths[0]).map_err(ReadError::Memory)?;
    file.read(code.bytes_mut())?;
    let entries = file.numbers(lengths[1])?;
    let accesses = file.accesses(lengths[2])?;
    let mut calls = vec![0; CALL_SITE * lengths[3]];
    file.read(&mut calls)?;
    if header[HASH..NUMBERS] != file.hash() {
        return Err(Defect::Hash.into());
    }
    let stored = Stored {
        code,
        entries,
        sites: Sites {
            accesses,
            calls: calls.chunks_exact(CALL_SITE).map(call_site).collect(),
            ..Sites::default()
        },
        statistics,
        constant_key,
    };
    check(&stored, instructions)?;
    Ok(stored)
}

/// Bytes of a file with so many bytes of code, entries, access sites and calls.
fn expected_length([code, entries, accesses, calls]: [usize; 4]) -> Option<u64> {
    let parts = [
        HEADER,
        code,
        entries.checked_mul(ENTRY)?,
        accesses.checked_mul(ACCESS_SITE)?,
        calls.checked_mul(CALL_SITE)?,
    ];
    let length = parts.into_iter().try_fold(0usize, usize::checked_add)?;
    Some(length as u64)
}

/// A file of which all that is read is hashed.
struct Hashing<F> {
    /// Small parts are read together; those that are larger than the buffer go where they belong.
    file: BufReader<F>,
    hasher: XxHash3_128,
}

impl<F: Read> Hashing<F> {
    fn new(file: F) -> Self {
        let hasher = XxHash3_128::new();
        let file = BufReader::with_capacity(BUFFER, file);
        Self { file, hasher }
    }

    /// The header, of a file of this format.
    fn header(&mut self) -> Result<[u8; HEADER], ReadError> {
        let mut header = Vec::with_capacity(HEADER);
        let mut start = self.file.by_ref().take(HEADER as u64);
        start.read_to_end(&mut header).map_err(ReadError::File)?;
        if header.get(..8) != Some(MAGIC.as_slice()) {
            return Err(Defect::Magic.into());
        }
        let version = header.get(8..12).map_or(0, number32);
        if version != VERSION {
            return Err(Defect::Version(version).into());
        }
        let header: [u8; HEADER] = header.try_into().map_err(|_| Defect::Length)?;
        if number32(&header[12..KEY]) as usize != HEADER {
            return Err(Defect::Field("header").into());
        }
        hash_header(&mut self.hasher, &header);
        Ok(header)
    }

    fn read(&mut self, part: &mut [u8]) -> Result<(), ReadError> {
        match self.file.read_exact(part) {
            Ok(()) => {
                self.hasher.write(part);
                Ok(())
            }
            // It was truncated meanwhile.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(Defect::Length.into())
            }
            Err(error) => Err(ReadError::File(error)),
        }
    }

    fn numbers(&mut self, count: usize) -> Result<Vec<u32>, ReadError> {
        let mut bytes = vec![0; ENTRY * count];
        self.read(&mut bytes)?;
        Ok(bytes.chunks_exact(ENTRY).map(number32).collect())
    }

    fn accesses(&mut self, count: usize) -> Result<Vec<AccessSite>, ReadError> {
        let mut sites = vec![AccessSite::default(); count];
        self.read(AccessSite::bytes_mut(&mut sites))?;
        if cfg!(target_endian = "big") {
            for site in &mut sites {
                *site = AccessSite::from_words(site.to_words().map(u32::from_le));
            }
        }
        Ok(sites)
    }

    /// The hash of all that was read.
    fn hash(&self) -> [u8; NUMBERS - HASH] {
        self.hasher.finish_128().to_le_bytes()
    }
}

/// Refuses what no compilation produces.
fn check(stored: &Stored, instructions: usize) -> Result<(), Defect> {
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
    let code = code.bytes();
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
            && site.leaves <= NEEDS_FRAME
            && Inherited::from_bits(site.inherited.bits()) == site.inherited
            && site.store <= 1
            && u32::from(site.own_offset) + u32::from(site.own_span) <= u32::from(site.span)
            && is_pc(site.pc)
            && is_pc(site.resume)
    };
    if !sites.accesses.iter().all(is_access) {
        return Err(Defect::Field("access site"));
    }
    let kept = RegisterSet::range(6, 10).union(RegisterSet::of(0));
    let is_call = |site: &CallSite| is_pc(site.return_pc) && site.saved.without(kept).is_empty();
    if !sites.calls.iter().all(is_call) {
        return Err(Defect::Field("call"));
    }
    Ok(())
}

/// Hashes the header of a file without the field of the hash.
fn hash_header(hasher: &mut XxHash3_128, file: &[u8]) {
    hasher.write(file.get(..HASH).unwrap_or_default());
    hasher.write(file.get(NUMBERS..HEADER).unwrap_or_default());
}

fn access_site_bytes(site: &AccessSite) -> [u8; ACCESS_SITE] {
    let mut bytes = [0; ACCESS_SITE];
    for (place, word) in bytes.chunks_exact_mut(4).zip(site.to_words()) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    bytes
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
