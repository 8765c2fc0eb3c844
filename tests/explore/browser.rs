//! The page in a browser without a window: Chromium or Chrome, from the path or as `SBPF_BROWSER`
//! says. Where there is none, these tests say so and pass.

use {
    super::{output, profile, program, scratch, text},
    std::{
        env, fs,
        io::{self, Write as _},
        path::{Path, PathBuf},
        process::{Command, Stdio},
    },
};

/// What browsers are called.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// The browser. Where there is none, says so, in spite of the harness that keeps what passing tests
/// print.
fn browser() -> Option<PathBuf> {
    let browser = find();
    if browser.is_none() {
        let line = "NOT TESTED: there is no Chromium or Chrome; SBPF_BROWSER may name one";
        let _ = writeln!(io::stderr(), "{line}");
    }
    browser
}

/// The browser, if there is one.
fn find() -> Option<PathBuf> {
    if let Some(path) = env::var_os("SBPF_BROWSER") {
        return Some(path.into());
    }
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .flat_map(|folder| NAMES.map(|name| folder.join(name)))
        .find(|path| path.is_file())
}

/// Writes a page of the program for one test, with `script` at its end.
fn page(name: &str, arguments: &[&str], script: &str) -> PathBuf {
    let program = program();
    let page = output(&[&["explore", &*program], arguments].concat());
    let script = format!(
        "<script>(async () => {{
        const ready = async () => {{
            do await new Promise((resolve) => setTimeout(resolve, 20));
            while (document.body.dataset.ready === undefined);
        }};
        await ready();
        {script}
        await ready();
        document.body.dataset.done = '';
        }})();</script></body>"
    );
    let path = scratch(&format!("{name}.html"));
    fs::write(&path, page.replace("</body>", &script)).expect("the page can be written");
    path
}

/// The document that the browser has made of a page; none where there is no browser.
fn document(page: &Path, fragment: &str) -> Option<String> {
    let browser = browser()?;
    let home = tempfile::tempdir().expect("there is room for a profile");
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,800",
            "--virtual-time-budget=20000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", home.path().display()))
        .arg(format!("file://{}#{fragment}", page.display()))
        .stderr(Stdio::null())
        .output()
        .expect("the browser starts");
    let document = String::from_utf8(output.stdout).expect("the document is UTF-8");
    // What the page was made from is of no interest.
    let (shown, _) = document.split_once("<noscript>").expect("there is a body");
    assert!(
        document.contains("data-done"),
        "the page did not get ready:\n{shown}"
    );
    Some(shown.to_string())
}

/// The lines of a column, as they are in the document.
fn lines<'a>(document: &'a str, column: &str) -> Vec<&'a str> {
    let start = format!("id=\"column-{column}\"");
    let (_, rest) = document.split_once(&start).expect("the column is shown");
    let column = rest.split("class=\"column\"").next().unwrap_or_default();
    let lines = column.split("<div class=\"line").skip(1);
    // The element around them has the class `lines`.
    lines.filter(|line| !line.starts_with('s')).collect()
}

/// The lines of a column that are chosen.
fn chosen<'a>(document: &'a str, column: &str) -> Vec<&'a str> {
    let lines = lines(document, column).into_iter();
    lines.filter(|line| line.starts_with(" chosen")).collect()
}

#[test]
fn an_address_chooses_function_line_and_columns() {
    let page = page("address", &[], "");
    let all = "sbpf,checks,clif,x86_64,aarch64";
    let fragment = format!("f=entrypoint&pc=7&columns={all}");
    let Some(document) = document(&page, &fragment) else {
        return;
    };
    assert!(document.contains("<h1>entrypoint</h1>"));
    assert!(document.contains("pc 0 · 14 instructions · 4 blocks"));
    for column in all.split(',') {
        let chosen = chosen(&document, column);
        assert!(!chosen.is_empty(), "{column}");
        assert!(
            chosen.iter().all(|line| line.contains("data-pc=\"7\"")),
            "{column}"
        );
    }
    let listing = lines(&document, "sbpf");
    assert_eq!(listing.len(), 14 + 4);
    assert!(listing[0].contains("block 0  cost 6"), "{}", listing[0]);
    let checks = lines(&document, "checks");
    assert!(
        checks[7].contains("checkpoint: meter ≥ 11"),
        "{}",
        checks[7]
    );
    assert!(!document.contains("column-hand-written"));
}

#[test]
fn a_search_finds_opcodes_symbols_and_pcs() {
    let page = page("search", &[], "");
    for (query, words) in [
        ("lsh64", "<b>lsh64</b> r1"),
        ("function_twice", "<b>function_twice</b>"),
        ("13", "<b>exit</b>"),
        ("0xd", "<b>exit</b>"),
        ("nowhere", "Nothing has that in it."),
    ] {
        let Some(document) = document(&page, &format!("q={query}")) else {
            return;
        };
        let (_, results) = document
            .split_once("id=\"results\"")
            .expect("there are results");
        let results = results.split("<nav").next().unwrap_or_default();
        assert!(results.contains(words), "{query}: {results}");
        assert!(!results.starts_with(" hidden"), "{query}");
    }
}

#[test]
fn lines_are_linked_by_clicking_and_hovering() {
    let script = "
        const line = (column, pc) => document.querySelector(`#column-${column} .line:not(.block)[data-pc='${pc}']`);
        line('sbpf', 6).dispatchEvent(new MouseEvent('click', { bubbles: true }));
        await ready();
        line('checks', 9).dispatchEvent(new MouseEvent('mouseover', { bubbles: true }));";
    let page = page("click", &[], script);
    let Some(document) = document(&page, "f=entrypoint") else {
        return;
    };
    for column in ["sbpf", "checks", "clif", "x86_64"] {
        let chosen = chosen(&document, column);
        assert!(!chosen.is_empty(), "{column}");
        assert!(
            chosen.iter().all(|line| line.contains("data-pc=\"6\"")),
            "{column}"
        );
    }
    let listing = lines(&document, "sbpf");
    let hovered: Vec<_> = listing
        .iter()
        .filter(|line| line.starts_with(" hover"))
        .collect();
    assert!(
        matches!(hovered[..], [line] if line.contains("data-pc=\"9\"")),
        "{hovered:?}"
    );
}

#[test]
fn functions_columns_and_views_are_chosen_by_clicking() {
    let script = "
        const click = async (which) => {
            document.querySelector(which).dispatchEvent(new MouseEvent('click', { bubbles: true }));
            await ready();
        };
        await click('#functions [data-f=\"1\"]');
        await click('[data-column=\"clif\"]');
        await click('[data-view=\"calls\"]');
        document.body.dataset.place = location.hash;";
    let page = page("choose", &[], script);
    let Some(document) = document(&page, "") else {
        return;
    };
    assert!(document.contains("<h1>function_twice</h1>"));
    let place = "data-place=\"#f=function_twice&amp;view=calls&amp;columns=sbpf,checks,x86_64\"";
    assert!(
        document.contains(place),
        "{}",
        document.split("<header").next().unwrap_or_default()
    );
    let (_, graph) = document
        .split_once("id=\"graph\"")
        .expect("there is a graph");
    assert!(graph.contains("<title>calls of function_twice</title>"));
}

#[test]
fn a_profile_is_shown_beside_lines_and_in_graphs() {
    let page = page("profile", &["--profile", &profile("browser.json")], "");
    let Some(shown) = document(&page, "f=0&order=executed") else {
        return;
    };
    let listing = lines(&shown, "sbpf");
    let count = |pc: u32| {
        let pc = format!("data-pc=\"{pc}\"");
        let mut lines = listing.iter().filter(|line| line.contains(&pc));
        lines.find(|line| !line.starts_with(" block")).copied()
    };
    assert!(count(8).is_some_and(|line| line.contains("heat9\">16</span>")));
    assert!(count(0).is_some_and(|line| line.contains(">1</span>")));
    assert!(shown.contains("· 89 executed"));
    let Some(shown) = document(&page, "f=0&view=flow") else {
        return;
    };
    assert!(shown.contains("6: cost 5, checks for 11, × 16"));
}

#[test]
fn only_lines_in_sight_are_in_the_document() {
    let path = scratch("long.s");
    let body = "add64 r0, 1\n".repeat(2_000);
    fs::write(&path, format!("entrypoint:\nmov r0, 0\n{body}exit\n")).expect("it can be written");
    let html = output(&["explore", &text(&path)]);
    let long = scratch("long.html");
    fs::write(&long, html.replace("</body>", "<p data-done></p></body>")).expect("it can be");
    let Some(shown) = document(&long, "pc=1500") else {
        return;
    };
    let listing = lines(&shown, "sbpf");
    assert!(listing.len() < 150, "{} lines", listing.len());
    assert!(listing.iter().any(|line| line.contains("data-pc=\"1500\"")));
}
