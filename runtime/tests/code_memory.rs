//! Code memory is executable, and not writable at the same time; what is around it is neither.
//!
//! The permissions are those that the operating system reports, not those that were asked for.
#![cfg(any(target_os = "linux", windows))]

use {
    sbpf_runtime::code::{CodeMemory, GrowingCode, UnsealedCode},
    std::sync::{Mutex, MutexGuard, PoisonError},
};

/// Keeps other tests from changing mappings: the list of them is not read at one moment.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a mapping allows.
#[derive(Debug, PartialEq, Eq)]
enum Permissions {
    Nothing,
    ReadAndExecute,
    /// Anything else, as the system describes it.
    Other(String),
}

/// The permissions of the mapping that holds an address.
#[cfg(target_os = "linux")]
fn permissions(address: usize) -> Permissions {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux has it");
    let line = maps.lines().find(|line| {
        let range = line.split_whitespace().next().unwrap_or_default();
        let mut ends = range
            .split('-')
            .map(|end| usize::from_str_radix(end, 16).unwrap_or(0));
        let (start, end) = (ends.next().unwrap_or(0), ends.next().unwrap_or(0));
        (start..end).contains(&address)
    });
    let line = line.expect("the address is mapped");
    match line.split_whitespace().nth(1).unwrap_or_default() {
        "---p" => Permissions::Nothing,
        "r-xp" => Permissions::ReadAndExecute,
        other => Permissions::Other(other.to_owned()),
    }
}

/// The permissions of the mapping that holds an address.
#[cfg(windows)]
fn permissions(address: usize) -> Permissions {
    use windows_sys::Win32::System::Memory::{
        MEM_COMMIT, MEM_RESERVE, MEMORY_BASIC_INFORMATION, PAGE_EXECUTE_READ, VirtualQuery,
    };
    let mut information = MEMORY_BASIC_INFORMATION::default();
    // SAFETY: the structure has the size that is passed; the address is only asked about.
    let written = unsafe {
        VirtualQuery(
            std::ptr::without_provenance(address),
            &raw mut information,
            size_of::<MEMORY_BASIC_INFORMATION>(),
        )
    };
    assert_ne!(written, 0, "the address is mapped");
    match (information.State, information.Protect) {
        (MEM_RESERVE, _) => Permissions::Nothing,
        (MEM_COMMIT, PAGE_EXECUTE_READ) => Permissions::ReadAndExecute,
        (state, protection) => Permissions::Other(format!("{state:#x} {protection:#x}")),
    }
}

/// `ret` of the machine that this runs on.
const RETURN: [u8; 4] = if cfg!(target_arch = "aarch64") {
    0xd65f_03c0_u32.to_le_bytes()
} else {
    [0xc3; 4]
};

/// Bytes in a page, or a divisor of it; code starts at the start of a page.
const PAGE: usize = 4096;

#[test]
fn sealed_code_is_never_writable() {
    let _alone = alone();
    let code = RETURN.repeat(1250);
    let sealed = CodeMemory::seal(&code).expect("there is memory");
    assert_eq!(sealed.bytes(), code);
    for offset in [0, 4999] {
        let address = sealed.as_ptr().addr() + offset;
        assert_eq!(permissions(address), Permissions::ReadAndExecute);
    }
}

#[test]
fn inaccessible_pages_surround_code() {
    let _alone = alone();
    for length in [0, 4, PAGE, PAGE + 4, 100 * PAGE] {
        let sealed = CodeMemory::seal(&RETURN.repeat(length / 4)).expect("there is memory");
        let start = sealed.as_ptr().addr();
        assert_eq!(start % PAGE, 0);
        assert_eq!(permissions(start - 1), Permissions::Nothing, "{length}");
        assert_eq!(permissions(start), Permissions::ReadAndExecute, "{length}");
        // The system may have larger pages.
        let mut end = start + length.max(1).next_multiple_of(PAGE);
        while permissions(end) == Permissions::ReadAndExecute {
            end += PAGE;
        }
        assert_eq!(permissions(end), Permissions::Nothing, "{length}");
    }
}

#[test]
fn code_written_where_other_code_was_is_the_one_that_runs() {
    let _alone = alone();
    for round in 0..2000_u32 {
        let value = round % 0xffff;
        let code = returns(value);
        let sealed = CodeMemory::seal(&code).expect("there is memory");
        // SAFETY: the code is a function of this type that only returns a number.
        let function =
            unsafe { std::mem::transmute::<*const u8, extern "C" fn() -> u32>(sealed.as_ptr()) };
        assert_eq!(function(), value);
    }
}

/// What is written piece by piece can't be executed before it is sealed, where it was written.
#[test]
fn unsealed_code_is_not_executable() {
    let _alone = alone();
    for length in [0, 4, PAGE + 4, 100 * PAGE] {
        let code = RETURN.repeat(length / 4);
        let mut unsealed = UnsealedCode::new(length).expect("there is memory");
        assert_eq!(unsealed.bytes(), vec![0; length]);
        unsealed.bytes_mut().copy_from_slice(&code);
        let start = unsealed.bytes().as_ptr().addr();
        for address in [start, start + length.saturating_sub(1)] {
            // `MEM_COMMIT` and `PAGE_READWRITE` on Windows.
            let writable = if cfg!(windows) { "0x1000 0x4" } else { "rw-p" };
            assert_eq!(
                permissions(address),
                Permissions::Other(writable.to_owned())
            );
        }
        assert_eq!(permissions(start - 1), Permissions::Nothing, "{length}");
        let sealed = unsealed.seal().expect("there is memory");
        assert_eq!(sealed.as_ptr().addr(), start);
        assert_eq!(sealed.bytes(), code);
        for address in [start, start + length.saturating_sub(1)] {
            assert_eq!(permissions(address), Permissions::ReadAndExecute);
        }
    }
}

/// What is added lies on pages of its own, between inaccessible ones, and changes nothing that is there.
#[test]
fn growing_code_stays_as_it_is() {
    let _alone = alone();
    let growing = GrowingCode::new(400, 400, 0, 0);
    assert!(GrowingCode::is_possible() && !growing.has(0) && !growing.has(400));
    let mut functions = Vec::new();
    for value in 0..400_u32 {
        // Larger than what is reserved at a time now and then.
        let length = if value % 150 == 149 { 2 << 20 } else { 8 };
        let mut code = returns(value);
        code.resize(length, 0);
        let start = growing.seal(&code).expect("there is memory");
        growing.publish(value, start);
        functions.push(start.addr());
        let end = start.addr() + length.next_multiple_of(PAGE);
        assert_ne!(permissions(end), Permissions::ReadAndExecute, "{value}");
        assert!(
            !matches!(permissions(end), Permissions::Other(_)),
            "{value}"
        );
    }
    for (value, address) in (0..400_u32).zip(functions) {
        assert_eq!(address % PAGE, 0);
        assert_eq!(permissions(address), Permissions::ReadAndExecute);
        let start = growing.address(value).expect("it was published");
        assert_eq!(start.addr(), address);
        // SAFETY: the code is a function of this type that only returns a number.
        let function = unsafe { std::mem::transmute::<*const u8, extern "C" fn() -> u32>(start) };
        assert_eq!(function(), value);
    }
}

/// Code is added on one thread while others run what they find.
#[test]
fn growing_code_runs_on_other_threads() {
    let _alone = alone();
    let growing = GrowingCode::new(2000, 2000, 0, 0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for number in 0..2000_u32 {
                    let start = loop {
                        match growing.address(number) {
                            Some(start) => break start,
                            None => std::hint::spin_loop(),
                        }
                    };
                    // SAFETY: the code is a function of this type that only returns a number.
                    let function =
                        unsafe { std::mem::transmute::<*const u8, extern "C" fn() -> u32>(start) };
                    assert_eq!(function(), number);
                }
            });
        }
        for number in 0..2000_u32 {
            let start = growing.seal(&returns(number)).expect("there is memory");
            growing.publish(number, start);
        }
    });
}

/// A function that returns `value`, which has 16 bits.
fn returns(value: u32) -> Vec<u8> {
    if cfg!(target_arch = "aarch64") {
        let move_immediate = 0x5280_0000 | value << 5;
        [move_immediate.to_le_bytes(), RETURN].concat()
    } else {
        let mut code = vec![0xb8];
        code.extend(value.to_le_bytes());
        code.push(RETURN[0]);
        code
    }
}
