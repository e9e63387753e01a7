//! The shape of the code, as the architecture's tests ask for it: which file uses which, what it defines, and how large functions are.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Block, FnArg, ImplItemFn, Item, ItemEnum, ItemFn, ItemMod, ItemStruct, ItemTrait, ItemType, ItemUse,
    Macro, Signature, UseTree, Visibility,
    visit::{self, Visit},
};

/// A way to an item, from the crate on: `["role", "plan", "Plan"]`.
type Way = Vec<String>;

/// A function and its size.
#[derive(Debug)]
pub struct Function {
    /// File and name.
    pub at: String,
    pub lines: usize,
    /// Without `self`.
    pub parameters: usize,
}

/// A crate, without its tests.
#[derive(Debug, Default)]
pub struct Source {
    /// The files by their modules.
    modules: BTreeMap<Way, Module>,
    pub functions: Vec<Function>,
    /// The files that define a type, by its name. Traits and aliases are types here: a reader asks of each what it is.
    pub types: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Default)]
struct Module {
    file: String,
    /// What names stand for that `use` brings in.
    names: BTreeMap<String, Way>,
    /// All ways that its code goes.
    ways: BTreeSet<Way>,
}

impl Source {
    /// Reads all files below a crate's `src`.
    pub fn read(src: &Path) -> Self {
        let mut source = Self::default();
        for path in files(src) {
            let text = fs::read_to_string(&path).unwrap();
            let file = path.strip_prefix(src).unwrap().to_str().unwrap();
            source.add(file, &text);
        }
        source
    }

    /// Adds a file, named from `src` on.
    pub fn add(&mut self, file: &str, text: &str) {
        let parsed = syn::parse_file(text).unwrap_or_else(|why| panic!("{file}: {why}"));
        let mut walk = Walk {
            module: module(file),
            file,
            found: Module::default(),
            functions: Vec::new(),
            types: Vec::new(),
        };
        walk.visit_file(&parsed);
        self.functions.extend(walk.functions);
        for name in walk.types {
            self.types.entry(name).or_default().push(file.to_owned());
        }
        let found = Module {
            file: file.to_owned(),
            ..walk.found
        };
        self.modules.insert(module(file), found);
    }

    /// Which file uses an item of which other one. What a file only passes on (`pub use`) is used of the file in which it is.
    pub fn uses(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let of = |(way, module): (&Way, &Module)| {
            let targets = module.ways.iter().filter_map(|used| {
                let used = in_full(way, module, used);
                self.file_of(&used, 0)
            });
            targets
                .filter(|file| *file != module.file)
                .map(str::to_owned)
                .collect::<BTreeSet<_>>()
        };
        let names: BTreeMap<&str, &str> = self
            .modules
            .values()
            .map(|module| (&*module.file, &*module.file))
            .collect();
        let all = self.modules.iter().map(|found| {
            let targets = of(found).iter().map(|file| names[file.as_str()]).collect();
            (&*found.1.file, targets)
        });
        all.collect()
    }

    /// The file in which an item is; none for a module as such, and for what is of other crates.
    fn file_of(&self, way: &[String], depth: usize) -> Option<&str> {
        let inside = (0..=way.len()).rev().find(|n| self.modules.contains_key(&way[..*n]))?;
        let (at, rest) = way.split_at(inside);
        let module = &self.modules[at];
        let name = rest.first()?;
        match module.names.get(name) {
            Some(target) if depth < 8 => self.file_of(&[&target[1..], &rest[1..]].concat(), depth + 1),
            _ if at.is_empty() => None,
            _ => Some(&module.file),
        }
    }
}

/// A way from the crate on, where it begins with a name that `use` brought in or a module below.
fn in_full(at: &Way, module: &Module, used: &Way) -> Way {
    if used[0] == "crate" {
        return used[1..].to_vec();
    }
    if let Some(way) = module.names.get(&used[0]) {
        return [&way[1..], &used[1..]].concat();
    }
    [at.as_slice(), used.as_slice()].concat()
}

/// The module that a file is.
fn module(file: &str) -> Way {
    let name = file.trim_end_matches(".rs");
    let name = name.strip_suffix("/mod").unwrap_or(name);
    let parts = name.split('/').filter(|part| !["lib", "main"].contains(part));
    parts.map(str::to_owned).collect()
}

/// Walks through a file.
struct Walk<'a> {
    module: Way,
    file: &'a str,
    found: Module,
    functions: Vec<Function>,
    types: Vec<String>,
}

impl Walk<'_> {
    /// A way as it is written, from the crate on where it begins with `crate`, `self` or `super`.
    fn absolute(&self, way: &[String]) -> Way {
        let ups = way.iter().take_while(|part| *part == "super").count();
        let selves = usize::from(way.first().is_some_and(|part| part == "self"));
        if ups + selves == 0 {
            return way.to_vec();
        }
        let base = &self.module[..self.module.len().saturating_sub(ups)];
        [&["crate".to_owned()], base, &way[ups + selves..]].concat()
    }

    fn go(&mut self, way: &[String]) {
        let way = self.absolute(way);
        self.found.ways.insert(way);
    }

    /// What `use` brings in.
    fn imported(&mut self, tree: &UseTree, before: &[String], passed_on: bool) {
        let with = |name: &str| [before, &[name.to_owned()]].concat();
        let (name, way) = match tree {
            UseTree::Path(path) => return self.imported(&path.tree, &with(&path.ident.to_string()), passed_on),
            UseTree::Group(group) => {
                return group
                    .items
                    .iter()
                    .for_each(|item| self.imported(item, before, passed_on));
            }
            UseTree::Glob(_) => (String::new(), with("*")),
            UseTree::Name(name) if name.ident == "self" => {
                (before.last().cloned().unwrap_or_default(), before.to_vec())
            }
            UseTree::Name(name) => (name.ident.to_string(), with(&name.ident.to_string())),
            UseTree::Rename(rename) if rename.ident == "self" => (rename.rename.to_string(), before.to_vec()),
            UseTree::Rename(rename) => (rename.rename.to_string(), with(&rename.ident.to_string())),
        };
        let mut way = self.absolute(&way);
        if way[0] != "crate" {
            // A module below, or another crate, which no module is called like.
            way = [&["crate".to_owned()], self.module.as_slice(), &way].concat();
        }
        if !passed_on {
            self.found.ways.insert(way.clone());
        }
        self.found.names.insert(name, way);
    }

    fn function(&mut self, signature: &Signature, block: &Block) {
        let lines = block.brace_token.span.close().end().line - signature.fn_token.span.start().line + 1;
        let parameters = signature.inputs.iter().filter(|input| matches!(input, FnArg::Typed(_)));
        self.functions.push(Function {
            at: format!("{}: {}", self.file, signature.ident),
            lines,
            parameters: parameters.count(),
        });
    }

    /// The ways among the tokens of a macro.
    fn tokens(&mut self, tokens: TokenStream) {
        let (mut way, mut colons) = (Vec::new(), 0);
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.end(&mut way);
                    }
                    way.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.end(&mut way);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.end(&mut way);
    }

    fn end(&mut self, way: &mut Way) {
        if way.len() > 1 {
            self.go(way);
        }
        way.clear();
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        path.is_ident("test")
            || path.is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|what| what == "test")
    })
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(found) => &found.attrs,
            Item::Fn(found) => &found.attrs,
            Item::Use(found) => &found.attrs,
            Item::Impl(found) => &found.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_struct(&mut self, found: &'ast ItemStruct) {
        self.types.push(found.ident.to_string());
        visit::visit_item_struct(self, found);
    }

    fn visit_item_enum(&mut self, found: &'ast ItemEnum) {
        self.types.push(found.ident.to_string());
        visit::visit_item_enum(self, found);
    }

    fn visit_item_trait(&mut self, found: &'ast ItemTrait) {
        self.types.push(found.ident.to_string());
        visit::visit_item_trait(self, found);
    }

    fn visit_item_type(&mut self, found: &'ast ItemType) {
        self.types.push(found.ident.to_string());
        visit::visit_item_type(self, found);
    }

    fn visit_item_mod(&mut self, found: &'ast ItemMod) {
        if found.content.is_some() {
            self.module.push(found.ident.to_string());
            visit::visit_item_mod(self, found);
            self.module.pop();
        }
    }

    fn visit_item_use(&mut self, found: &'ast ItemUse) {
        self.imported(&found.tree, &[], !matches!(found.vis, Visibility::Inherited));
    }

    fn visit_item_fn(&mut self, found: &'ast ItemFn) {
        self.function(&found.sig, &found.block);
        visit::visit_item_fn(self, found);
    }

    fn visit_impl_item_fn(&mut self, found: &'ast ImplItemFn) {
        self.function(&found.sig, &found.block);
        visit::visit_impl_item_fn(self, found);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let way: Way = path.segments.iter().map(|part| part.ident.to_string()).collect();
        self.go(&way);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, found: &'ast Macro) {
        self.tokens(found.tokens.clone());
    }

    // `pub(in crate::cli)` uses nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

/// The circles among what uses what: groups of more than one, each of which leads to all others.
pub fn circles<'a>(uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<BTreeSet<&'a str>> {
    let reached = |from: &'a str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(next) = open.pop() {
            let further = uses.get(next).into_iter().flatten();
            open.extend(further.filter(|file| seen.insert(**file)));
        }
        seen
    };
    let all: BTreeMap<&str, BTreeSet<&str>> = uses.keys().map(|file| (*file, reached(file))).collect();
    let circle = |file: &'a str| {
        let others = all[file].iter().filter(|other| all[*other].contains(file));
        others.copied().collect::<BTreeSet<&str>>()
    };
    uses.keys()
        .map(|file| circle(file))
        .filter(|circle| circle.len() > 1)
        .collect()
}

/// All Rust files at or below a place.
pub fn files(at: &Path) -> Vec<PathBuf> {
    if at.is_file() {
        return at
            .extension()
            .is_some_and(|extension| extension == "rs")
            .then(|| at.to_owned())
            .into_iter()
            .collect();
    }
    let entries = fs::read_dir(at).unwrap_or_else(|error| panic!("{}: {error}", at.display()));
    entries.flat_map(|entry| files(&entry.unwrap().path())).collect()
}
