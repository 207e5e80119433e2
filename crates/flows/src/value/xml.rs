//! XML as a value, in the shape of the original: every element is an array,
//! because XML does not say whether there might be more of it; its text is
//! `_value`, its attributes are `_attributes`.

use std::borrow::Cow;
use std::fmt::Write as _;

use mail_parser::decoders::charsets::map::charset_decoder;
use quick_xml::Reader;
use quick_xml::encoding::Decoder;
use quick_xml::events::{BytesStart, Event};

use super::{Collection, Value};

/// Elements inside one another. Deeper ones could overflow the stack of
/// whoever walks the value.
const DEPTH_MAX: usize = 100;

/// An element that is open.
#[derive(Default)]
struct Open {
    name: String,
    text: String,
    attributes: Collection,
    children: Vec<(String, Vec<Value>)>,
}

/// Reads a document; `{"root": [{"item": [{"_value": "text"}]}]}`. The error
/// is a sentence that tells the place.
pub(crate) fn read_xml(document: &[u8]) -> Result<Value, String> {
    let decoded = decoded(document)?;
    let mut reader = Reader::from_reader(&*decoded);
    read(&mut reader).map_err(|problem| {
        let at = match reader.error_position() {
            0 => reader.buffer_position(),
            at => at,
        };
        let before = decoded.get(..at as usize).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        let begin = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
        let column = String::from_utf8_lossy(&before[begin..]).chars().count() + 1;
        format!("{problem} (line {line}, column {column})")
    })
}

/// Converts a document to UTF-8, from what its first bytes or its declaration
/// say that it is.
fn decoded(document: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    if let Some(rest) = document.strip_prefix(b"\xEF\xBB\xBF") {
        return Ok(Cow::Borrowed(rest));
    }
    let label = match document {
        [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] => "utf-16".to_owned(),
        [b'<', 0, ..] => "utf-16le".to_owned(),
        [0, b'<', ..] => "utf-16be".to_owned(),
        _ => match declared(document) {
            Some(label) => label,
            None => return Ok(Cow::Borrowed(document)),
        },
    };
    // A text that says so of itself is UTF-8 all the same.
    if label == "utf-8" || label == "us-ascii" || label.starts_with("utf-16") && document.starts_with(b"<?xml") {
        return Ok(Cow::Borrowed(document));
    }
    let decode =
        charset_decoder(label.as_bytes()).ok_or_else(|| broken(&format!("the encoding \"{label}\" is not known")))?;
    Ok(Cow::Owned(decode(document).trim_start_matches('\u{feff}').as_bytes().to_vec()))
}

/// Returns the encoding that the declaration of a document names.
fn declared(document: &[u8]) -> Option<String> {
    let head = document.get(..document.len().min(200))?;
    let declaration = String::from_utf8_lossy(head);
    let declaration = declaration.strip_prefix("<?xml")?.split("?>").next()?;
    let after = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = after.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    Some(after[1..].split(quote).next()?.to_ascii_lowercase())
}

fn read(reader: &mut Reader<&[u8]>) -> Result<Value, String> {
    let mut open = vec![Open::default()];
    loop {
        let event = reader.read_event().map_err(|error| broken(&error.to_string()))?;
        let decoder = reader.decoder();
        match event {
            Event::Start(start) => {
                if open.len() > DEPTH_MAX {
                    return Err(format!("the XML has more than {DEPTH_MAX} elements inside one another"));
                }
                open.push(begun(&start, decoder)?);
            }
            Event::Empty(start) => {
                let element = begun(&start, decoder)?;
                close(&mut open, element);
            }
            Event::End(_) => {
                if let Some(element) = open.pop() {
                    close(&mut open, element);
                }
            }
            Event::Text(text) => add(&mut open, &text.decode().map_err(|error| broken(&error.to_string()))?),
            Event::CData(text) => add(&mut open, &text.decode().map_err(|error| broken(&error.to_string()))?),
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().map_err(|error| broken(&error.to_string()))?;
                let name = reference.decode().map_err(|error| broken(&error.to_string()))?;
                match (character, quick_xml::escape::resolve_predefined_entity(&name)) {
                    (Some(letter), _) => add(&mut open, letter.encode_utf8(&mut [0; 4])),
                    (None, Some(text)) => add(&mut open, text),
                    // Others would have to be declared, and what is declared can grow without end.
                    (None, None) => return Err(broken(&format!("the entity \"{name}\" is not known"))),
                }
            }
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    match open.as_slice() {
        [root] if !root.children.is_empty() => Ok(children(root)),
        [_] => Err("the XML has no element".into()),
        _ => Err(broken("it ends inside an element")),
    }
}

fn begun(start: &BytesStart<'_>, decoder: Decoder) -> Result<Open, String> {
    let name = |bytes: &[u8]| decoder.decode(bytes).map(std::borrow::Cow::into_owned);
    let mut element =
        Open { name: name(start.name().as_ref()).map_err(|error| broken(&error.to_string()))?, ..Open::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| broken(&error.to_string()))?;
        let key = name(attribute.key.as_ref()).map_err(|error| broken(&error.to_string()))?;
        let value = attribute.decode_and_unescape_value(decoder).map_err(|error| broken(&error.to_string()))?;
        element.attributes.insert(key, Value::text(value));
    }
    Ok(element)
}

fn add(open: &mut [Open], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn close(open: &mut [Open], element: Open) {
    let Some(parent) = open.last_mut() else { return };
    let value = content(&element);
    match parent.children.iter_mut().find(|(name, _)| *name == element.name) {
        Some((_, values)) => values.push(value),
        None => parent.children.push((element.name, vec![value])),
    }
}

fn content(element: &Open) -> Value {
    let Value::Collection(items) = children(element) else { return Value::Absent };
    let mut items = (*items).clone();
    // Blanks between elements are layout.
    let text = if element.children.is_empty() { element.text.as_str() } else { element.text.trim() };
    if !text.is_empty() {
        items.insert("_value".into(), Value::text(text));
    }
    if !element.attributes.is_empty() {
        items.insert("_attributes".into(), Value::Collection(element.attributes.clone().into()));
    }
    Value::Collection(items.into())
}

fn children(element: &Open) -> Value {
    Value::collection(element.children.iter().map(|(name, values)| (name.clone(), Value::array(values.clone()))))
}

fn broken(detail: &str) -> String {
    format!("the XML is broken: {}", detail.strip_prefix("syntax error: ").unwrap_or(detail))
}

/// Writes a document in the shape that [`read_xml`] gives; a plain value is an
/// element with that text. Elements inside others are set in by `indent`. The
/// error is a sentence.
pub(crate) fn write_xml(value: &Value, indent: &str) -> Result<String, String> {
    let Value::Collection(fields) = value else { return Err("what becomes XML must be a collection".into()) };
    let mut roots = fields.iter().filter(|(_, value)| value.exists());
    let (Some((name, root)), None) = (roots.next(), roots.next()) else {
        return Err("what becomes XML must have one item, which is the root".into());
    };
    let root = match root {
        Value::Array(values) => match values.as_slice() {
            [only] => only,
            _ => return Err(format!("the root \"{name}\" must be one element")),
        },
        single => single,
    };
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    if !indent.is_empty() {
        out.push('\n');
    }
    write_element(&mut out, name, root, indent, 0)?;
    Ok(out)
}

fn write_element(out: &mut String, name: &str, value: &Value, indent: &str, depth: usize) -> Result<(), String> {
    if depth >= DEPTH_MAX {
        return Err(format!("what becomes XML has more than {DEPTH_MAX} elements inside one another"));
    }
    must_be_name(name)?;
    let _ = write!(out, "<{name}");
    let nothing = Collection::new();
    let fields = match value {
        Value::Collection(fields) => &**fields,
        _ => &nothing,
    };
    if let Some(Value::Collection(attributes)) = fields.get("_attributes") {
        for (key, value) in attributes.iter().filter(|(_, value)| value.exists()) {
            must_be_name(key)?;
            let _ = write!(out, " {key}=\"{}\"", escaped(&plain(value), key)?);
        }
    }
    let text = match value {
        Value::Collection(fields) => fields.get("_value").map(plain).unwrap_or_default(),
        other => plain(other),
    };
    let is_element = |(name, value): &(&String, &Value)| {
        !matches!(name.as_str(), "_value" | "_attributes") && *value != &Value::Absent
    };
    let mut inside = String::new();
    for (child, value) in fields.iter().filter(is_element) {
        let values = match value {
            Value::Array(values) => values.as_slice(),
            single => std::slice::from_ref(single),
        };
        for value in values {
            if !indent.is_empty() {
                let _ = write!(inside, "\n{}", indent.repeat(depth + 1));
            }
            write_element(&mut inside, child, value, indent, depth + 1)?;
        }
    }
    if text.is_empty() && inside.is_empty() {
        out.push_str("/>");
        return Ok(());
    }
    let _ = write!(out, ">{}{inside}", escaped(&text, name)?);
    if !inside.is_empty() && !indent.is_empty() {
        let _ = write!(out, "\n{}", indent.repeat(depth));
    }
    let _ = write!(out, "</{name}>");
    Ok(())
}

fn plain(value: &Value) -> String {
    match value.to_json() {
        serde_json::Value::String(text) => text,
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn must_be_name(name: &str) -> Result<(), String> {
    let is_first = |letter: char| letter.is_alphabetic() || letter == '_';
    let is_next = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | ':' | '\u{b7}');
    match name.starts_with(is_first) && name.chars().all(is_next) && !name.ends_with(':') {
        true => Ok(()),
        false => Err(format!("\"{name}\" cannot be a name in XML")),
    }
}

/// Escapes what means something; blanks that a reader would take for layout
/// are written by their numbers.
fn escaped(text: &str, place: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(out, "&#{};", letter as u32);
            }
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => {
                return Err(format!("\"{place}\" has the letter U+{:04X}, which XML cannot hold", letter as u32));
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(document: &str, expected: Expect) {
        let shown = match read_xml(document.as_bytes()) {
            Ok(value) => value.to_json().to_string(),
            Err(problem) => problem,
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn every_element_is_an_array() {
        check(
            "<?xml version=\"1.0\"?>\n<!-- an order -->\n<order id=\"7\">\n  <line sku=\"A&amp;1\">two</line>\n  <line/>\n  <note>x &lt; y &#228;</note>\n</order>",
            expect![[
                r#"{"order":[{"line":[{"_value":"two","_attributes":{"sku":"A&1"}},{}],"note":[{"_value":"x < y ä"}],"_attributes":{"id":"7"}}]}"#
            ]],
        );
        check(
            "<s:a xmlns:s='u'><![CDATA[<b>]]></s:a>",
            expect![[r#"{"s:a":[{"_value":"<b>","_attributes":{"xmlns:s":"u"}}]}"#]],
        );
    }

    #[test]
    fn bytes_say_their_encoding() {
        let latin: Vec<u8> = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe4</a>".to_vec();
        let utf16: Vec<u8> =
            std::iter::once(0xfeff).chain("<a>ä</a>".encode_utf16()).flat_map(u16::to_le_bytes).collect();
        for document in [latin, utf16, b"\xEF\xBB\xBF<a>\xc3\xa4</a>".to_vec()] {
            let value = read_xml(&document).expect("it is read");
            assert_eq!(value.to_json().to_string(), r#"{"a":[{"_value":"ä"}]}"#);
        }
        let told = read_xml(b"<?xml version='1.0' encoding='klingon'?><a/>").expect_err("nobody knows it");
        assert_eq!(told, "the XML is broken: the encoding \"klingon\" is not known");
    }

    fn check_written(json: serde_json::Value, expected: Expect) {
        expected.assert_eq(&write_xml(&Value::from_json(json), "  ").unwrap_or_else(|problem| problem));
    }

    #[test]
    fn a_collection_becomes_a_document() {
        use serde_json::json;
        check_written(
            json!({"o": [{"_attributes": {"id": 7, "q": "a\"b\n"}, "l": [{"_value": "x & y"}, "plain", null, {}], "n": 2.5, "b": true}]}),
            expect![[r#"
                <?xml version="1.0" encoding="UTF-8"?>
                <o id="7" q="a&quot;b&#10;">
                  <l>x &amp; y</l>
                  <l>plain</l>
                  <l/>
                  <l/>
                  <n>2.5</n>
                  <b>true</b>
                </o>"#]],
        );
        check_written(json!({"a": 1, "b": 2}), expect!["what becomes XML must have one item, which is the root"]);
        check_written(json!({"a": [1, 2]}), expect![[r#"the root "a" must be one element"#]]);
        check_written(json!({"a b": 1}), expect![[r#""a b" cannot be a name in XML"#]]);
        check_written(json!({"a": "\u{1}"}), expect![[r#""a" has the letter U+0001, which XML cannot hold"#]]);
        check_written(json!([]), expect!["what becomes XML must be a collection"]);
    }

    proptest::proptest! {
        /// What was read from a document is written and read back as it was.
        #[test]
        fn a_document_goes_round(value in element(), indented in proptest::prelude::any::<bool>()) {
            let value = Value::collection([("root", Value::array(vec![value]))]);
            let text = write_xml(&value, if indented { "\t" } else { "" }).expect("it is in the shape of XML");
            proptest::prop_assert_eq!(read_xml(text.as_bytes()), Ok(value));
        }

        #[test]
        fn no_document_breaks_the_reader(text in "(<[/a-b!?]{0,3}[ =\"'>]|&[a-z#0-9]{0,4};?|[a-z<>\\[\\]]){0,30}") {
            let _ = read_xml(text.as_bytes());
        }
    }

    fn element() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::*;
        let name = || "[a-z][a-z0-9:._-]{0,3}[a-z]";
        let attributes = move || prop::collection::btree_map(name(), "[ -~ä\n\t\r]{0,6}", 0..3);
        // What is inside of blanks only counts where there are no elements.
        let leaf = (attributes(), "[ -~ä€\n\t\r]{0,8}").prop_map(|(attributes, text)| built(vec![], &text, attributes));
        leaf.prop_recursive(4, 24, 4, move |inner| {
            let children = prop::collection::btree_map(name(), prop::collection::vec(inner, 1..3), 1..4);
            (children, attributes(), "([!-~][ -~]{0,4}[!-~])?")
                .prop_map(|(children, attributes, text)| built(children.into_iter().collect(), &text, attributes))
        })
    }

    fn built(
        children: Vec<(String, Vec<Value>)>,
        text: &str,
        attributes: std::collections::BTreeMap<String, String>,
    ) -> Value {
        let mut fields: Collection = children.into_iter().map(|(name, values)| (name, Value::array(values))).collect();
        if !text.is_empty() {
            fields.insert("_value".into(), Value::text(text));
        }
        if !attributes.is_empty() {
            let attributes = attributes.into_iter().map(|(name, value)| (name, Value::text(value)));
            fields.insert("_attributes".into(), Value::collection(attributes));
        }
        Value::Collection(fields.into())
    }

    #[test]
    fn what_is_no_xml_is_told() {
        check("", expect!["the XML has no element (line 1, column 1)"]);
        check("<a>", expect!["the XML is broken: it ends inside an element (line 1, column 4)"]);
        check(
            "<a></b>",
            expect!["the XML is broken: ill-formed document: expected `</a>`, but `</b>` was found (line 1, column 4)"],
        );
        check("<a>&bomb;</a>", expect![[r#"the XML is broken: the entity "bomb" is not known (line 1, column 10)"#]]);
        check(
            &"<a>".repeat(200),
            expect!["the XML has more than 100 elements inside one another (line 1, column 304)"],
        );
    }
}
