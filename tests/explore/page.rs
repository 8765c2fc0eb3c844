//! The page as text: it needs nothing else, and holds what it should.

use {
    super::{assert_refused, output, profile, program, scratch, text},
    base64::{Engine as _, engine::general_purpose::STANDARD},
    flate2::read::ZlibDecoder,
    serde_json::Value,
    std::{fs, io::Read as _},
};

/// What a page holds under `id`, unpacked.
fn unpacked(page: &str, id: &str) -> Value {
    let start = format!("<script type=\"text/plain\" id=\"{id}\">");
    let (_, rest) = page.split_once(&start).expect("the page has it");
    let (packed, _) = rest.split_once("</script>").expect("it ends");
    let bytes = STANDARD.decode(packed).expect("it is base64");
    let mut json = Vec::new();
    ZlibDecoder::new(&*bytes)
        .read_to_end(&mut json)
        .expect("it is deflated");
    serde_json::from_slice(&json).expect("it is JSON")
}

/// All instructions of a function's listing.
fn insns(blocks: &Value) -> Vec<&Value> {
    let blocks = blocks.as_array().expect("there are blocks").iter();
    blocks
        .flat_map(|block| block["insns"].as_array().expect("there are instructions"))
        .collect()
}

/// The text of a column of code, and the pcs of its lines.
fn column(page: &str, function: usize, column: usize) -> (String, Vec<i64>) {
    let code = unpacked(page, &format!("code{function}"));
    let column = &code[column];
    let text = column["text"].as_str().expect("there is text");
    let pcs = column["pcs"].as_array().expect("there are pcs").iter();
    let pcs: Vec<i64> = pcs.filter_map(Value::as_i64).collect();
    assert_eq!(text.split('\n').count(), pcs.len());
    (text.to_string(), pcs)
}

#[test]
fn a_page_needs_nothing_else() {
    let page = output(&["explore", &program()]);
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    for foreign in [
        "http:", "https:", "src=", "@import", "url(\"", "<link", "fetch(",
    ] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

#[test]
fn functions_have_sizes_and_calls() {
    let page = output(&["explore", &program()]);
    let index = unpacked(&page, "index");
    assert_eq!(index["program"]["title"], "sBPF V3");
    assert_eq!(index["program"]["slots"], 17);
    let functions = index["functions"].as_array().expect("there are functions");
    assert_eq!(functions.len(), 2);
    assert_eq!(functions[0]["name"], "entrypoint");
    assert_eq!(functions[0]["instructions"], 14);
    assert_eq!(functions[0]["callees"], serde_json::json!([1]));
    assert_eq!(functions[1]["name"], "function_twice");
    assert_eq!(functions[1]["ranges"], serde_json::json!([14, 17]));
    for function in functions {
        let bytes = function["bytes"].as_array().expect("there are sizes");
        assert_eq!(bytes.len(), 2);
        assert!(bytes.iter().all(|bytes| bytes.as_u64() > Some(0)));
    }
    assert!(index["counts"].is_null());
    let graph = index["call_graph"].as_str().expect("there is a call graph");
    assert!(graph.contains("function_twice"));
}

#[test]
fn blocks_have_costs_checkpoints_and_checks() {
    let listing = unpacked(&output(&["explore", &program()]), "listing");
    let blocks = listing[0].as_array().expect("there are blocks");
    let costs: Vec<_> = blocks
        .iter()
        .filter_map(|block| block["cost"].as_u64())
        .collect();
    assert_eq!(costs, [6, 5, 2, 1]);
    // A turn of the loop, what is behind it, the function that is inlined there, and the `exit`.
    assert_eq!(blocks[1]["needed"], 5 + 2 + 3 + 1);
    assert_eq!(blocks[1]["in_loop"], 0);
    assert!(blocks[2]["needed"].is_null());
    let insns = insns(&listing[0]);
    let check = |pc: usize| insns[pc]["check"].as_str().unwrap_or_default();
    assert_eq!(
        check(0),
        "check read [r1+0], 16 bytes, also for 1; else interpret to 3"
    );
    assert_eq!(check(1), "checked at 0");
    assert_eq!(insns[1]["checked_at"], 0);
    assert_eq!(check(2), "own frame: no check");
    assert!(
        check(6).ends_with("kept in loop 0; else interpret to 7"),
        "{}",
        check(6)
    );
    assert_eq!(insns[0]["source"], "ldxdw r6, [r1+0x0]");
    assert_eq!(insns[0]["text"], "load64 r6, [r1+0]");
    assert_eq!(insns[0]["bytes"], "7916000000000000");
    assert_eq!(insns[12]["source"], "call 14 function_twice");
}

#[test]
fn a_callx_is_linked_to_what_it_is_likely_to_call() {
    let path = scratch("callx.s");
    let source = "entrypoint:\nlddw r2, 0x100000020\ncallx r2\nexit\nmov64 r0, 3\nexit\n";
    fs::write(&path, source).expect("the file can be written");
    let page = output(&["explore", &text(&path), "--sbpf-version", "v0"]);
    assert_eq!(
        unpacked(&page, "index")["functions"][0]["callees"],
        serde_json::json!([1])
    );
    let listing = unpacked(&page, "listing");
    assert_eq!(
        insns(&listing[0])[1]["check"],
        "calls 4 directly if it is that"
    );
    // An instruction of two slots is one.
    assert_eq!(insns(&listing[0])[0]["source"], "lddw r2, 0x100000020");
    assert_eq!(insns(&listing[0])[1]["pc"], 2);
}

#[test]
fn each_instruction_is_linked_to_code_of_each_machine() {
    let page = output(&["explore", &program()]);
    let index = unpacked(&page, "index");
    let columns = index["columns"].as_array().expect("there are columns");
    let is_here = cfg!(all(
        target_arch = "x86_64",
        not(target_os = "windows"),
        feature = "hand-written"
    ));
    assert_eq!(columns.len(), if is_here { 4 } else { 3 });
    for (number, opcode) in ["iadd", "add", "add", "add"]
        .iter()
        .enumerate()
        .take(columns.len())
    {
        let (text, pcs) = column(&page, 0, number);
        for pc in [0, 6, 7, 10, 12, 13] {
            assert!(pcs.contains(&pc), "column {number} has nothing for pc {pc}");
        }
        // The sum of pc 7.
        let mut lines = text.split('\n').zip(&pcs);
        let has_sum = lines.any(|(line, pc)| *pc == 7 && line.contains(opcode));
        assert!(has_sum, "column {number}:\n{text}");
    }
    let (clif, _) = column(&page, 0, 0);
    assert!(clif.contains("; meter: pc 6 needs 11") && !clif.contains('\u{1}'));
}

#[test]
fn a_profile_counts_and_heats() {
    let page = output(&["explore", &program(), "--profile", &profile("counts.json")]);
    let counts = unpacked(&page, "index")["counts"].clone();
    let counts = counts.as_array().expect("there are counts");
    assert_eq!(counts.len(), 2 * 16);
    assert_eq!(
        (&counts[12], &counts[13]),
        (&Value::from(6), &Value::from(16))
    );
    let graphs = unpacked(&page, "graphs0");
    let flow = graphs["flow"].as_str().expect("there is a graph");
    assert!(flow.contains("heat9") && flow.contains("× 16"), "{flow}");
}

#[test]
fn what_a_run_counted_is_read() {
    let path = scratch("fibonacci.json");
    let fibonacci = program().replace("explored.s", "fibonacci.s");
    output(&["run", &fibonacci, "--profile-json", &text(&path)]);
    let page = output(&["explore", &fibonacci, "--profile", &text(&path)]);
    let counts = unpacked(&page, "index")["counts"].clone();
    let counts: Vec<u64> = serde_json::from_value(counts).expect("there are counts");
    let of = |pc: u64| {
        counts
            .chunks(2)
            .find(|pair| pair[0] == pc)
            .map(|pair| pair[1])
    };
    // fibonacci(20) by recursion.
    assert_eq!((of(0), of(3)), (Some(1), Some(21_891)));
}

#[test]
fn other_profiles_are_refused() {
    let document = |name: &str, json: &str| {
        let path = scratch(name);
        fs::write(&path, json).expect("the file can be written");
        text(&path)
    };
    let program = program();
    for (name, json, words) in [
        ("no-json", "pc 1", "not a profile of a run"),
        ("no-counts", "{}", "missing field `counts`"),
        (
            "no-pc",
            r#"{"counts":{"one":1}}"#,
            "\"one\", which is no pc",
        ),
        ("new", r#"{"format":2,"counts":{}}"#, "this reads format 1"),
        ("other", r#"{"counts":{"9999":1}}"#, "of another program"),
    ] {
        let path = document(name, json);
        assert_refused(&["explore", &program, "--profile", &path], words);
        assert_refused(&["graph", &program, "--profile", &path], words);
    }
    assert_refused(
        &["explore", &program, "--profile", "absent.json"],
        "absent.json",
    );
}

#[test]
fn a_page_goes_to_a_file() {
    let path = scratch("page.html");
    let printed = output(&["explore", "--sample", "memo", "-o", &text(&path)]);
    assert_eq!(printed, "");
    let page = fs::read_to_string(&path).expect("the page was written");
    let index = unpacked(&page, "index");
    assert_eq!(index["program"]["name"], "spl_memo-3.0.0.so");
    assert!(index["functions"].as_array().map(Vec::len) > Some(100));
    let absent = text(&scratch("absent").join("page.html"));
    assert_refused(&["explore", &program(), "-o", &absent], "page.html");
}

#[test]
fn standard_ebpf_is_shown() {
    let path = scratch("ebpf.bin");
    // mov r0, 3; exit
    let bytes = [0xb7, 0, 0, 0, 3, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    fs::write(&path, bytes).expect("the file can be written");
    let page = output(&["explore", &text(&path), "--dialect", "ebpf"]);
    let index = unpacked(&page, "index");
    assert_eq!(index["program"]["title"], "eBPF");
    assert_eq!(index["columns"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        insns(&unpacked(&page, "listing")[0])[0]["source"],
        "mov64 r0, 0x3"
    );
}

#[test]
fn scripts_get_what_the_page_knows() {
    let page = output(&["explore", &program()]);
    let data = output(&["explore", &program(), "--json", "--quiet"]);
    let data: Value = serde_json::from_str(&data).expect("it is JSON");
    assert_eq!(data["blocks"], unpacked(&page, "listing"));
    assert_eq!(
        data["index"]["functions"],
        unpacked(&page, "index")["functions"]
    );
}

#[test]
fn names_of_files_are_no_markup() {
    // Windows has no such names.
    let path = scratch(if cfg!(windows) {
        "b & co.s"
    } else {
        "<b> & co.s"
    });
    fs::write(&path, "entrypoint:\nmov r0, 7\nexit\n").expect("the file can be written");
    let page = output(&["explore", &text(&path)]);
    assert!(!page.contains("<b> & co.s"));
}
