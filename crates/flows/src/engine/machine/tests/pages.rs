//! The pages of the modules: every module has one, and the flow on it does what
//! the page says.
//!
//! A page is `page.md` in the folder of a module. Its title names the modules
//! that it is about. A block marked
//! `yaml` is the flow, perhaps below a comment with the bundle that it starts
//! with, and the block marked `text` behind it is what happens. With
//! `UPDATE_EXPECT=1` that is written anew. `docs/reference/modules.md` lists the
//! pages for readers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::play;
use crate::modules::MODULES;

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.ends_with("page.md") {
            found.push(path);
        }
    }
}

/// The page with what happens as it is now.
fn rewritten(page: &str) -> String {
    let (before, example) = page.split_once("```yaml\n").expect("a page has a flow");
    let (flow, rest) = example.split_once("```\n").expect("the flow ends");
    let (between, told) = rest.split_once("```text\n").expect("a page tells what happens");
    let (_, after) = told.split_once("```").expect("what happens ends");
    let start = flow.lines().next().and_then(|line| line.strip_prefix("# starts with "));
    let start = start.map_or(json!({}), |bundle| serde_json::from_str(bundle).expect("a bundle in JSON"));
    let happened = play(flow, &[start]);
    format!("{before}```yaml\n{flow}```\n{between}```text\n{happened}```{after}")
}

#[test]
fn every_module_has_a_page_whose_flow_does_what_it_says() {
    let mut found = Vec::new();
    pages(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/modules"), &mut found);
    found.sort();
    let mut wrong = Vec::new();
    let mut pages_of: BTreeMap<String, u32> = BTreeMap::new();
    for path in &found {
        let page = std::fs::read_to_string(path).expect("a page");
        let now = rewritten(&page);
        if now != page {
            if std::env::var_os("UPDATE_EXPECT").is_some() {
                std::fs::write(path, &now).expect("the page can be written");
            } else {
                wrong.push(format!("{}: something else happens; UPDATE_EXPECT=1 writes it anew", path.display()));
            }
        }
        let title = page.lines().next().expect("a page has a title");
        for name in title.split('`').skip(1).step_by(2) {
            *pages_of.entry(name.to_owned()).or_default() += 1;
        }
    }
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/modules.md");
    let list = std::fs::read_to_string(list).expect("the list of modules is there");
    for module in MODULES {
        if !list.contains(&format!("`{}`", module.name)) {
            wrong.push(format!("{} is not in the list of modules", module.name));
        }
        if pages_of.remove(module.name) != Some(1) {
            wrong.push(format!("{} does not have one page", module.name));
        }
        if !module.page.contains(&format!("`{}`", module.name)) {
            wrong.push(format!("{} has the page of another module", module.name));
        }
    }
    wrong.extend(pages_of.keys().map(|name| format!("there is a page for {name}, and no such module")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
