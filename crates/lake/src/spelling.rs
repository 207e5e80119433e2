//! Names in a statement, in the spelling of the tables.
//!
//! Tables and columns match without regard to case, quoted or not, as users
//! of the original expect. The SQL engine knows only names in lower case or
//! exact ones. So before a statement is parsed, each word in it that names a
//! table or a column of it takes on their spelling, and any other word the
//! spelling in which it first occurs. Nothing but the case of letters changes:
//! keywords and functions do not mind, texts are no words, and places in error
//! messages stay right.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, TokenizerError};
use pools::SEQ_COLUMN;

use crate::pool::View;
use crate::table::Table;

/// A statement as the engine is to read it.
#[derive(Debug)]
pub(crate) struct Spelled {
    /// The statement's tokens.
    pub(crate) tokens: Vec<TokenWithSpan>,
    /// The tables whose names occur in it.
    pub(crate) tables: Vec<Arc<Table>>,
    /// `_seq` occurs in it.
    pub(crate) names_seq: bool,
    words: HashMap<String, String>,
    aliases: HashMap<String, String>,
}

impl Spelled {
    /// Returns the spelling of a name throughout the statement.
    pub(crate) fn word<'a>(&'a self, name: &'a str) -> &'a str {
        self.words.get(&name.to_ascii_lowercase()).map_or(name, String::as_str)
    }

    /// Returns a column of the answer as the statement spells it after AS.
    pub(crate) fn answer_column(&self, name: &str) -> String {
        self.aliases.get(&name.to_ascii_lowercase()).cloned().unwrap_or_else(|| name.to_owned())
    }
}

/// Spells the names in a statement.
pub(crate) fn spell(statement: &str, view: &View) -> Result<Spelled, TokenizerError> {
    let mut tokens = Tokenizer::new(&GenericDialect {}, statement).tokenize_with_location()?;
    let mut tables: Vec<Arc<Table>> = Vec::new();
    let mut names_seq = false;
    let mut aliases = HashMap::new();
    let mut after_as = false;
    for token in &tokens {
        let Token::Word(word) = &token.token else {
            after_as &= matches!(token.token, Token::Whitespace(_));
            continue;
        };
        let lower = word.value.to_ascii_lowercase();
        names_seq |= lower == SEQ_COLUMN;
        if after_as {
            aliases.insert(lower.clone(), word.value.clone());
        }
        after_as = word.keyword == Keyword::AS;
        if let Some(table) = view.tables.get(&lower)
            && !tables.iter().any(|known| known.name == table.name)
        {
            tables.push(table.clone());
        }
    }
    let mut words = HashMap::new();
    let mut teach = |name: &str| {
        words.entry(name.to_ascii_lowercase()).or_insert_with(|| name.to_owned());
    };
    for table in &tables {
        teach(&table.name);
        for column in &table.shape.schema.columns {
            teach(&column.name);
        }
    }
    teach(SEQ_COLUMN);
    for token in &mut tokens {
        if let Token::Word(word) = &mut token.token {
            word.value = words.entry(word.value.to_ascii_lowercase()).or_insert_with(|| word.value.clone()).clone();
        }
    }
    Ok(Spelled { tokens, tables, names_seq, words, aliases })
}
