//! What led to what: the chain of causes.
//!
//! Whoever acts because of something hands on why: a [`Link`] names what
//! happened, and [`Causes`] is the chain of links that led here, the nearest
//! last. A loop that feeds itself comes back to a link of its own chain, and
//! so can be seen.
//!
//! A link has three names, from the large to the small, such as a knowledge
//! model, its trigger and the record that it fired for. What they mean is not
//! known here.
//!
//! The chain is bounded ([`LINKS_MAX`], [`TEXT_BYTES_MAX`]). What does not fit
//! is forgotten at the far end: a loop is found by what is near. It has one
//! text form, the same in the header [`HEADER`], in a database and in a log:
//!
//! ```text
//! chain = link (" > " link)*            nothing at all for the empty chain
//! link  = name "/" name "/" name        each with %XX for what is not plain
//! ```
//!
//! Only that form is read ([`Causes::parse`]). What is not of it is nobody's
//! chain; a chain only explains, so those who find such a text go on without.

use std::fmt;

use http::HeaderMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// The header in which a call to ourselves names its causes.
pub const HEADER: &str = "loopwright-causes";

/// Links of a chain at most.
pub const LINKS_MAX: usize = 32;

/// Bytes of a chain's text at most.
pub const TEXT_BYTES_MAX: usize = 8 << 10;

/// Bytes of one name at most; a longer one is replaced by its beginning and
/// its hash, so that equal names stay equal.
pub const NAME_BYTES_MAX: usize = 160;

/// Letters of a hash that stand for the rest of a long name.
const HASH_LETTERS: usize = 16;

/// Between two links.
const THEN: &str = " > ";

/// One thing that led to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link([String; 3]);

impl Link {
    /// Makes a link from its names, from the large to the small.
    pub fn new(names: [&str; 3]) -> Self {
        Link(names.map(bounded))
    }

    /// Returns its names.
    pub fn names(&self) -> [&str; 3] {
        [&self.0[0], &self.0[1], &self.0[2]]
    }

    /// Reads what `Display` wrote, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut names = text.split('/').map(name_of);
        let link = Link([names.next()??, names.next()??, names.next()??]);
        names.next().is_none().then_some(link)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, name) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str("/")?;
            }
            for byte in name.bytes() {
                if is_plain(byte) { write!(f, "{}", char::from(byte))? } else { write!(f, "%{byte:02X}")? }
            }
        }
        Ok(())
    }
}

/// The chain of what led here, the nearest last; empty where nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Causes(Vec<Link>);

/// Says that a text is not a chain of causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a chain of causes")]
pub struct NotAChain;

impl Causes {
    /// The chain of what was not caused by anything that is known.
    pub const NONE: Causes = Causes(Vec::new());

    /// Tells whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the links, the nearest last.
    pub fn links(&self) -> &[Link] {
        &self.0
    }

    /// Returns the chain of what `link` leads to, if this chain led to it.
    #[must_use]
    pub fn then(&self, link: Link) -> Causes {
        Causes::fitting(self.0.iter().cloned().chain([link]).collect())
    }

    /// Returns the last link, if the chain had come to the very same one
    /// before: then it has returned.
    pub fn returned(&self) -> Option<&Link> {
        let (last, before) = self.0.split_last()?;
        before.contains(last).then_some(last)
    }

    /// Returns the chain of what several chains led to together: every link of
    /// them once, the nearest of each last. Of what does not fit, each loses
    /// its far end first.
    pub fn together<'a>(chains: impl IntoIterator<Item = &'a Causes>) -> Causes {
        let chains: Vec<&[Link]> = chains.into_iter().map(Causes::links).collect();
        if let [only] = chains[..] {
            return Causes(only.to_vec());
        }
        let mut nearest_first: Vec<Link> = Vec::new();
        let longest = chains.iter().map(|chain| chain.len()).max().unwrap_or(0);
        for distance in 0..longest {
            for chain in &chains {
                let link = chain.len().checked_sub(distance + 1).map(|place| &chain[place]);
                if let Some(link) = link.filter(|link| !nearest_first.contains(link))
                    && nearest_first.len() < LINKS_MAX
                {
                    nearest_first.push(link.clone());
                }
            }
        }
        nearest_first.reverse();
        Causes::fitting(nearest_first)
    }

    /// Reads what `Display` wrote, and nothing else.
    pub fn parse(text: &str) -> Result<Self, NotAChain> {
        if text.is_empty() {
            return Ok(Causes::NONE);
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(NotAChain);
        }
        let links: Option<Vec<Link>> = text.split(THEN).map(Link::parse).collect();
        links.filter(|links| links.len() <= LINKS_MAX).map(Causes).ok_or(NotAChain)
    }

    /// Reads the header of a call from somebody who may be believed. A header
    /// that is not of our making says nothing.
    pub fn of_headers(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(HEADER).into_iter();
        match (values.next(), values.next()) {
            (Some(only), None) => only.to_str().ok().and_then(|text| Causes::parse(text).ok()).unwrap_or_default(),
            _ => Causes::NONE,
        }
    }

    /// Forgets the far end, as far as it does not fit.
    fn fitting(mut links: Vec<Link>) -> Self {
        let mut bytes = 0;
        let fits = |link: &&Link| {
            bytes += link.to_string().len() + THEN.len();
            bytes <= TEXT_BYTES_MAX
        };
        let kept = links.iter().rev().take(LINKS_MAX).take_while(fits).count();
        links.drain(..links.len() - kept);
        Causes(links)
    }
}

impl fmt::Display for Causes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, link) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(THEN)?;
            }
            write!(f, "{link}")?;
        }
        Ok(())
    }
}

impl Serialize for Causes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Causes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What only explains must not make unreadable what it stands in.
        Ok(Causes::parse(&String::deserialize(deserializer)?).unwrap_or_default())
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'~' | b'@' | b'+' | b'=')
}

/// Returns a name that is not too long.
fn bounded(name: &str) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name.to_owned();
    }
    let kept = name.floor_char_boundary(NAME_BYTES_MAX - HASH_LETTERS - 1);
    let hash = hex::encode(Sha256::digest(name.as_bytes()));
    format!("{}~{}", &name[..kept], &hash[..HASH_LETTERS])
}

/// Reads a name; nothing if it is written in another way than we do.
fn name_of(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if is_plain(*first) {
            bytes.push(*first);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2).filter(|_| *first == b'%')?;
        let is_ours = digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F'));
        let byte = u8::from_str_radix(std::str::from_utf8(digits).ok().filter(|_| is_ours)?, 16).ok()?;
        bytes.push(Some(byte).filter(|byte| !is_plain(*byte))?);
        rest = behind;
    }
    String::from_utf8(bytes).ok().filter(|name| name.len() <= NAME_BYTES_MAX)
}

#[cfg(test)]
mod tests;
