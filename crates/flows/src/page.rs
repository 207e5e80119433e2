//! Pages: what a flow has to tell people beside its mails and messages, such as
//! how things stand with compliance.
//!
//! A page is a text in Markdown under a name, written anew as a whole. Whoever
//! is signed in and may see flows reads it; whoever may change flows writes it.
//! A page that is written again as it was stays the version that it is, so that
//! a call that is repeated after a crash changes nothing.

use base::{Actor, Timestamp, audit};
use serde_json::json;

use crate::error::Error;
use crate::flows::{Flows, check_name};
use crate::tables;

/// Bytes of a page's text at most.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Letters of a page's title at most.
pub const TITLE_LETTERS_MAX: usize = 200;

/// A page without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageInfo {
    /// What its address ends with.
    pub name: String,
    /// What stands above it.
    pub title: String,
    /// 1 when it was first written, one more whenever it changed.
    pub version: u64,
    /// Who wrote it last: an app key, by its name.
    pub written_by: String,
    /// When it was last written, also if nothing had changed.
    pub written_at: Timestamp,
}

/// A page with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// All but the text.
    pub info: PageInfo,
    /// Markdown.
    pub text: String,
}

impl Flows {
    /// Writes a page, whole.
    pub async fn write_page(&self, actor: &Actor, name: &str, title: &str, text: String) -> Result<Page, Error> {
        check_name(name)?;
        let title = title.trim().to_owned();
        let bad = |detail: String| Err(Error::BadPage { name: name.to_owned(), detail });
        if title.is_empty() || title.chars().count() > TITLE_LETTERS_MAX {
            return bad(format!("its title has no letter or more than {TITLE_LETTERS_MAX}"));
        }
        if text.len() > TEXT_BYTES_MAX {
            return bad(format!("its text has {} bytes, and {TEXT_BYTES_MAX} are the most", text.len()));
        }
        let (actor, name, now) = (actor.clone(), name.to_owned(), self.clock.now());
        self.db
            .write("flows.write_page", move |tx| {
                let before = tables::page(tx, &name)?;
                let same = before.as_ref().is_some_and(|page| page.info.title == title && page.text == text);
                let version = before.as_ref().map_or(0, |page| page.info.version) + u64::from(!same);
                let written_by = actor.name.clone();
                let info = PageInfo { name: name.clone(), title: title.clone(), version, written_by, written_at: now };
                let page = Page { info, text: text.clone() };
                tables::put_page(tx, &page)?;
                if !same {
                    let verb = if before.is_some() { "update" } else { "create" };
                    let (before, after) = (before.as_ref().map(Page::outline), page.outline());
                    audit::record(tx, &actor, verb, "page", &name, before.as_ref(), Some(&after), now)?;
                }
                Ok::<_, Error>(page)
            })
            .await
    }

    /// Returns all pages by name, without their texts.
    pub async fn pages(&self) -> Result<Vec<PageInfo>, Error> {
        Ok(self.db.read("flows.pages", tables::pages).await?)
    }

    /// Returns a page.
    pub async fn page(&self, name: &str) -> Result<Page, Error> {
        let name = name.to_owned();
        let unknown = Error::UnknownPage { name: name.clone() };
        let found = self.db.read("flows.page", move |tx| tables::page(tx, &name)).await?;
        found.ok_or(unknown)
    }

    /// Removes a page.
    pub async fn delete_page(&self, actor: &Actor, name: &str) -> Result<(), Error> {
        let (actor, name, now) = (actor.clone(), name.to_owned(), self.clock.now());
        self.db
            .write("flows.delete_page", move |tx| {
                let Some(page) = tables::page(tx, &name)? else {
                    return Err(Error::UnknownPage { name: name.clone() });
                };
                tables::delete_page(tx, &name)?;
                audit::record(tx, &actor, "delete", "page", &name, Some(&page.outline()), None, now)?;
                Ok(())
            })
            .await
    }
}

impl Page {
    /// What the audit log keeps: the text may hold what people wrote of others.
    fn outline(&self) -> serde_json::Value {
        json!({ "title": self.info.title, "version": self.info.version, "bytes": self.text.len() })
    }
}
