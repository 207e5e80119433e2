//! What a task printed: the end of its logs, and the exception in them.

use std::collections::BTreeMap;
use std::io;

use serde_json::Value as Json;

use crate::folder::{Left, Stream, TaskFolder};

/// Bytes of log that an answer has at most.
const LOG_BYTES_MAX: u64 = 5 * 1024 * 1024;
/// Bytes of the error stream in which the exception is looked for.
const TRACE_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of a notebook's exit value that an answer has at most.
const EXIT_BYTES_MAX: u64 = 5 * 1024 * 1024;
/// Bytes that all task values of a task may have.
const VALUES_BYTES_MAX: u64 = 1024 * 1024;
const TRACEBACK: &str = "Traceback (most recent call last):";

/// Returns the end of what a task has printed so far, output before errors,
/// and whether there was more. What is not empty ends with exactly one newline.
pub(crate) fn logs(folder: &TaskFolder) -> io::Result<(String, bool)> {
    let (errors, more_errors) = folder.read_log(Stream::Stderr, LOG_BYTES_MAX)?;
    let (output, more_output) = folder.read_log(Stream::Stdout, LOG_BYTES_MAX - errors.len() as u64)?;
    let mut text = String::from_utf8_lossy(&output).into_owned();
    if !errors.is_empty() && !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&String::from_utf8_lossy(&errors));
    text.truncate(text.trim_end_matches(['\n', '\r']).len());
    if !text.is_empty() {
        text.push('\n');
    }
    Ok((text, more_errors || more_output))
}

/// Returns what a notebook has left as its exit value, and whether it was longer.
pub(crate) fn notebook_exit(folder: &TaskFolder) -> io::Result<Option<(String, bool)>> {
    let left = folder.left(Left::Exit, EXIT_BYTES_MAX)?;
    Ok(left.map(|(bytes, is_more)| {
        let whole = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        // A letter may have been cut in two.
        (whole.to_owned(), is_more)
    }))
}

/// Returns what a task has set for those behind it.
pub(crate) fn values(folder: &TaskFolder) -> io::Result<BTreeMap<String, Json>> {
    let Some((bytes, false)) = folder.left(Left::Values, VALUES_BYTES_MAX)? else { return Ok(BTreeMap::new()) };
    Ok(serde_json::from_slice(&bytes)?)
}

/// How far somebody has read the two streams of a task's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogPlace {
    /// Bytes of the output.
    pub output: u64,
    /// Bytes of the errors.
    pub errors: u64,
}

/// What a task has printed since somebody last read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPiece {
    /// The output.
    pub output: String,
    /// The errors.
    pub errors: String,
    /// Where to read on.
    pub next: LogPlace,
}

/// Reads on in what a task has printed, so far. Of a long output, which was
/// put aside meanwhile, the rest of the newest file is read.
pub(crate) fn piece(folder: &TaskFolder, from: LogPlace) -> io::Result<LogPiece> {
    let (output, output_next) = folder.read_on(Stream::Stdout, from.output, LOG_BYTES_MAX)?;
    let (errors, errors_next) = folder.read_on(Stream::Stderr, from.errors, LOG_BYTES_MAX)?;
    Ok(LogPiece { output, errors, next: LogPlace { output: output_next, errors: errors_next } })
}

/// Finds the exception in what a failed task wrote to its error stream: in
/// one line, and with its traceback.
pub(crate) fn exception(folder: &TaskFolder) -> io::Result<(Option<String>, Option<String>)> {
    let (errors, _) = folder.read_log(Stream::Stderr, TRACE_BYTES_MAX)?;
    Ok(exception_in(&String::from_utf8_lossy(&errors)))
}

fn exception_in(errors: &str) -> (Option<String>, Option<String>) {
    let Some(start) = errors.rfind(TRACEBACK) else {
        // `sys.exit("…")`, a syntax error, or a shell: the last line says most.
        let last = errors.lines().rev().map(str::trim).find(|line| !line.is_empty());
        return (last.map(str::to_owned), None);
    };
    // The lines of a traceback are indented; the exception is the first that is not.
    let exception = errors[start..].lines().skip(1).find(|line| !line.is_empty() && !line.starts_with(' '));
    let trace = errors[first_of_chain(errors, start)..].trim_end().to_owned();
    (exception.map(str::to_owned), Some(trace))
}

/// Walks from the last traceback to the one that began it all: exceptions that
/// were raised while another was handled stand behind each other.
fn first_of_chain(errors: &str, mut start: usize) -> usize {
    const LINKS: [&str; 2] = [
        "During handling of the above exception, another exception occurred:",
        "The above exception was the direct cause of the following exception:",
    ];
    loop {
        let before = &errors[..start];
        let is_linked = LINKS.iter().any(|link| before.trim_end().ends_with(link));
        match before.rfind(TRACEBACK).filter(|_| is_linked) {
            Some(earlier) => start = earlier,
            None => return start,
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(errors: &str, expected: Expect) {
        expected.assert_eq(&format!("{:#?}", exception_in(errors)));
    }

    #[test]
    fn the_exception_is_the_line_behind_the_last_traceback() {
        check(
            "a warning\nTraceback (most recent call last):\n  File \"x.py\", line 1, in <module>\n    f()\nValueError: no such case\n",
            expect![[r#"
                (
                    Some(
                        "ValueError: no such case",
                    ),
                    Some(
                        "Traceback (most recent call last):\n  File \"x.py\", line 1, in <module>\n    f()\nValueError: no such case",
                    ),
                )"#]],
        );
    }

    #[test]
    fn a_chain_of_exceptions_is_shown_whole() {
        check(
            "Traceback (most recent call last):\n  a\nKeyError: 1\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  b\nRuntimeError: two\n",
            expect![[r#"
                (
                    Some(
                        "RuntimeError: two",
                    ),
                    Some(
                        "Traceback (most recent call last):\n  a\nKeyError: 1\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  b\nRuntimeError: two",
                    ),
                )"#]],
        );
    }

    #[test]
    fn without_a_traceback_the_last_line_says_most() {
        check(
            "usage: score\nno case given\n\n",
            expect![[r#"
                (
                    Some(
                        "no case given",
                    ),
                    None,
                )"#]],
        );
        check(
            "",
            expect![[r"
            (
                None,
                None,
            )"]],
        );
    }

    #[test]
    fn logs_end_with_one_newline_and_put_errors_last() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let folder = TaskFolder::at(place.path());
        assert_eq!(logs(&folder).expect("no logs are empty logs"), (String::new(), false));
        std::fs::write(place.path().join("stdout.log"), "one\ntwo").expect("a log");
        assert_eq!(logs(&folder).expect("a log").0, "one\ntwo\n");
        std::fs::write(place.path().join("stderr.log"), "oh\n\n\n").expect("a log");
        assert_eq!(logs(&folder).expect("logs").0, "one\ntwo\noh\n");
    }
}
