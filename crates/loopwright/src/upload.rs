//! Sending files to a server as one form, without having them in memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context as Waker, Poll};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body::{Body, Frame};
use indicatif::ProgressBar;
use serde_json::Value as Json;
use tokio::sync::mpsc;

use crate::client::Client;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 256 << 10;
/// Pieces that may wait for the network.
const PIECES_AHEAD: usize = 4;

/// A file to send.
pub(crate) struct Source {
    /// `None` is standard input.
    path: Option<PathBuf>,
    /// What it is called.
    name: String,
    /// How long it is, where that is known.
    pub(crate) bytes: u64,
}

impl Source {
    /// Tells whether it is standard input.
    pub(crate) fn is_input(&self) -> bool {
        self.path.is_none()
    }

    fn open(&self) -> io::Result<Box<dyn Read>> {
        match &self.path {
            Some(path) => Ok(Box::new(File::open(path)?)),
            None => Ok(Box::new(io::stdin().lock())),
        }
    }
}

/// Finds the files that were named; a name with `*` or `?` that no shell has
/// looked up stands for all files of its folder that fit.
pub(crate) fn sources(names: &[PathBuf]) -> Result<Vec<Source>> {
    let mut all = Vec::new();
    for name in names {
        if name.as_os_str() == "-" {
            if all.iter().any(Source::is_input) {
                bail!("standard input can be sent once only");
            }
            all.push(Source { path: None, name: "standard input".into(), bytes: 0 });
            continue;
        }
        for path in looked_up(name)? {
            let about = std::fs::metadata(&path).with_context(|| format!("{} cannot be opened", path.display()))?;
            if about.is_dir() {
                bail!("{} is a folder: name the files in it, such as {}/*.csv", path.display(), path.display());
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            all.push(Source { name, bytes: about.len(), path: Some(path) });
        }
    }
    Ok(all)
}

fn looked_up(name: &Path) -> Result<Vec<PathBuf>> {
    let pattern = name.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if name.exists() || !pattern.contains(['*', '?']) {
        return Ok(vec![name.to_owned()]);
    }
    let folder = name.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).with_context(|| format!("{} cannot be opened", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if fits(&pattern, &entry.file_name().to_string_lossy()) && entry.path().is_file() {
            found.push(entry.path());
        }
    }
    if found.is_empty() {
        bail!("no file is called {}", name.display());
    }
    found.sort();
    Ok(found)
}

/// Tells whether a name fits a pattern of letters, `*` and `?`.
fn fits(pattern: &str, name: &str) -> bool {
    match (pattern.chars().next(), name.chars().next()) {
        (None, None) => true,
        (Some('*'), _) => {
            let rest = &pattern[1..];
            let mut ends = name.char_indices().map(|(place, _)| place).chain([name.len()]);
            ends.any(|place| fits(rest, &name[place..]))
        }
        (Some('?'), Some(letter)) => fits(&pattern[1..], &name[letter.len_utf8()..]),
        (Some(one), Some(other)) if one == other => fits(&pattern[one.len_utf8()..], &name[other.len_utf8()..]),
        _ => false,
    }
}

/// Sends files as one form and returns the answer.
pub(crate) async fn send(client: &Client, path: &str, sources: &[Source], bar: &ProgressBar) -> Result<Json> {
    let mut chance = [0; 16];
    getrandom::fill(&mut chance).context("the system has no randomness")?;
    let boundary = chance.iter().fold("loopwright-".to_owned(), |text, byte| format!("{text}{byte:02x}"));
    let content_type = format!("multipart/form-data; boundary={boundary}");
    let (pieces, arriving) = mpsc::channel(PIECES_AHEAD);
    let sources: Vec<Source> = sources
        .iter()
        .map(|source| Source { path: source.path.clone(), name: source.name.clone(), bytes: source.bytes })
        .collect();
    let bar = bar.clone();
    let reading = tokio::task::spawn_blocking(move || read(&sources, &boundary, &pieces, &bar));
    let sent = client.upload(path, &content_type, Pieces(arriving)).await;
    match reading.await.context("the reading of the files broke off")? {
        // What the server says is the better reason, where it said something.
        Err(error) if sent.is_err() => Err(error),
        _ => sent,
    }
}

fn read(sources: &[Source], boundary: &str, pieces: &mpsc::Sender<io::Result<Bytes>>, bar: &ProgressBar) -> Result<()> {
    for source in sources {
        let name = source.name.replace(['"', '\r', '\n'], "_");
        let head = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             content-type: application/octet-stream\r\n\r\n"
        );
        if pieces.blocking_send(Ok(head.into())).is_err() {
            return Ok(());
        }
        let failed = |error: io::Error| {
            // The form must not look whole.
            let _ = pieces.blocking_send(Err(io::Error::other("a file could not be read")));
            anyhow::Error::new(error).context(format!("{} cannot be read", source.name))
        };
        let mut file = source.open().map_err(failed)?;
        loop {
            let mut piece = vec![0; PIECE_BYTES];
            let length = file.read(&mut piece).map_err(failed)?;
            if length == 0 {
                break;
            }
            piece.truncate(length);
            if pieces.blocking_send(Ok(piece.into())).is_err() {
                return Ok(());
            }
            bar.inc(length as u64);
        }
        if pieces.blocking_send(Ok(Bytes::from_static(b"\r\n"))).is_err() {
            return Ok(());
        }
    }
    let _ = pieces.blocking_send(Ok(format!("--{boundary}--\r\n").into()));
    Ok(())
}

/// A body that comes piece by piece.
pub(crate) struct Pieces(mpsc::Receiver<io::Result<Bytes>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, waker: &mut Waker<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.0.poll_recv(waker).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_the_names_that_fit() {
        for (pattern, name, expected) in [
            ("*.csv", "orders.csv", true),
            ("*.csv", "orders.csv.gz", false),
            ("*", "", true),
            ("o?d*s.*", "orders.xes.gz", true),
            ("ö?", "öä", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "acb", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
