//! A host on LiteSVM.

use {
    hosts::{
        address, print, print_account,
        programs::{FAILING, HEAVY, elf},
        token::{self, ACCOUNT_SIZE, MINT_SIZE, TOKEN, TOKEN_2022},
    },
    litesvm::LiteSVM,
    solana_address::Address,
    solana_instruction::Instruction,
    solana_keypair::Keypair,
    solana_signer::Signer,
    solana_transaction::Transaction,
    std::time::Instant,
};

const RENT: u64 = 10_000_000;

fn main() {
    let start = Instant::now();
    let mut svm = LiteSVM::new();
    eprintln!("LiteSVM::new(): {} ms", start.elapsed().as_millis());
    let payer = keypair(1);
    svm.airdrop(&payer.pubkey(), 100_000_000_000)
        .expect("the faucet is full");

    for (name, program, first) in [("token", TOKEN, 10), ("token-2022", TOKEN_2022, 20)] {
        let [mint, from, to] = [first, first + 1, first + 2].map(keypair);
        let accounts = [
            (&mint, MINT_SIZE),
            (&from, ACCOUNT_SIZE),
            (&to, ACCOUNT_SIZE),
        ];
        for (account, size) in accounts {
            let create =
                token::create_account(payer.pubkey(), account.pubkey(), RENT, size, program);
            send(&mut svm, "create account", &[create], &[&payer, account]);
        }
        let (payer_address, mint_address) = (payer.pubkey(), mint.pubkey());
        let (from_address, to_address) = (from.pubkey(), to.pubkey());
        let start = Instant::now();
        send(
            &mut svm,
            &format!("{name}: mint"),
            &[
                token::initialize_mint(program, mint_address, payer_address),
                token::initialize_account(program, from_address, mint_address, payer_address),
                token::initialize_account(program, to_address, mint_address, payer_address),
                token::mint_to(
                    program,
                    mint_address,
                    from_address,
                    payer_address,
                    1_000_000,
                ),
            ],
            &[&payer],
        );
        eprintln!(
            "first transaction of {name}: {} ms",
            start.elapsed().as_millis()
        );
        let start = Instant::now();
        send(
            &mut svm,
            &format!("{name}: transfer"),
            &[token::transfer(
                program,
                from_address,
                to_address,
                payer_address,
                1234,
            )],
            &[&payer],
        );
        eprintln!("transfer of {name}: {} us", start.elapsed().as_micros());
        send(
            &mut svm,
            &format!("{name}: transfer of too much"),
            &[token::transfer(
                program,
                from_address,
                to_address,
                payer_address,
                u64::MAX,
            )],
            &[&payer],
        );
        send(
            &mut svm,
            &format!("{name}: associated token account"),
            &[token::create_associated(
                program,
                payer_address,
                address(77),
                mint_address,
            )],
            &[&payer],
        );
        let associated = token::associated_address(program, address(77), mint_address);
        for (name, account) in [
            ("mint", mint_address),
            ("from", from_address),
            ("to", to_address),
            ("associated", associated),
        ] {
            print_account(name, svm.get_account(&account).as_ref());
        }
    }

    let own = [("compute-heavy", HEAVY)].into_iter().chain(FAILING);
    for (number, (name, source)) in own.enumerate() {
        let program = address(100 + number as u8);
        svm.add_program(program, &elf(source))
            .expect("the program can be loaded");
        let call = Instruction {
            program_id: program,
            accounts: Vec::new(),
            data: b"some input".to_vec(),
        };
        let start = Instant::now();
        send(&mut svm, name, &[call], &[&payer]);
        eprintln!("{name}: {} us", start.elapsed().as_micros());
    }
}

fn keypair(number: u8) -> Keypair {
    Keypair::new_from_array([number; 32])
}

fn send(svm: &mut LiteSVM, title: &str, instructions: &[Instruction], signers: &[&Keypair]) {
    // The same instructions again are another transaction.
    svm.expire_blockhash();
    let payer: Address = signers[0].pubkey();
    let transaction = Transaction::new_signed_with_payer(
        instructions,
        Some(&payer),
        signers,
        svm.latest_blockhash(),
    );
    match svm.send_transaction(transaction) {
        Ok(meta) => print(title, "ok", meta.compute_units_consumed, &meta.logs),
        Err(failed) => print(
            title,
            &failed.err,
            failed.meta.compute_units_consumed,
            &failed.meta.logs,
        ),
    }
}
