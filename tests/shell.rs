//! What every command has for shells, scripts and readers: completions, manual pages, examples,
//! and output in JSON or none at all.

#![cfg(feature = "cli")]

#[path = "common/binary.rs"]
mod binary;

use {
    binary::command,
    serde_json::Value,
    std::{fs, path::Path, process::Output},
};

/// All commands.
const COMMANDS: [&str; 8] = [
    "run",
    "compare",
    "dump",
    "conformance-plugin",
    "cache",
    "swap-in",
    "completions",
    "man",
];

fn output(arguments: &[&str]) -> Output {
    let output = command()
        .args(arguments)
        .env_remove("SBPF_CRANELIFT_CACHE")
        .output();
    output.expect("the binary starts")
}

fn text(arguments: &[&str]) -> String {
    let output = output(arguments);
    assert!(output.status.success(), "{arguments:?}");
    assert!(output.stderr.is_empty(), "{arguments:?}");
    String::from_utf8(output.stdout).expect("it is UTF-8")
}

#[test]
fn every_shell_gets_completions_of_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = text(&["completions", shell]);
        for word in COMMANDS.iter().chain(&["native-names", "profile-json"]) {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(output(&["completions", "cmd"]).status.code(), Some(2));
}

#[test]
fn every_command_has_a_manual_page_and_help_with_examples() {
    let whole = text(&["man"]);
    assert!(whole.contains(".TH sbpf-cranelift 1"));
    for name in COMMANDS {
        let page = text(&["man", name]);
        assert!(
            page.contains(&format!(".TH sbpf-cranelift-{name} 1")),
            "{page}"
        );
        assert!(page.contains("Examples:"), "{name}");
        assert!(text(&[name, "--help"]).contains("Examples:"), "{name}");
    }
    let unknown = output(&["man", "woman"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert_eq!(unknown.stderr, b"error: woman: there is no such command\n");

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("man");
    fs::create_dir_all(&folder).expect("the folder can be made");
    let folder = folder.to_str().expect("it is UTF-8");
    assert_eq!(text(&["man", "--dir", folder]), "");
    for name in COMMANDS {
        let page = Path::new(folder).join(format!("sbpf-cranelift-{name}.1"));
        assert!(page.is_file(), "{name}");
    }
}

#[test]
fn a_dump_as_json_has_the_text_of_each_stage() {
    let arguments = ["dump", "--sample", "memo", "--emit", "insns,clif"];
    let dump = text(&arguments);
    let json = text(&[&arguments[..], &["--json"]].concat());
    let parts: Value = serde_json::from_str(&json).expect("it is JSON");
    let parts = parts.as_array().expect("it is a list");
    assert!(parts.len() > 10);
    for part in parts {
        let field = |name: &str| part[name].as_str().expect("it is text");
        assert!(["insns", "clif"].contains(&field("stage")));
        let whole = format!(
            "\n;;; {}: {}\n{}",
            field("stage"),
            field("function"),
            field("text")
        );
        assert!(dump.contains(&whole), "{whole}");
    }
}

#[test]
fn a_quiet_cache_tells_only_what_went_wrong() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("quiet_cache");
    let folder = folder.to_str().expect("it is UTF-8");
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/sum.s");
    for action in [&["status"][..], &["warm", program], &["clear"]] {
        let arguments = [&["cache"], action, &["--dir", folder]].concat();
        assert_ne!(text(&arguments), "");
        assert_eq!(text(&[&arguments[..], &["--quiet"]].concat()), "");
    }
    // No directory can be made below a file.
    let below = format!("{program}/cache");
    let failed = output(&["cache", "warm", program, "--dir", &below, "-q"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stdout).contains("not stored: "));
    let both = output(&["cache", "status", "--dir", folder, "-q", "--json"]);
    assert_eq!(both.status.code(), Some(2));
}

/// Asks cargo, which there is not on every machine that runs these tests.
#[test]
fn the_check_of_a_host_can_be_read_by_scripts() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let check = ["swap-in", "--check", "--manifest-path", manifest];
    let plain = output(&check);
    if plain.status.code() == Some(2) {
        eprintln!("skipped: {}", String::from_utf8_lossy(&plain.stderr));
        return;
    }
    let json = output(&[&check[..], &["--json"]].concat());
    assert_eq!(json.status.code(), Some(1));
    let value: Value = serde_json::from_slice(&json.stdout).expect("it is JSON");
    assert_eq!(value["in_use"], false);
    assert_eq!(value["solana_sbpf"][0]["version"], "0.26.0");
    let quiet = output(&[&check[..], &["--quiet"]].concat());
    assert_eq!((quiet.status.code(), quiet.stdout.len()), (Some(1), 0));
}

#[test]
fn what_is_no_terminal_gets_no_colours() {
    for arguments in [
        &["run", "--sample", "memo"][..],
        &["--help"],
        &["run", "--help"],
    ] {
        assert!(!text(arguments).contains('\x1b'), "{arguments:?}");
    }
}
