//! Code memory is executable, and not writable at the same time.
#![cfg(target_os = "linux")]

use sbpf_runtime::code::CodeMemory;

/// The permissions of the mapping that holds an address, as the kernel reports them.
fn permissions(address: usize) -> String {
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
    line.split_whitespace()
        .nth(1)
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn sealed_code_is_never_writable() {
    let code = CodeMemory::seal(&[0xc3; 5000]).expect("there is memory");
    assert_eq!(code.bytes(), [0xc3; 5000]);
    for offset in [0, 4999] {
        assert_eq!(permissions(code.as_ptr() as usize + offset), "r-xp");
    }
}
