//! The structure of the source: between the files of one crate, dependencies point one way, and the
//! scenarios are few programs.
//!
//! A file depends on another if it names a path that begins with `crate`, `super` or `self` and
//! leads there, through re-exports of the crate's root too. Tests are not looked at. Where the root
//! file or a parent module names its children, it only puts them together and counts as above them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use petgraph::{algo::tarjan_scc, graphmap::DiGraphMap};
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree, Visibility, visit::Visit};

/// The crates of the driver, what administers it, and what proves it.
const CRATES: [&str; 17] = [
    "crates/checksum",
    "crates/children",
    "crates/control",
    "crates/filter",
    "crates/lso",
    "crates/mslsoctl",
    "crates/ndis",
    "crates/ndis-sys",
    "crates/package",
    "lab/chaos",
    "lab/harness",
    "lab/lab",
    "lab/livelab",
    "lab/model",
    "lab/nullndis",
    "lab/reference",
    "lab/testpkt",
];

/// A module as the segments of its path from the crate's root.
type Module = Vec<String>;

/// The files of a crate by the module that each is.
struct Crate {
    files: BTreeMap<Module, syn::File>,
    /// The names that the root re-exports, with the path of what each stands for.
    exports: BTreeMap<String, Module>,
}

impl Crate {
    fn read(source: &Path) -> Self {
        let mut files = BTreeMap::new();
        for path in rust_files(source) {
            let text = fs::read_to_string(&path).expect("a readable file");
            let file = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            files.insert(
                module(path.strip_prefix(source).expect("a path below")),
                file,
            );
        }
        let mut exports = BTreeMap::new();
        for item in files
            .get(&Vec::new())
            .into_iter()
            .flat_map(|root| &root.items)
        {
            if let Item::Use(ItemUse { vis, tree, .. }) = item
                && !matches!(vis, Visibility::Inherited)
            {
                leaves(tree, &mut Vec::new(), &mut |path, name| {
                    let inside = path.strip_prefix(&["crate".to_owned()]).unwrap_or(path);
                    exports.insert(name.to_owned(), inside.to_vec());
                });
            }
        }
        Self { files, exports }
    }

    /// The file that a path from the crate's root leads to.
    fn file_of(&self, path: &[String]) -> Option<Module> {
        let path = path
            .first()
            .and_then(|name| self.exports.get(name))
            .map_or(path, Vec::as_slice);
        (1..=path.len())
            .rev()
            .map(|length| path[..length].to_vec())
            .find(|module| self.files.contains_key(module))
    }

    /// The files that each file depends on.
    fn dependencies(&self) -> BTreeSet<(Module, Module)> {
        let mut all = BTreeSet::new();
        for (module, file) in &self.files {
            let mut paths = Paths::default();
            paths.visit_file(file);
            let targets = paths
                .0
                .iter()
                .filter_map(|path| self.file_of(&absolute(module, path)?));
            // A parent puts its children together; what they need of it is a dependency.
            let others = targets.filter(|to| !to.starts_with(module));
            all.extend(others.map(|to| (module.clone(), to)));
        }
        all
    }

    /// Groups of files of which each depends on each.
    fn circles(&self) -> Vec<Vec<String>> {
        let dependencies = self.dependencies();
        let graph: DiGraphMap<&Module, ()> = dependencies.iter().map(|(a, b)| (a, b)).collect();
        let name = |module: &Module| module.join("::");
        tarjan_scc(&graph)
            .into_iter()
            .filter(|group| group.len() > 1)
            .map(|group| group.into_iter().map(name).collect())
            .collect()
    }
}

/// A path from the crate's root; `None` for one that leads out of the crate.
fn absolute(module: &Module, path: &[String]) -> Option<Module> {
    let mut base = match path.first()?.as_str() {
        "crate" => Vec::new(),
        "self" => module.clone(),
        "super" => module.split_last()?.1.to_vec(),
        _ => return None,
    };
    for name in &path[1..] {
        if name == "super" {
            base.pop()?;
        } else {
            base.push(name.clone());
        }
    }
    Some(base)
}

/// The module that a file is, by its path below `src`.
fn module(path: &Path) -> Module {
    let mut names: Module = path
        .with_extension("")
        .iter()
        .map(|name| name.to_str().expect("UTF-8").to_owned())
        .collect();
    if matches!(
        names.last().map(String::as_str),
        Some("mod" | "lib" | "main")
    ) {
        names.pop();
    }
    names
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(rust_files(&path));
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            all.push(path);
        }
    }
    all
}

/// All paths that a file names.
#[derive(Default)]
struct Paths(Vec<Module>);

impl Visit<'_> for Paths {
    fn visit_item_mod(&mut self, item: &ItemMod) {
        if !item.attrs.iter().any(is_cfg_test) {
            syn::visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        leaves(&item.tree, &mut Vec::new(), &mut |path, _| {
            self.0.push(path.to_vec())
        });
    }

    fn visit_path(&mut self, path: &syn::Path) {
        self.0.push(
            path.segments
                .iter()
                .map(|segment| segment.ident.to_string())
                .collect(),
        );
        syn::visit::visit_path(self, path);
    }
}

fn is_cfg_test(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute
            .parse_args::<syn::Path>()
            .is_ok_and(|path| path.is_ident("test"))
}

/// Calls `each` with the path and the name of all that a `use` brings in.
fn leaves(tree: &UseTree, path: &mut Module, each: &mut impl FnMut(&[String], &str)) {
    let depth = path.len();
    match tree {
        UseTree::Path(part) => {
            path.push(part.ident.to_string());
            leaves(&part.tree, path, each);
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                leaves(tree, path, each);
            }
        }
        UseTree::Glob(_) => each(path, "*"),
        UseTree::Name(name) => {
            // `a::{self}` is `a`.
            if name.ident != "self" {
                path.push(name.ident.to_string());
            }
            let last = path.last().cloned().unwrap_or_default();
            each(path, &last);
        }
        UseTree::Rename(name) => {
            path.push(name.ident.to_string());
            each(path, &name.rename.to_string());
        }
    }
    path.truncate(depth);
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(name)
        .join("src")
}

#[test]
fn no_two_files_of_a_crate_depend_on_each_other() {
    let mut found = Vec::new();
    for name in CRATES {
        let of_crate = Crate::read(&source(name));
        assert!(!of_crate.files.is_empty(), "{name} has files");
        found.extend(
            of_crate
                .circles()
                .into_iter()
                .map(|circle| format!("{name}: {circle:?}")),
        );
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_circle_through_a_re_export_and_one_through_super_are_found() {
    let parse = |text| syn::parse_str(text).expect("Rust");
    let names = |path: &str| path.split("::").map(str::to_owned).collect::<Module>();
    let files = [
        (
            Vec::new(),
            parse("mod a; mod b; mod c; pub use crate::b::B;"),
        ),
        (names("a"), parse("use crate::{B, c};")),
        (
            names("b"),
            parse("pub struct B; fn f() -> super::a::A { todo!() }"),
        ),
        (
            names("c"),
            parse("#[cfg(test)] mod tests { use crate::a; }"),
        ),
    ];
    let of_crate = Crate {
        files: files.into(),
        exports: [("B".to_owned(), names("b::B"))].into(),
    };
    let circles = of_crate.circles();
    assert_eq!(circles.len(), 1, "{circles:?}");
    assert_eq!(circles[0].iter().collect::<BTreeSet<_>>().len(), 2);
    assert!(!circles[0].contains(&"c".to_owned()));
}

/// Each test program is linked with the driver, the model and the lab, which takes time and disk.
#[test]
fn the_scenarios_are_five_programs() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let programs: BTreeSet<_> = fs::read_dir(tests)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("UTF-8"))
        .collect();
    let five = ["contract", "documents", "filter", "image", "rules"];
    assert_eq!(programs, five.map(str::to_owned).into());
}

/// Where a file may depend on the system it is built for: live traffic, the administrator's tool, the
/// model's guard pages, a register that images use, and routines that are bound in the image alone.
const SYSTEMS: [&str; 5] = [
    "crates/mslsoctl/src",
    "crates/ndis-sys/src/routines.rs",
    "lab/livelab/src",
    "lab/model/src/guard",
    "lab/model/src/processor_block.rs",
];

#[test]
fn systems_differ_in_few_places_and_no_source_is_included_from_elsewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    let mut files = 0;
    for folder in ["crates", "lab", "driver"] {
        for path in rust_files(&root.join(folder)) {
            let name = path.strip_prefix(&root).expect("a path below");
            let name = name.to_string_lossy().replace('\\', "/");
            if !name.contains("/src/") {
                continue;
            }
            files += 1;
            let text = fs::read_to_string(&path).expect("a readable file");
            let system =
                text.contains("target_os") && !SYSTEMS.iter().any(|at| name.starts_with(at));
            if system || text.contains("#[path") {
                found.push(name);
            }
        }
    }
    assert!(files > 100, "{files} files");
    assert!(found.is_empty(), "{found:#?}");
}
