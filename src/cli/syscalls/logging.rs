//! Log lines (agave's `syscalls/src/logging.rs` and `stable_log`).

use {
    super::{
        consume,
        cost::{LOG_64_UNITS, LOG_PUBKEY_UNITS, SYSCALL_BASE_COST},
        syscall, translate,
    },
    base64::{Engine as _, prelude::BASE64_STANDARD},
    solana_sbpf::vm::ContextObject as _,
};

syscall! {
    /// `sol_log_(text, length)`.
    Log(context, address, length) {
        consume(context, SYSCALL_BASE_COST.max(length))?;
        let text = translate::read_string(context, address, length)?;
        context.write_log(format!("Program log: {text}"));
        Ok(0)
    }
}

syscall! {
    /// `sol_log_64_`: five numbers in hexadecimal.
    Log64(context, first, second, third, fourth, fifth) {
        consume(context, LOG_64_UNITS)?;
        context.write_log(format!(
            "Program log: {first:#x}, {second:#x}, {third:#x}, {fourth:#x}, {fifth:#x}"
        ));
        Ok(0)
    }
}

syscall! {
    /// `sol_log_compute_units_`: what is left, after this call's own cost.
    LogComputeUnits(context) {
        consume(context, SYSCALL_BASE_COST)?;
        let remaining = context.get_remaining();
        context.write_log(format!("Program consumption: {remaining} units remaining"));
        Ok(0)
    }
}

syscall! {
    /// `sol_log_pubkey(address)`: an address in base58.
    LogPubkey(context, address) {
        consume(context, LOG_PUBKEY_UNITS)?;
        let pubkey = translate::read_pubkey(context, address)?;
        context.write_log(format!("Program log: {pubkey}"));
        Ok(0)
    }
}

syscall! {
    /// `sol_log_data(slices, count)`: each slice in base64.
    LogData(context, address, count) {
        consume(context, SYSCALL_BASE_COST)?;
        let slices = translate::read_slices(context, address, count)?;
        consume(context, SYSCALL_BASE_COST.saturating_mul(slices.len() as u64))?;
        let bytes = slices
            .iter()
            .fold(0_u64, |total, slice| total.saturating_add(slice.length));
        consume(context, bytes)?;
        let mut line = "Program data:".to_string();
        for slice in slices {
            line.push(' ');
            let bytes = translate::read(context, slice.address, slice.length)?;
            BASE64_STANDARD.encode_string(bytes, &mut line);
        }
        context.write_log(line);
        Ok(0)
    }
}
