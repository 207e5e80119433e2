//! HTML as a reader sees it. The tokens are those of the standard; pages are
//! seldom whole, so what is not closed ends with the page.

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{HtmlString, Token, Tokenizer};

use crate::value::{Collection, Value};

/// Lists inside one another that are set in; deeper ones stand below these.
const INDENT_MAX: usize = 20;

/// What is open while a page is written.
#[derive(Default)]
struct Page {
    out: String,
    /// Empty lines wanted before the next word: 0 for none, 1 for a new line,
    /// 2 for an empty one between.
    lines: usize,
    /// A blank is wanted before the next word.
    is_apart: bool,
    /// Numbers of the lists that are open; nothing for one without numbers.
    lists: Vec<Option<u64>>,
    /// Where the text of each open link begins, and where it leads to.
    links: Vec<(usize, String)>,
    /// Something that nobody sees is open, such as a script.
    hidden: usize,
    /// Text that is to be kept as it is.
    kept: usize,
    heading: bool,
    uppercase: bool,
    cells: usize,
}

/// Writes a page as text; its lines end with a line feed.
pub(super) fn to_text(html: &str, uppercase_headings: bool) -> String {
    let mut page = Page { uppercase: uppercase_headings, ..Page::default() };
    for token in tokens(html) {
        match token {
            Token::StartTag(tag) => {
                let attribute = |name: &str| tag.attributes.get(name.as_bytes()).map(|value| text(&value.value));
                let name = text(&tag.name);
                page.open(&name, &attribute);
                if is_void(&name) {
                    continue;
                }
                if tag.self_closing && !is_hidden(&name) {
                    page.close(&name);
                }
            }
            Token::EndTag(tag) => page.close(&text(&tag.name)),
            Token::String(words) => page.write(&text(&words.value)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    let lines: Vec<&str> = page.out.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// Returns the elements of a tag (`h` for all headings) with their attributes
/// and the text inside.
pub(super) fn elements(html: &str, wanted: &str) -> Vec<Value> {
    let is_wanted = |name: &str| match wanted {
        "h" => matches!(name, "h1" | "h2" | "h3" | "h4" | "h5" | "h6"),
        _ => name == wanted,
    };
    let mut found: Vec<(Collection, String)> = Vec::new();
    // Those that are open; elements of these kinds are not inside one another.
    let mut open: Option<usize> = None;
    for token in tokens(html) {
        match token {
            Token::StartTag(tag) => {
                let name = text(&tag.name);
                if is_wanted(&name) {
                    let attributes =
                        tag.attributes.iter().map(|(name, value)| (text(name), Value::text(text(&value.value))));
                    let mut fields: Collection = attributes.collect();
                    if wanted == "h" {
                        fields.insert("level".into(), Value::Int(i64::from(name.as_bytes()[1] - b'0')));
                    }
                    found.push((fields, String::new()));
                    open = (!is_void(&name) && !tag.self_closing).then_some(found.len() - 1);
                } else if matches!(name.as_str(), "br" | "p" | "div" | "td" | "li")
                    && let Some(place) = open
                {
                    found[place].1.push(' ');
                }
            }
            Token::EndTag(tag) if is_wanted(&text(&tag.name)) => open = None,
            Token::String(words) => {
                if let Some(place) = open {
                    found[place].1.push_str(&text(&words.value));
                }
            }
            Token::EndTag(_) | Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    let bundle = |(mut fields, inside): (Collection, String)| {
        let inside = inside.split_whitespace().collect::<Vec<_>>().join(" ");
        if !inside.is_empty() {
            fields.insert("text".into(), Value::text(inside));
        }
        Value::Collection(fields.into())
    };
    found.into_iter().map(bundle).collect()
}

fn tokens(html: &str) -> impl Iterator<Item = Token> {
    let mut emitter = DefaultEmitter::default();
    // So what is in a script is no element.
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(html, emitter).flatten()
}

fn text(bytes: &HtmlString) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn is_void(name: &str) -> bool {
    matches!(name, "br" | "hr" | "img" | "input" | "meta" | "link" | "col" | "area" | "base" | "wbr" | "source")
}

fn is_hidden(name: &str) -> bool {
    matches!(name, "script" | "style" | "head" | "template" | "noscript" | "title" | "svg" | "select")
}

/// Tells how far an element stands apart from its neighbours: 0 not at all, 1
/// in lines of its own, 2 with empty lines around it.
fn apart(name: &str) -> usize {
    match name {
        "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "table" | "blockquote" | "pre" | "ul" | "ol" | "dl"
        | "figure" => 2,
        "div" | "section" | "article" | "header" | "footer" | "main" | "nav" | "aside" | "form" | "tr" | "li"
        | "dt" | "dd" | "address" | "fieldset" | "caption" | "figcaption" | "body" | "html" | "option" => 1,
        _ => 0,
    }
}

impl Page {
    fn open(&mut self, name: &str, attribute: &dyn Fn(&str) -> Option<String>) {
        if is_hidden(name) {
            self.hidden += 1;
        }
        if self.hidden > 0 {
            return;
        }
        // A list inside another one follows its entry.
        let is_inner = matches!(name, "ul" | "ol") && !self.lists.is_empty();
        self.part(if is_inner { 1 } else { apart(name) });
        match name {
            "br" => self.out.push('\n'),
            "hr" => {
                self.part(2);
                self.word("----------");
                self.part(2);
            }
            "pre" | "textarea" => self.kept += 1,
            "ul" => self.lists.push(None),
            "ol" => self.lists.push(Some(attribute("start").and_then(|start| start.parse().ok()).unwrap_or(1))),
            "li" => {
                let depth = self.lists.len().clamp(1, INDENT_MAX);
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number = number.saturating_add(1);
                        format!("{}.", number.saturating_sub(1))
                    }
                    _ => "*".to_owned(),
                };
                self.word(&format!("{}{mark}", "  ".repeat(depth - 1)));
                self.is_apart = true;
            }
            "tr" => self.cells = 0,
            "td" | "th" => {
                if self.cells > 0 {
                    self.out.push('\t');
                    self.is_apart = false;
                }
                self.cells += 1;
            }
            "a" => {
                let at = self.out.len();
                self.links.push((at, attribute("href").unwrap_or_default()));
            }
            "img" => {
                if let Some(described) = attribute("alt").filter(|described| !described.is_empty()) {
                    self.write(&format!("[{described}]"));
                }
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.heading = true,
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        if is_hidden(name) {
            self.hidden = self.hidden.saturating_sub(1);
            return;
        }
        if self.hidden > 0 {
            return;
        }
        match name {
            "pre" | "textarea" => self.kept = self.kept.saturating_sub(1),
            "ul" | "ol" => {
                self.lists.pop();
            }
            "a" => self.end_link(),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.heading = false,
            _ => {}
        }
        let is_inner = matches!(name, "ul" | "ol") && !self.lists.is_empty();
        self.part(if is_inner { 1 } else { apart(name) });
    }

    /// Writes where a link leads to, unless its text says so.
    fn end_link(&mut self) {
        let Some((at, target)) = self.links.pop() else { return };
        let shown = self.out.get(at..).unwrap_or_default().trim();
        let bare = target.strip_prefix("mailto:").unwrap_or(&target);
        let leads_on =
            !target.is_empty() && !target.starts_with('#') && !target.to_lowercase().starts_with("javascript:");
        if leads_on && shown != target && shown != bare {
            let target = format!("[{target}]");
            self.is_apart |= !shown.is_empty();
            self.word(&target);
        }
    }

    fn part(&mut self, lines: usize) {
        self.lines = self.lines.max(lines);
        if lines > 0 {
            self.is_apart = false;
        }
    }

    fn write(&mut self, words: &str) {
        if self.hidden > 0 {
            return;
        }
        if self.kept > 0 {
            self.word(words);
            return;
        }
        // The hard blank keeps its neighbours together, and is no layout.
        let is_layout = |letter: char| matches!(letter, ' ' | '\t' | '\n' | '\r' | '\x0c');
        self.is_apart |= words.starts_with(is_layout);
        let mut is_first = true;
        for word in words.split(is_layout).filter(|word| !word.is_empty()) {
            self.is_apart |= !is_first;
            is_first = false;
            let word = word.replace('\u{a0}', " ");
            match self.heading && self.uppercase {
                true => self.word(&word.to_uppercase()),
                false => self.word(&word),
            }
        }
        self.is_apart |= words.ends_with(is_layout);
    }

    /// Writes a word, with what is wanted before it.
    fn word(&mut self, word: &str) {
        if !self.out.is_empty() {
            let has = self.out.len() - self.out.trim_end_matches('\n').len();
            for _ in has..self.lines {
                self.out.push('\n');
            }
        }
        let at_begin = self.out.is_empty() || self.out.ends_with(['\n', '\t']);
        if self.is_apart && !at_begin {
            self.out.push(' ');
        }
        self.out.push_str(word);
        (self.lines, self.is_apart) = (0, false);
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(html: &str, expected: Expect) {
        expected.assert_eq(&to_text(html, false));
    }

    #[test]
    fn a_page_is_what_its_reader_sees() {
        check("a\n <b>b</b>c &amp; &#228;&nbsp;&lt;", expect!["a bc & ä <"]);
        check(
            "<p>a<p>b<br>c<div>d</div>e",
            expect![[r"
            a

            b
            c
            d
            e"]],
        );
        check("<script>if (a<b) {}</script><style>p{}</style>x<!-- y -->", expect!["x"]);
        check(
            "<ol start=3><li>a<ul><li>b</ul><li>c</ol>d",
            expect![[r"
            3. a
              * b
            4. c

            d"]],
        );
        check(
            "<table><tr><th>a<th>b<tr><td>1</td><td>2</td></table>x",
            expect![[r"
            a	b
            1	2

            x"]],
        );
        check("<a href='u'>t</a>, <a href='#x'>in</a>, <a href='mailto:a@x'>a@x</a>", expect!["t [u], in, a@x"]);
        check(
            "<pre>a\n  b</pre>c",
            expect![[r"
            a
              b

            c"]],
        );
        check("<p>unclosed <b>x <i", expect!["unclosed x"]);
    }

    #[test]
    fn elements_have_their_attributes() {
        let shown: Vec<String> =
            elements("<h2 id=a>x <b>y</b></h2><H3>z", "h").iter().map(|value| value.to_json().to_string()).collect();
        assert_eq!(shown, [r#"{"id":"a","level":2,"text":"x y"}"#, r#"{"level":3,"text":"z"}"#]);
    }

    proptest::proptest! {
        /// Whatever stands in a page, it is written, and no tag is left of it.
        #[test]
        fn every_page_is_written(html in "(<[/a-z]{0,4}[ >]|&[a-z]{1,4};?|[a-z<>&\"' \n]){0,40}") {
            let _ = to_text(&html, true);
            let _ = elements(&html, "a");
        }

        #[test]
        fn plain_words_stay(words in proptest::collection::vec("[a-zA-Z0-9.,äß]{1,8}", 1..9)) {
            let html = format!("<div><p>{}</p></div>", words.join(" <i></i>\n"));
            proptest::prop_assert_eq!(to_text(&html, false), words.join(" "));
        }
    }
}
