//! The programs deployed on chain, with inputs from nonsense to instructions that they carry out.

use {
    super::{Case, Config, RegionSpec, SBPFVersion, host_syscalls::imports, upstream},
    rand::{
        Rng, RngCore, SeedableRng,
        seq::{IndexedRandom, IteratorRandom},
    },
    rand_chacha::ChaCha8Rng,
    solana_sbpf::ebpf::{LD_DW_IMM, MM_HEAP_START},
};

/// The configuration of validators.
pub fn host_config(config: &mut Config) {
    *config = Config {
        max_call_depth: 64,
        optimize_rodata: false,
        enabled_sbpf_versions: SBPFVersion::V0..=SBPFVersion::V4,
        instruction_meter_checkpoint_distance: 10_000,
        ..Config::default()
    };
}

/// A program with the surroundings that a validator gives it.
pub fn host_case(version: SBPFVersion, elf: &[u8]) -> Case {
    Case::elf(version, elf.to_vec())
        .configure(host_config)
        .host_syscalls(imports(elf))
        .memory(|layout| layout.replacing(RegionSpec::writable(MM_HEAP_START, vec![0; 32 * 1024])))
        .budget(200_000)
        .sweep_up_to(50)
}

/// An account as the loader serializes it.
struct Account {
    key: [u8; 32],
    owner: [u8; 32],
    data: Vec<u8>,
    flags: [u8; 3],
}

impl Account {
    /// An account whose data may begin with one of `marks`.
    fn random(random: &mut ChaCha8Rng, program: &[u8; 32], marks: &[u64]) -> Self {
        // Lengths that mints, token accounts, multisigs and stakes have.
        let len = [0, 1, 82, 165, 200, 355][random.random_range(0..6)];
        let mut data = vec![0; len];
        if random.random_bool(0.5) {
            random.fill_bytes(&mut data);
        }
        if let Some(mark) = marks.choose(random)
            && let Some(start) = data.first_chunk_mut()
        {
            *start = mark.to_le_bytes();
        }
        let owner = if random.random_bool(0.7) {
            *program
        } else {
            [0; 32]
        };
        Self {
            key: random.random(),
            owner,
            data,
            flags: [
                u8::from(random.random_bool(0.7)),
                u8::from(random.random_bool(0.8)),
                0,
            ],
        }
    }
}

/// The input region of an instruction.
fn serialize(program: &[u8; 32], accounts: &[Account], instruction: &[u8]) -> Vec<u8> {
    let mut input = (accounts.len() as u64).to_le_bytes().to_vec();
    for account in accounts {
        input.push(0xff);
        input.extend_from_slice(&account.flags);
        input.extend_from_slice(&[0; 4]);
        input.extend_from_slice(&account.key);
        input.extend_from_slice(&account.owner);
        input.extend_from_slice(&1_000_000_000u64.to_le_bytes());
        input.extend_from_slice(&(account.data.len() as u64).to_le_bytes());
        input.extend_from_slice(&account.data);
        input.resize(input.len() + 10_240, 0);
        input.resize(input.len().next_multiple_of(8), 0);
        input.extend_from_slice(&u64::MAX.to_le_bytes());
    }
    input.extend_from_slice(&(instruction.len() as u64).to_le_bytes());
    input.extend_from_slice(instruction);
    input.extend_from_slice(program);
    input
}

/// Inputs from nonsense to plausible instructions.
pub fn inputs(random: &mut ChaCha8Rng, program: &[u8; 32]) -> Vec<Vec<u8>> {
    let mut inputs = vec![Vec::new(), vec![0; 8], serialize(program, &[], b"a memo")];
    for len in [16, 1000] {
        let mut bytes = vec![0; len];
        random.fill_bytes(&mut bytes);
        inputs.push(bytes);
    }
    for tag in 0..30u8 {
        let accounts: Vec<Account> = (0..random.random_range(0..4))
            .map(|_| Account::random(random, program, &[]))
            .collect();
        let mut instruction = vec![tag];
        if random.random_bool(0.5) {
            instruction.extend_from_slice(&[0; 3]);
        }
        let mut rest = vec![0; random.random_range(0..60)];
        random.fill_bytes(&mut rest);
        instruction.extend_from_slice(&rest);
        inputs.push(serialize(program, &accounts, &instruction));
    }
    inputs
}

/// Instructions that begin with one of the `marks` that a program may compare them with, as data of accounts
/// does; addresses are made of them, too.
pub fn marked_inputs(random: &mut ChaCha8Rng, marks: &[u64], count: usize) -> Vec<Vec<u8>> {
    let input = |_| {
        let program = marked_key(random, marks);
        let accounts: Vec<Account> = (0..random.random_range(0..12))
            .map(|_| Account {
                key: marked_key(random, marks),
                ..Account::random(random, &program, marks)
            })
            .collect();
        let mut instruction = marks
            .choose(random)
            .map_or(Vec::new(), |mark| mark.to_le_bytes().to_vec());
        let mut rest = vec![0; random.random_range(0..60)];
        if random.random_bool(0.7) {
            random.fill_bytes(&mut rest);
        }
        instruction.extend_from_slice(&rest);
        serialize(&program, &accounts, &instruction)
    };
    (0..count).map(input).collect()
}

/// An address: compilers compare one by four constants in a row.
fn marked_key(random: &mut ChaCha8Rng, marks: &[u64]) -> [u8; 32] {
    match marks.windows(4).choose(random) {
        Some(row) if random.random_bool(0.7) => {
            std::array::from_fn(|byte| row[byte / 8].to_le_bytes()[byte % 8])
        }
        _ => random.random(),
    }
}

/// The constants of eight bytes that a program's instructions may have in them, in their order. Anchor marks
/// instructions and accounts with such.
pub fn wide_constants(elf: &[u8]) -> Vec<u64> {
    let slots = elf.chunks_exact(8).zip(elf.chunks_exact(8).skip(1));
    slots
        .filter(|(low, high)| low[0] == LD_DW_IMM && low[1] < 10 && high[..4] == [0; 4])
        .map(|(low, high)| {
            let half = |slot: &[u8]| {
                slot[4..]
                    .iter()
                    .rev()
                    .fold(0, |all, byte| all << 8 | u64::from(*byte))
            };
            half(high) << 32 | half(low)
        })
        .filter(|constant| constant >> 32 != 0)
        .collect()
}

/// A mint or token account in the layout of the token programs.
fn token_account(key: u8, program: &[u8; 32], mint: bool) -> Account {
    let mut data = Vec::new();
    if mint {
        data.extend_from_slice(&[1, 0, 0, 0]);
        data.extend_from_slice(&[9; 32]); // authority
        data.extend_from_slice(&1000u64.to_le_bytes()); // supply
        data.extend_from_slice(&[6, 1]); // decimals, initialized
        data.resize(82, 0);
    } else {
        data.extend_from_slice(&[1; 32]); // mint
        data.extend_from_slice(&[9; 32]); // owner
        data.extend_from_slice(&500u64.to_le_bytes());
        data.resize(165, 0);
        data[108] = 1; // initialized
    }
    Account {
        key: [key; 32],
        owner: *program,
        data,
        flags: [0, 1, 0],
    }
}

/// Instructions that the token programs can carry out.
pub fn token_inputs(program: &[u8; 32]) -> Vec<Vec<u8>> {
    let mint = || token_account(1, program, true);
    let account = |key| token_account(key, program, false);
    let empty = |key, len| Account {
        data: vec![0; len],
        ..token_account(key, program, false)
    };
    let authority = || Account {
        key: [9; 32],
        owner: [0; 32],
        data: Vec::new(),
        flags: [1, 0, 0],
    };
    let amount = |tag: u8, amount: u64| [&[tag][..], &amount.to_le_bytes()].concat();
    let checked = |tag: u8, units: u64| [&amount(tag, units)[..], &[6]].concat();
    let initialize_mint = [&[20, 6][..], &[9; 32], &[0]].concat();
    let initialize_account = [&[18][..], &[9; 32]].concat();
    let instructions: [(Vec<Account>, Vec<u8>); 11] = [
        (vec![empty(1, 82)], initialize_mint),
        (vec![empty(2, 165), mint()], initialize_account),
        (vec![account(2), account(3), authority()], amount(3, 100)),
        (vec![account(2), account(3), authority()], amount(3, 501)),
        (
            vec![account(2), mint(), account(3), authority()],
            checked(12, 77),
        ),
        (vec![mint(), account(2), authority()], amount(7, 5)),
        (vec![account(2), mint(), authority()], amount(8, 5)),
        (vec![account(2), account(3), authority()], amount(4, 30)),
        (vec![account(2), authority()], vec![5]),
        (vec![mint()], amount(23, 1234)),
        (vec![mint()], [&[24][..], b"12.5"].concat()),
    ];
    instructions
        .iter()
        .map(|(accounts, instruction)| serialize(program, accounts, instruction))
        .collect()
}

/// The keys of the deployed programs and of their data.
pub fn program_keys() -> Vec<[u8; 32]> {
    let rent = Default::default();
    let mut programs = solana_program_binaries::spl_programs(&rent);
    programs.extend(solana_program_binaries::core_bpf_programs(&rent, |_| true));
    programs.iter().map(|(key, _)| key.to_bytes()).collect()
}

/// Programs of one's own: those in the directory that `SBPF_TEST_PROGRAMS` names.
pub fn own_programs() -> Vec<(String, Vec<u8>)> {
    std::env::var_os("SBPF_TEST_PROGRAMS").map_or(Vec::new(), |directory| {
        upstream::shared_objects(directory.as_ref())
    })
}

/// The programs deployed on chain, in order of their names.
pub fn deployed_programs() -> Vec<(String, Vec<u8>)> {
    let directory = upstream::package_directory("solana-program-binaries", "4.2.2");
    let programs = upstream::shared_objects(&directory.join("src/programs"));
    assert_eq!(programs.len(), 10);
    programs
}
