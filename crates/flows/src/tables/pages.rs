//! Pages that flows write.

use base::args;
use base::db::{Error, Row, Tx};

use crate::page::{Page, PageInfo};

const COLUMNS: &str = "name, title, version, written_by, written_at";

pub(crate) fn put_page(tx: &mut dyn Tx, page: &Page) -> Result<(), Error> {
    let PageInfo { name, title, version, written_by, written_at } = &page.info;
    tx.execute(
        "INSERT INTO pages (name, title, version, written_by, written_at, body) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (name) DO UPDATE SET title = $2, version = $3, written_by = $4, written_at = $5, body = $6",
        args![name, title, *version, written_by, *written_at, &page.text],
    )?;
    Ok(())
}

pub(crate) fn pages(tx: &mut dyn Tx) -> Result<Vec<PageInfo>, Error> {
    tx.query(&format!("SELECT {COLUMNS} FROM pages ORDER BY name"), args![])?.iter().map(page_row).collect()
}

pub(crate) fn page(tx: &mut dyn Tx, name: &str) -> Result<Option<Page>, Error> {
    let row = tx.query_one(&format!("SELECT {COLUMNS}, body FROM pages WHERE name = $1"), args![name])?;
    row.map(|row| Ok(Page { info: page_row(&row)?, text: row.get(5)? })).transpose()
}

pub(crate) fn delete_page(tx: &mut dyn Tx, name: &str) -> Result<(), Error> {
    tx.execute("DELETE FROM pages WHERE name = $1", args![name])?;
    Ok(())
}

fn page_row(row: &Row) -> Result<PageInfo, Error> {
    Ok(PageInfo {
        name: row.get(0)?,
        title: row.get(1)?,
        version: row.get(2)?,
        written_by: row.get(3)?,
        written_at: row.get(4)?,
    })
}
