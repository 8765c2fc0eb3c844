//! A host on Mollusk.

use {
    hosts::{
        address, print, print_account,
        programs::{FAILING, HEAVY, elf},
        token::{
            self, ACCOUNT_SIZE, ASSOCIATED_TOKEN, LOADER_V2, LOADER_V3, MINT_SIZE, TOKEN,
            TOKEN_2022,
        },
    },
    litesvm::LiteSVM,
    mollusk_svm::{
        Mollusk,
        program::{create_program_account_loader_v3, keyed_account_for_system_program},
    },
    solana_account::Account,
    solana_address::Address,
    solana_instruction::Instruction,
    solana_svm_log_collector::LogCollector,
};

const RENT: u64 = 10_000_000;

fn main() {
    let mut mollusk = Mollusk::default();
    // LiteSVM comes with the programs.
    let bundled = LiteSVM::new();
    for program in [TOKEN, TOKEN_2022, ASSOCIATED_TOKEN] {
        let elf = program_elf(&bundled, &program);
        mollusk.add_program_with_loader_and_elf(&program, &LOADER_V3, &elf);
    }
    for (name, program) in [("token", TOKEN), ("token-2022", TOKEN_2022)] {
        token_steps(&mut mollusk, name, program);
    }

    let own = [("compute-heavy", HEAVY)].into_iter().chain(FAILING);
    for (number, (name, source)) in own.enumerate() {
        let program = address(100 + number as u8);
        mollusk.add_program_with_loader_and_elf(&program, &LOADER_V3, &elf(source));
        let call = Instruction {
            program_id: program,
            accounts: Vec::new(),
            data: b"some input".to_vec(),
        };
        step(&mut mollusk, name, &call, &mut Vec::new());
    }

    for program in [TOKEN, TOKEN_2022, ASSOCIATED_TOKEN, address(100)] {
        let entry = mollusk
            .program_cache
            .load_program(&program)
            .expect("it was loaded above");
        eprintln!("{program}: {:?}", entry.stats);
    }
}

fn token_steps(mollusk: &mut Mollusk, name: &str, program: Address) {
    let [authority, mint, from, to, wallet] = [1, 2, 3, 4, 5].map(address);
    let associated = token::associated_address(program, wallet, mint);
    let empty = |size| Account::new(RENT, size, &program);
    let mut accounts = vec![
        (authority, Account::new(100 * RENT, 0, &token::SYSTEM)),
        (mint, empty(MINT_SIZE)),
        (from, empty(ACCOUNT_SIZE)),
        (to, empty(ACCOUNT_SIZE)),
        (wallet, Account::default()),
        (associated, Account::default()),
        keyed_account_for_system_program(),
        (program, create_program_account_loader_v3(&program)),
    ];
    for (title, instruction) in [
        (
            "initialize mint",
            token::initialize_mint(program, mint, authority),
        ),
        (
            "initialize account",
            token::initialize_account(program, from, mint, authority),
        ),
        (
            "initialize account",
            token::initialize_account(program, to, mint, authority),
        ),
        (
            "mint",
            token::mint_to(program, mint, from, authority, 1_000_000),
        ),
        (
            "transfer",
            token::transfer(program, from, to, authority, 1234),
        ),
        (
            "transfer of too much",
            token::transfer(program, from, to, authority, u64::MAX),
        ),
        (
            "associated token account",
            token::create_associated(program, authority, wallet, mint),
        ),
    ] {
        step(
            mollusk,
            &format!("{name}: {title}"),
            &instruction,
            &mut accounts,
        );
    }
    for (address, account) in &accounts {
        print_account(&address.to_string(), Some(account));
    }
}

fn step(
    mollusk: &mut Mollusk,
    title: &str,
    instruction: &Instruction,
    accounts: &mut Vec<(Address, Account)>,
) {
    let log = LogCollector::new_ref();
    mollusk.logger = Some(log.clone());
    let result = mollusk.process_instruction(instruction, accounts);
    print(
        title,
        &result.program_result,
        result.compute_units_consumed,
        log.borrow().get_recorded_content(),
    );
    *accounts = result.resulting_accounts;
}

/// The ELF file of a program that LiteSVM has loaded.
fn program_elf(svm: &LiteSVM, program: &Address) -> Vec<u8> {
    let account = svm.get_account(program).expect("it is bundled");
    if account.owner == LOADER_V2 {
        return account.data;
    }
    // `UpgradeableLoaderState::Program` names the account that has the data behind its own state.
    let data: [u8; 32] = account.data[4..36].try_into().expect("there are 32 bytes");
    let account = svm.get_account(&Address::new_from_array(data));
    account.expect("programs have data").data[45..].to_vec()
}
