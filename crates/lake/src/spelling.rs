//! Names in a statement, in the spelling of the tables.
//!
//! Tables and columns match without regard to case, quoted or not, as users
//! of the original expect. The SQL engine knows only names in lower case or
//! exact ones. So before a statement is parsed, each word in it that names a
//! table, a view or a column of one takes on their spelling, and any other word
//! the spelling in which it first occurs. Almost nothing but the case of
//! letters changes: keywords and functions do not mind, texts are no words, and
//! places in error messages stay right. The one exception are units of time,
//! which some functions take as a bare word: `DATEDIFF(day, a, b)`.

use std::collections::{HashMap, HashSet};

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, TokenizerError};
use pools::SEQ_COLUMN;

/// Functions whose first argument is a unit of time.
const TAKE_A_UNIT: [&str; 4] = ["datediff", "timestampdiff", "dateadd", "timestampadd"];

/// A table or view that a statement may name.
pub(crate) struct Relation {
    /// As first written.
    pub(crate) name: String,
    /// Its columns, likewise.
    pub(crate) columns: Vec<String>,
}

/// A statement as the engine is to read it.
#[derive(Debug)]
pub(crate) struct Spelled {
    /// The statement's tokens.
    pub(crate) tokens: Vec<TokenWithSpan>,
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

/// Cuts a statement into tokens.
pub(crate) fn tokens(statement: &str) -> Result<Vec<TokenWithSpan>, TokenizerError> {
    Tokenizer::new(&GenericDialect {}, statement).tokenize_with_location()
}

/// Returns the words of a statement in lower case.
pub(crate) fn words(tokens: &[TokenWithSpan]) -> HashSet<String> {
    let words = tokens.iter().filter_map(|token| match &token.token {
        Token::Word(word) => Some(word.value.to_ascii_lowercase()),
        _ => None,
    });
    words.collect()
}

/// Spells the names in a statement that names these tables and views.
pub(crate) fn spell(mut tokens: Vec<TokenWithSpan>, relations: &[Relation]) -> Spelled {
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
            aliases.insert(lower, word.value.clone());
        }
        after_as = word.keyword == Keyword::AS;
    }
    let mut words = HashMap::new();
    let mut teach = |name: &str| {
        words.entry(name.to_ascii_lowercase()).or_insert_with(|| name.to_owned());
    };
    for relation in relations {
        teach(&relation.name);
        relation.columns.iter().for_each(|column| teach(column));
    }
    teach(SEQ_COLUMN);
    quote_units(&mut tokens);
    for token in &mut tokens {
        if let Token::Word(word) = &mut token.token {
            word.value = words.entry(word.value.to_ascii_lowercase()).or_insert_with(|| word.value.clone()).clone();
        }
    }
    Spelled { tokens, names_seq, words, aliases }
}

/// Makes a text of the unit in `DATEDIFF(day, …`.
fn quote_units(tokens: &mut [TokenWithSpan]) {
    let solid: Vec<usize> =
        (0..tokens.len()).filter(|&place| !matches!(tokens[place].token, Token::Whitespace(_))).collect();
    for window in solid.windows(4) {
        let [function, open, unit, comma] = [0, 1, 2, 3].map(|place| &tokens[window[place]].token);
        let (Token::Word(function), Token::LParen, Token::Word(unit), Token::Comma) = (function, open, unit, comma)
        else {
            continue;
        };
        let takes_a_unit = TAKE_A_UNIT.iter().any(|name| function.value.eq_ignore_ascii_case(name));
        if takes_a_unit && unit.quote_style.is_none() {
            let text = Token::SingleQuotedString(unit.value.clone());
            tokens[window[2]].token = text;
        }
    }
}
