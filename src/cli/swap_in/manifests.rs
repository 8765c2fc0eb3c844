//! The manifests of the directory, made from ours and upstream's.

use {
    super::{cargo::SOLANA_SBPF, embedded, source::Source, versions::Known},
    crate::cli::failure::Failure,
    toml::{Table, Value},
};

/// The real crate, in the directory.
const UPSTREAM: &str = "solana-sbpf-upstream";

/// The table below `[package.metadata]` that tells our directories from others.
pub(super) const MARKER: &str = "sbpf-cranelift";

/// Texts of the manifests.
#[derive(Debug)]
pub(super) struct Manifests {
    /// Of the facade and the workspace that all are in.
    pub(super) facade: String,
    /// Of our library over the real crate.
    pub(super) adapter: String,
    /// Of the real crate under its other name.
    pub(super) upstream: String,
}

/// Whether a manifest is the one of a directory that we wrote.
pub(super) fn is_swap_in(manifest: &str) -> bool {
    let manifest: Option<Table> = manifest.parse().ok();
    manifest.is_some_and(|manifest| {
        let metadata = manifest
            .get("package")
            .and_then(|package| package.get("metadata"));
        metadata.is_some_and(|metadata| metadata.get(MARKER).is_some())
    })
}

impl Manifests {
    /// Makes the manifests for a version.
    ///
    /// # Errors
    /// When upstream's manifest is not as expected.
    pub(super) fn new(known: &Known, source: &Source) -> Result<Self, Failure> {
        let upstream = parse("Cargo.toml of solana-sbpf", &source.manifest)?;
        let root = parse("Cargo.toml of sbpf-cranelift", embedded::ROOT_MANIFEST)?;
        let facade = parse("Cargo.toml of the facade", embedded::FACADE_MANIFEST)?;
        Ok(Self {
            facade: print(&facade_manifest(facade, &root, &upstream, known)),
            adapter: print(&adapter_manifest(&root, &upstream)),
            upstream: print(&upstream_manifest(upstream)),
        })
    }
}

/// The facade's manifest of this repository, under the name and version of the real crate, with
/// its features; and the workspace, because the other crates inherit from it.
fn facade_manifest(mut facade: Table, root: &Table, upstream: &Table, known: &Known) -> Table {
    let mut marker = Table::new();
    marker.insert("swap-in".into(), Value::from(env!("CARGO_PKG_VERSION")));
    let metadata = Table::from_iter([(MARKER.to_owned(), Value::Table(marker))]);
    let package = table(&mut facade, "package");
    package.insert("name".into(), Value::from(SOLANA_SBPF));
    package.insert("version".into(), Value::from(known.version));
    package.insert("metadata".into(), Value::Table(metadata));

    facade.remove("dev-dependencies");
    facade.insert(
        "features".into(),
        Value::Table(forwarded_features(upstream)),
    );
    let dependencies = table(&mut facade, "dependencies");
    dependencies.insert(
        "upstream".into(),
        path_dependency("upstream", Some(UPSTREAM)),
    );
    dependencies.insert("sbpf-cranelift".into(), path_dependency("adapter", None));

    let mut workspace = child(root, "workspace");
    let members = ["adapter", "lowering", "runtime", "upstream"];
    workspace.insert("members".into(), Value::from(members.to_vec()));
    table(&mut workspace, "dependencies").insert(
        SOLANA_SBPF.into(),
        path_dependency("upstream", Some(UPSTREAM)),
    );
    facade.insert("workspace".into(), Value::Table(workspace));
    facade
}

/// The manifest of our library, without the command line, tests and benches.
fn adapter_manifest(root: &Table, upstream: &Table) -> Table {
    let mut package = child(root, "package");
    package.remove("default-run");
    let mut dependencies = child(root, "dependencies");
    dependencies.retain(|_, dependency| dependency.get("optional").is_none());
    let traces = if child(upstream, "features").contains_key("tracer") {
        vec![format!("{SOLANA_SBPF}/tracer")]
    } else {
        Vec::new()
    };
    let features = [
        ("disassembly", vec!["cranelift-codegen/disas".to_owned()]),
        // Known, so that nothing warns, and never enabled.
        ("ebpf", Vec::new()),
        ("gdb", Vec::new()),
        // The facade itself has the hand-written JIT as the lower tier.
        ("hand-written", Vec::new()),
        ("tracer", traces),
    ];
    let features = features.map(|(name, enabled)| (name.to_owned(), Value::from(enabled)));
    Table::from_iter([
        ("package".to_owned(), Value::Table(package)),
        ("lints".to_owned(), Value::Table(child(root, "lints"))),
        (
            "features".to_owned(),
            Value::Table(Table::from_iter(features)),
        ),
        ("dependencies".to_owned(), Value::Table(dependencies)),
        ("target".to_owned(), Value::Table(target_dependencies(root))),
    ])
}

/// The dependencies for some systems only, without those of tests.
fn target_dependencies(root: &Table) -> Table {
    let mut targets = child(root, "target");
    for (_, target) in &mut targets {
        if let Value::Table(target) = target {
            target.retain(|kind, _| kind == "dependencies");
            table(target, "dependencies")
                .retain(|_, dependency| dependency.get("optional").is_none());
        }
    }
    targets
}

/// Upstream's manifest under another name, without what only its own tests need.
fn upstream_manifest(mut upstream: Table) -> Table {
    for unneeded in ["dev-dependencies", "test", "bench", "example", "bin"] {
        upstream.remove(unneeded);
    }
    let package = table(&mut upstream, "package");
    package.insert("name".into(), Value::from(UPSTREAM));
    package.insert("publish".into(), Value::from(false));
    for unneeded in ["include", "readme"] {
        package.remove(unneeded);
    }
    // Cargo silences crates of a registry, but not this copy.
    let warnings = Table::from_iter([("warnings".to_owned(), Value::from("allow"))]);
    let lints = Table::from_iter([("rust".to_owned(), Value::Table(warnings))]);
    upstream.insert("lints".into(), Value::Table(lints));
    upstream
}

/// Every feature of the real crate, forwarded to it.
fn forwarded_features(upstream: &Table) -> Table {
    let features = child(upstream, "features");
    let mentions = |what: &str| {
        let lists = features.values().filter_map(Value::as_array).flatten();
        lists.filter_map(Value::as_str).any(|entry| entry == what)
    };
    let dependencies = child(upstream, "dependencies");
    // An optional dependency is a feature unless some feature names it with `dep:`.
    let implied = dependencies
        .iter()
        .filter(|(name, dependency)| {
            dependency.get("optional") == Some(&Value::Boolean(true))
                && !mentions(&format!("dep:{name}"))
        })
        .map(|(name, _)| name.clone());
    let names = features.keys().cloned().chain(implied);
    names
        .map(|name| {
            let own = features.get(&name).and_then(Value::as_array);
            let mut enabled: Vec<String> = own
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .filter(|entry| features.contains_key(*entry))
                .map(str::to_owned)
                .collect();
            if name != "default" {
                enabled.push(format!("upstream/{name}"));
            }
            if name == "tracer" {
                enabled.push("sbpf-cranelift/tracer".to_owned());
            }
            (name, Value::from(enabled))
        })
        .collect()
}

fn path_dependency(path: &str, package: Option<&str>) -> Value {
    let mut dependency = Table::new();
    if let Some(package) = package {
        dependency.insert("package".into(), Value::from(package));
    }
    dependency.insert("path".into(), Value::from(path));
    dependency.insert("default-features".into(), Value::from(false));
    Value::Table(dependency)
}

/// A copy of the table `name`; empty if there is none.
fn child(parent: &Table, name: &str) -> Table {
    match parent.get(name) {
        Some(Value::Table(child)) => child.clone(),
        _ => Table::new(),
    }
}

/// The table `name`, made if there is none.
fn table<'a>(parent: &'a mut Table, name: &str) -> &'a mut Table {
    let child = parent
        .entry(name)
        .or_insert_with(|| Value::Table(Table::new()));
    if !child.is_table() {
        *child = Value::Table(Table::new());
    }
    match child {
        Value::Table(child) => child,
        _ => unreachable!("it was made a table above"),
    }
}

fn parse(what: &str, manifest: &str) -> Result<Table, Failure> {
    manifest
        .parse()
        .map_err(|error: toml::de::Error| Failure::at(what, error.to_string()))
}

fn print(manifest: &Table) -> String {
    format!("# Written by `sbpf-cranelift swap-in`.\n\n{manifest}")
}
