//! A notebook as it ran, drawn as a page of HTML.
//!
//! The source is the one that ran: the runner leaves a copy of what it reads,
//! because the notebook may be another one by now. What the cells printed is
//! one stream, so it stands below all of them.

use std::fmt::Write;

use crate::error::Error;
use crate::folder::Left;
use crate::objects::{CELL, LANGUAGES, NOTEBOOK};
use crate::output::notebook_exit;
use crate::settings::Body;
use crate::workspace::Workspace;
use crate::{RunId, output};

const SOURCE_BYTES_MAX: u64 = 10 << 20;

const STYLE: &str = "body{font-family:sans-serif;margin:2rem;max-width:60rem}pre{background:#f5f5f5;padding:.8rem;\
                     overflow:auto;border-radius:4px}.error{background:#fdecea}";

/// A page that was drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedNotebook {
    /// Name of the notebook.
    pub name: String,
    /// The page.
    pub html: String,
}

impl Workspace {
    /// Draws the notebook of a task run with what it printed. The number of a
    /// run with a single task stands for its latest attempt.
    pub async fn export_run(&self, id: RunId) -> Result<ExportedNotebook, Error> {
        let (execution, attempt) = self.find(id).await?;
        let tasks = execution.run.settings.tasks.len();
        let attempt = match attempt {
            Some(attempt) => Some(attempt),
            None if tasks > 1 => return Err(Error::ManyTasks { run: id, tasks }),
            None => execution.attempts.iter().rfind(|attempt| attempt.parent.is_none()).cloned(),
        };
        let task = attempt.as_ref().and_then(|attempt| execution.run.task_of(attempt));
        let (Some(attempt), Some(Body::NotebookTask(notebook))) = (&attempt, task.map(|task| &task.body)) else {
            let detail = format!("run {id} is not the run of a notebook: only these can be exported");
            return Err(Error::Parameter { detail });
        };
        let folder = self.task_folder(execution.run.id, attempt.id);
        let read = self.read_folder(&folder, |folder| {
            let source = folder.left(Left::Source, SOURCE_BYTES_MAX)?;
            let (printed, is_cut) = output::logs(folder)?;
            Ok((source.map(|(bytes, _)| bytes), printed, is_cut, notebook_exit(folder)?))
        });
        let (source, printed, is_cut, exit) = read.await?;
        let name = notebook.notebook_path.rsplit('/').next().unwrap_or_default().to_owned();
        let source = source.as_deref().map(String::from_utf8_lossy);
        let page = Page {
            name: &name,
            source: source.as_deref(),
            printed: &printed,
            is_cut,
            exit: exit.as_ref().map(|(text, _)| text.as_str()),
            error: attempt.error_trace.as_deref().or(attempt.error.as_deref()),
        };
        let html = page.draw();
        Ok(ExportedNotebook { name, html })
    }
}

/// What stands on the page.
struct Page<'a> {
    name: &'a str,
    /// Nothing if the notebook never came to run.
    source: Option<&'a str>,
    printed: &'a str,
    is_cut: bool,
    exit: Option<&'a str>,
    error: Option<&'a str>,
}

impl Page<'_> {
    fn draw(&self) -> String {
        let mut page = String::new();
        let name = escaped(self.name);
        let _ = write!(page, "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>{name}</title>");
        let _ = write!(page, "<style>{STYLE}</style></head><body><h1>{name}</h1>");
        match self.source {
            None => page.push_str("<p>The notebook has not begun to run, so there is no source.</p>"),
            Some(source) => {
                for (number, cell) in (1..).zip(cells(source)) {
                    let _ = write!(page, "<h2>Cell {number}</h2><pre>{}</pre>", escaped(&cell));
                }
            }
        }
        if !self.printed.is_empty() {
            let title = if self.is_cut { "Output (its end)" } else { "Output" };
            let _ = write!(page, "<h2>{title}</h2><pre>{}</pre>", escaped(self.printed));
        }
        if let Some(exit) = self.exit {
            let _ = write!(page, "<h2>Notebook exited</h2><pre>{}</pre>", escaped(exit));
        }
        if let Some(error) = self.error {
            let _ = write!(page, "<h2>Error</h2><pre class=\"error\">{}</pre>", escaped(error));
        }
        page.push_str("</body></html>\n");
        page
    }
}

/// Splits a notebook in source form.
fn cells(source: &str) -> Vec<String> {
    let is_border =
        |line: &str, sign: &str, word: &str| line.strip_prefix(sign).is_some_and(|rest| rest.trim().starts_with(word));
    let known = |line: &str, word: &str| LANGUAGES.iter().any(|(_, sign, _)| is_border(line, sign, word));
    let mut cells = vec![String::new()];
    for line in source.lines().filter(|line| !known(line, NOTEBOOK)) {
        match cells.last_mut() {
            Some(cell) if !known(line, CELL) => {
                cell.push_str(line);
                cell.push('\n');
            }
            _ => cells.push(String::new()),
        }
    }
    cells.into_iter().map(|cell| cell.trim_matches('\n').to_owned()).filter(|cell| !cell.is_empty()).collect()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_page_shows_cells_and_output_and_runs_nothing() {
        let source =
            "# Databricks notebook source\nprint('<b>')\n\n# COMMAND ----------\n\n# MAGIC %md\n# MAGIC hello\n";
        let page = Page {
            name: "score",
            source: Some(source),
            printed: "<script>alert(1)</script>\n",
            is_cut: false,
            exit: Some("a & b"),
            error: None,
        };
        let drawn = page.draw();
        let body = drawn.split_once("<body>").expect("a body").1;
        expect![[r"
            <h1>score</h1><h2>Cell 1</h2><pre>print('&lt;b&gt;')</pre><h2>Cell 2</h2><pre># MAGIC %md
            # MAGIC hello</pre><h2>Output</h2><pre>&lt;script&gt;alert(1)&lt;/script&gt;
            </pre><h2>Notebook exited</h2><pre>a &amp; b</pre></body></html>
        "]]
        .assert_eq(body);
        let empty = Page { source: None, printed: "", exit: None, error: Some("no"), ..page };
        assert!(empty.draw().contains("has not begun to run"));
    }
}
