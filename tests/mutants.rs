//! The bugs in `tests/mutants` belong to the sources as they are: one that does not apply any more
//! tests nothing, and `.ci/mutants` takes hours to come to it.

use std::{fs, path::Path};

/// A patch changes one place of one file.
#[test]
fn every_mutant_applies() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut mutants = 0;
    for entry in fs::read_dir(root.join("tests/mutants")).expect("it is there") {
        let path = entry.expect("it can be read").path();
        let text = fs::read_to_string(&path).expect("it is text");
        let (head, change) = text.split_once("\n@@").expect("it has a change");
        let (_, file) = head.split_once("+++ b/").expect("it names a file");
        let source = fs::read_to_string(root.join(file)).expect("the file is there");
        let source = source.replace("\r\n", "\n");
        let lines = change.lines().skip(1).filter(|line| !line.starts_with('+'));
        let before: Vec<&str> = lines.map(|line| line.get(1..).unwrap_or("")).collect();
        let before = before.join("\n");
        assert!(
            source.contains(&before),
            "{} does not apply:\n{before}",
            path.display()
        );
        mutants += 1;
    }
    assert!(mutants > 50, "{mutants} mutants");
}
