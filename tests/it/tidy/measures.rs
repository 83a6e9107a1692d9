//! What is measured over many files: how long files and functions are, over how many files the methods
//! of one type are spread, and which modules of the engine import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;

/// Lines per file without tests, 95th percentile.
const FILE_LINES: usize = 320;
/// Lines per function, 95th percentile.
const FUNCTION_LINES: usize = 34;
/// The methods of one type are in so many files of the engine at most.
const IMPL_FILES: usize = 2;

type Module = Vec<String>;

/// Everything that breaks a rule in all `sources` together.
pub(crate) fn complaints(sources: &[Source]) -> Vec<String> {
    let sources: Vec<&Source> = sources.iter().filter(|source| !source.is_test()).collect();
    let mut found = Vec::new();
    let files = percentile(sources.iter().map(|source| source.code.lines().count()).collect());
    let functions = percentile(sources.iter().flat_map(|source| functions(source)).collect());
    for (what, is, limit) in [("file", files, FILE_LINES), ("function", functions, FUNCTION_LINES)]
    {
        println!("a {what} has {is} lines (95th percentile): {limit} at most");
        if is > limit {
            found.push(format!("a {what} has {is} lines (95th percentile): {limit} at most"));
        }
    }
    let engine: Vec<&Source> =
        sources.into_iter().filter(|source| source.module[0] == "engine").collect();
    for (name, files) in spread(&engine) {
        if files.len() > IMPL_FILES {
            found.push(format!("`impl {name}` is in {} files: {files:?}", files.len()));
        }
    }
    for (from, to) in circles(&engine) {
        found.push(format!("`{from}` imports `{to}`, which imports it in turn"));
    }
    found
}

/// The value that 95 % do not exceed.
fn percentile(mut all: Vec<usize>) -> usize {
    all.sort_unstable();
    all[(all.len() * 95).div_ceil(100) - 1]
}

/// The lengths of the functions in lines, from `fn` to the closing brace.
fn functions(source: &Source) -> Vec<usize> {
    let code = &source.code;
    let named = |at: usize| code[at + 2..].trim_start().starts_with(|c: char| c.is_alphabetic());
    let starts = source.words("fn").into_iter().filter(|at| named(*at));
    starts.filter_map(|at| Some(code[at..at + body(&code[at..])?].lines().count())).collect()
}

/// Where the body of the function ends that `code` begins with; `None`: it has none.
fn body(code: &str) -> Option<usize> {
    let (mut brackets, mut braces) = (0, 0);
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets -= 1,
            b';' if brackets == 0 && braces == 0 => return None,
            b'{' => braces += 1,
            b'}' if braces == 1 => return Some(at + 1),
            b'}' => braces -= 1,
            _ => {}
        }
    }
    None
}

/// The files with an `impl` of each type. Types of one name are told apart by where they are declared.
fn spread<'a>(sources: &[&'a Source]) -> BTreeMap<String, BTreeSet<&'a str>> {
    let declares = |source: &Source, name: &str| {
        let kinds = ["struct", "enum", "union"];
        kinds.iter().any(|kind| !source.words(&format!("{kind} {name}")).is_empty())
    };
    let mut homes: BTreeMap<(String, &Module), BTreeSet<&str>> = BTreeMap::new();
    for source in sources {
        for name in implemented(source) {
            let above = |other: &&&Source| source.module.starts_with(&other.module);
            let own = sources.iter().filter(above).filter(|other| declares(other, &name));
            let home = own.max_by_key(|other| other.module.len());
            let any = || sources.iter().find(|other| declares(other, &name));
            if let Some(home) = home.or_else(any) {
                homes.entry((name, &home.module)).or_default().insert(&source.path);
            }
        }
    }
    let mut all = BTreeMap::new();
    for ((name, _), files) in homes {
        let most: &mut BTreeSet<&str> = all.entry(name).or_default();
        if files.len() > most.len() {
            *most = files;
        }
    }
    all
}

/// The types that `source` implements something for, by name.
fn implemented(source: &Source) -> Vec<String> {
    let code = &source.code;
    let begins = |at: &usize| code[..*at].ends_with('\n') || *at == 0;
    let heads = source.words("impl").into_iter().filter(begins).filter_map(|at| {
        let head = &code[at + "impl".len()..];
        let head = head[..head.find('{')?].split(" where ").next().unwrap_or_default();
        let of = head.split(" for ").last().unwrap_or_default();
        // Without the parameters of the `impl` itself.
        let of = if of == head { without_parameters(head) } else { of };
        let path: String = of.trim().chars().take_while(|c| *c != '<' && *c != ' ').collect();
        path.rsplit("::").next().map(str::to_owned)
    });
    heads.filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase())).collect()
}

fn without_parameters(head: &str) -> &str {
    let mut depth = 0;
    for (at, byte) in head.bytes().enumerate() {
        match byte {
            b'<' => depth += 1,
            b'>' => depth -= 1,
            _ => {}
        }
        if depth == 0 && (byte == b'>' || at == 0) {
            return &head[at + 1..];
        }
    }
    head
}

/// The imports between modules of one folder that lie on a circle.
fn circles(sources: &[&Source]) -> BTreeSet<(String, String)> {
    let imports = imports(sources);
    let mut reached = imports.clone();
    loop {
        let further: BTreeSet<_> = reached
            .iter()
            .flat_map(|(from, by)| {
                let on = imports.iter().filter(move |(middle, _)| middle == by);
                on.map(move |(_, to)| (from.clone(), to.clone()))
            })
            .collect();
        let before = reached.len();
        reached.extend(further);
        if reached.len() == before {
            break;
        }
    }
    let closes = |(from, to): &(Module, Module)| reached.contains(&(to.clone(), from.clone()));
    imports.into_iter().filter(closes).map(|(from, to)| (from.join("::"), to.join("::"))).collect()
}

/// Which module imports which, for two of one folder: what is in a module's folder belongs to it.
fn imports(sources: &[&Source]) -> BTreeSet<(Module, Module)> {
    let modules: BTreeSet<&Module> = sources.iter().map(|source| &source.module).collect();
    let names = names(sources, &modules);
    let mut found = BTreeSet::new();
    for source in sources {
        for import in source.imports("crate") {
            let to = resolve(&import.path, &modules, &names);
            let same = to.iter().zip(&source.module).take_while(|(a, b)| a == b).count();
            if same > 0 && same < to.len() && same < source.module.len() {
                found.insert((source.module[..=same].to_vec(), to[..=same].to_vec()));
            }
        }
    }
    found
}

/// What a module imports of those below it, which it has under its own name, too.
fn names(sources: &[&Source], modules: &BTreeSet<&Module>) -> BTreeMap<(Module, String), Module> {
    let mut names = BTreeMap::new();
    for source in sources {
        let inside = |module: &&&Module| {
            module.len() == source.module.len() + 1 && module.starts_with(&source.module)
        };
        for child in modules.iter().filter(inside) {
            for import in source.imports(&child[child.len() - 1]) {
                if let Some((name, path)) = import.path.split_last() {
                    let home = child.iter().chain(path).cloned().collect();
                    names.entry((source.module.clone(), name.clone())).or_insert(home);
                }
            }
        }
    }
    names
}

/// The module that `path` leads to, which names a module or something in one.
fn resolve(
    path: &[String],
    modules: &BTreeSet<&Module>,
    names: &BTreeMap<(Module, String), Module>,
) -> Module {
    let mut module = Module::new();
    for name in path {
        let below: Module = module.iter().chain([name]).cloned().collect();
        if modules.contains(&below) {
            module = below;
        } else if let Some(home) = names.get(&(module.clone(), name.clone())) {
            module = home.clone();
            while !modules.contains(&module) && module.pop().is_some() {}
            break;
        } else {
            break;
        }
    }
    module
}

#[test]
fn what_spans_files_is_measured() {
    let texts = [
        ("src/engine.rs", "mod a; mod b; mod c; mod d;\nuse b::B;\nstruct Engine;\nimpl Engine {}"),
        ("src/engine/a.rs", "use super::B;\nstruct A { f: fn(u8) }\nimpl<T: X<u8>> A<T> {}"),
        ("src/engine/b.rs", "use super::c::x;\nstruct B;\nimpl Clone for super::Engine {}"),
        ("src/engine/c.rs", "fn x(a: [u8; 2]) {\n    if a {}\n}\nuse crate::engine::a;"),
        ("src/engine/d.rs", "use super::{Engine, a::A};\nimpl<'a> From<&'a A> for Engine {}"),
        ("src/engine/d/e.rs", "use super::super::a;\nstruct A;\nimpl A {}"),
    ];
    let all: Vec<Source> = texts.iter().map(|(path, text)| Source::new(path, text)).collect();
    let all: Vec<&Source> = all.iter().collect();
    let around = |a: &str, b: &str| (format!("engine::{a}"), format!("engine::{b}"));
    assert_eq!(circles(&all), [around("a", "b"), around("b", "c"), around("c", "a")].into());
    let spread = spread(&all);
    let engine = ["src/engine.rs", "src/engine/b.rs", "src/engine/d.rs"];
    assert_eq!(spread["Engine"], engine.into());
    assert_eq!(spread["A"].len(), 1, "two types of one name: {spread:?}");
    assert_eq!(all.iter().flat_map(|source| functions(source)).collect::<Vec<_>>(), [3]);
    assert_eq!(percentile((1..=100).collect()), 95);
}
