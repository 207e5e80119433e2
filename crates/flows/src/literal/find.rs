//! Finding secrets: by what they look like, and by what they are called.

use base::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value as Json};

use super::{Home, Literal, Site, shown};
use crate::blueprint;
use crate::connection::Credentials;
use crate::mapping::{Root, Segment, Template};

/// What secrets begin with, how many letters they have at least, and what they are.
const SHAPES: [(&str, usize, &str); 10] = [
    ("dapi", 20, "a Databricks token"),
    ("xoxb-", 16, "a Slack token"),
    ("xoxp-", 16, "a Slack token"),
    ("AKIA", 20, "an AWS access key"),
    ("ASIA", 20, "an AWS access key"),
    ("ghp_", 30, "a GitHub token"),
    ("github_pat_", 30, "a GitHub token"),
    ("sk-", 24, "an API key"),
    ("eyJhbGciOi", 40, "a JSON web token"),
    ("https://hooks.slack.com/services/", 50, "the address of a Slack hook"),
];
/// What private keys begin with, and end with.
const PRIVATE_KEY: (&str, &str) = ("-----BEGIN ", "PRIVATE KEY-----");
/// Words of names that hold secrets, in small letters without signs.
const NAMES: [&str; 13] = [
    "appkey",
    "apikey",
    "apitoken",
    "accesskey",
    "accesstoken",
    "authtoken",
    "bearertoken",
    "password",
    "passwd",
    "authpass",
    "secret",
    "clientsecret",
    "privatekey",
];
/// Parameters of addresses that hold secrets; also whole names.
const PARAMETERS: [&str; 7] = ["token", "key", "secret", "sig", "signature", "code", "auth"];
/// Headers that hold secrets.
const HEADERS: [&str; 6] = ["authorization", "x-api-key", "api-key", "x-auth-token", "x-access-token", "apikey"];

/// Tells whether a field of this name holds a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    let plain = plain(name);
    NAMES.iter().any(|secret| plain.ends_with(secret)) || plain == "token"
}

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// Returns what a word is if it looks like a secret.
fn shape_of(word: &str) -> Option<&'static str> {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_./:+=".contains(letter);
    let fits = |(start, length, _): &&(&str, usize, &str)| word.len() >= *length && word.starts_with(start);
    SHAPES.iter().find(fits).filter(|_| word.chars().all(is_letter)).map(|(.., what)| *what)
}

/// Finds secrets in the text of a value: where they are, and what they are.
fn shapes(text: &str) -> Vec<(&str, &'static str)> {
    let mut found = Vec::new();
    if let (Some(start), Some(_)) = (text.find(PRIVATE_KEY.0), text.find(PRIVATE_KEY.1)) {
        let end = text.rfind("-----").map_or(text.len(), |end| end + 5);
        found.push((&text[start..end], "a private key"));
    }
    let is_around = |letter: char| letter.is_whitespace() || "\"',;(){}<>".contains(letter);
    found.extend(text.split(is_around).filter_map(|word| Some((word, shape_of(word)?))));
    found
}

/// Puts dots in the place of what looks like a secret.
pub(super) fn mask(text: &str) -> String {
    let mut masked = text.to_owned();
    for (secret, _) in shapes(text) {
        masked = masked.replace(secret, &shown(secret));
    }
    if let Some((_, secret)) = scheme(text) {
        masked = masked.replace(secret, &shown(secret));
    }
    masked
}

/// Takes `Bearer x` apart, if x is written out.
fn scheme(value: &str) -> Option<(&str, &str)> {
    let (scheme, secret) = value.trim().split_once(' ')?;
    let secret = secret.trim();
    let is_one = ["bearer", "basic", "appkey", "token", "apikey"].contains(&scheme.to_ascii_lowercase().as_str());
    (is_one && !secret.is_empty() && !secret.contains("{{")).then_some((scheme, secret))
}

/// Returns all secrets of a document, in the order of its text.
pub fn find(document: &Json) -> Vec<Literal> {
    let modules = blueprint::modules(document);
    let mut found: Vec<Literal> = Vec::new();
    for (spot, node) in &modules {
        let Some(id) = node.get("id").and_then(Json::as_u64).and_then(|id| u32::try_from(id).ok()) else { continue };
        let name = node.get("module").and_then(Json::as_str).unwrap_or_default();
        let place = Seeker { id, pointer: &spot.pointer, node, is_http: name.starts_with("http:"), found: &mut found };
        place.seek(name, document);
    }
    found
}

/// Looks into one module.
struct Seeker<'a> {
    id: u32,
    pointer: &'a str,
    node: &'a Map<String, Json>,
    is_http: bool,
    found: &'a mut Vec<Literal>,
}

impl Seeker<'_> {
    fn seek(mut self, name: &str, document: &Json) {
        let mapper = self.node.get("mapper").cloned().unwrap_or_default();
        if self.is_http {
            self.headers(&mapper);
            self.basic(&mapper);
            self.query(&mapper);
        }
        if name.starts_with("util:Set") {
            self.variables(&mapper, document);
        }
        // Whatever else looks like one, wherever it stands.
        for part in ["mapper", "parameters"] {
            let value = self.node.get(part).cloned().unwrap_or_default();
            blueprint::texts(&value, part, &mut |path, text| {
                for (secret, what) in shapes(text) {
                    if !self.found.iter().any(|known| known.module == self.id && known.secret.expose().contains(secret))
                    {
                        let why = "make a connection of it, or take it from a variable of the environment, by hand";
                        self.add(path, what, secret, Err(why.to_owned()));
                    }
                }
                let field = path.rsplit('.').next().unwrap_or_default();
                let is_known = self.found.iter().any(|known| known.module == self.id && known.field == path);
                if is_secret_name(field) && !is_known && !text.is_empty() && !text.contains("{{") {
                    let why = "make a connection of it, by hand";
                    self.add(path, "a secret by its name", text, Err(why.to_owned()));
                }
            });
        }
    }

    fn add(&mut self, field: &str, what: &'static str, secret: &str, way: Result<(Credentials, Vec<Site>), String>) {
        let (home, credentials, sites) = match way {
            Ok((credentials, sites)) if self.takes_connection(&sites) => {
                (Home::Connection(kind_of(&credentials)), Some(credentials), sites)
            }
            Ok(_) => (
                Home::Nowhere("the module has a connection already: take this one out by hand".into()),
                None,
                Vec::new(),
            ),
            Err(why) => (Home::Nowhere(why), None, Vec::new()),
        };
        self.found.push(Literal {
            module: self.id,
            field: field.to_owned(),
            what,
            shown: shown(secret),
            home,
            secret: Secret::new(secret),
            credentials,
            sites,
        });
    }

    /// Tells whether the module sends what a connection presents, and has none.
    fn takes_connection(&self, sites: &[Site]) -> bool {
        let is_elsewhere = sites.iter().any(|site| site.module() != self.pointer);
        let parameters = self.node.get("parameters").and_then(Json::as_object);
        let is_free = parameters.is_none_or(|parameters| crate::modules::http::named::connection(parameters).is_none());
        is_elsewhere || is_free
    }

    fn headers(&mut self, mapper: &Json) {
        for (place, header) in mapper["headers"].as_array().into_iter().flatten().enumerate() {
            let name = header["name"].as_str().unwrap_or_default().trim().to_ascii_lowercase();
            let value = header["value"].as_str().unwrap_or_default();
            let field = format!("mapper.headers[{}].value", place + 1);
            let sites = vec![Site::Entry { module: self.pointer.to_owned(), list: "headers".into(), index: place }];
            if value.contains("{{") || value.is_empty() {
                continue;
            }
            if let Some((scheme, secret)) = scheme(value) {
                let (what, way) = match credentials_of(scheme, secret) {
                    Some((what, credentials)) => (what, Ok((credentials, sites))),
                    None => ("a credential", Ok((header_of(&name, value), sites))),
                };
                self.add(&field, what, secret, way);
            } else if HEADERS.contains(&name.as_str()) || is_secret_name(&name) {
                self.add(&field, "a secret header", value, Ok((header_of(&name, value), sites)));
            }
        }
    }

    fn basic(&mut self, mapper: &Json) {
        let text = |name: &str| mapper[name].as_str().unwrap_or_default();
        let (user, password) = (text("authUser"), text("authPass"));
        if password.is_empty() || password.contains("{{") {
            return;
        }
        let field = |field: &str| Site::Field { module: self.pointer.to_owned(), field: field.to_owned() };
        let sites = vec![field("authUser"), field("authPass")];
        let way = if user.contains("{{") {
            Err("the user's name is mapped: make a connection by hand".to_owned())
        } else {
            Ok((Credentials::Basic { user: user.to_owned(), password: Secret::new(password) }, sites))
        };
        self.add("mapper.authPass", "a password", password, way);
    }

    fn query(&mut self, mapper: &Json) {
        let is_secret = |name: &str| PARAMETERS.contains(&plain(name).as_str()) || is_secret_name(name);
        let url = mapper["url"].as_str().unwrap_or_default();
        for pair in url.split_once('?').map_or("", |(_, query)| query).split('&') {
            let Some((name, value)) = pair.split_once('=') else { continue };
            if is_secret(name) && value.len() > 3 && !value.contains("{{") {
                let site = Site::Query { module: self.pointer.to_owned(), parameter: name.to_owned() };
                self.add("mapper.url", "a secret in an address", value, Ok((query_of(name, value), vec![site])));
            }
        }
        for list in ["qs", "queryParameters"] {
            for (place, pair) in mapper[list].as_array().into_iter().flatten().enumerate() {
                let (name, value) =
                    (pair["name"].as_str().unwrap_or_default(), pair["value"].as_str().unwrap_or_default());
                if is_secret(name) && value.len() > 3 && !value.contains("{{") {
                    let site = Site::Entry { module: self.pointer.to_owned(), list: list.into(), index: place };
                    let field = format!("mapper.{list}[{}].value", place + 1);
                    self.add(&field, "a secret in an address", value, Ok((query_of(name, value), vec![site])));
                }
            }
        }
    }

    fn variables(&mut self, mapper: &Json, document: &Json) {
        let mut check = |name: &Json, value: &Json, field: String, own: String| {
            let (Some(name), Some(value)) = (name.as_str(), value.as_str()) else { return };
            let what = shapes(value).first().map(|(_, what)| *what);
            if value.is_empty() || value.contains("{{") || what.is_none() && !is_secret_name(name) {
                return;
            }
            let way = sent_as(document, self.id, name, value).map(|(credentials, mut sites)| {
                sites.push(Site::Field { module: self.pointer.to_owned(), field: own });
                (credentials, sites)
            });
            self.add(&field, what.unwrap_or("a secret by the name of its variable"), value, way);
        };
        for (place, variable) in mapper["variables"].as_array().into_iter().flatten().enumerate() {
            let field = format!("mapper.variables[{}].value", place + 1);
            check(&variable["name"], &variable["value"], field, format!("variables/{place}/value"));
        }
        check(&mapper["name"], &mapper["value"], "mapper.value".into(), "value".into());
    }
}

/// Finds what a variable is sent as: each of its uses must be a credential of a
/// request, of the same scheme.
fn sent_as(document: &Json, id: u32, name: &str, value: &str) -> Result<(Credentials, Vec<Site>), String> {
    let mut sites = Vec::new();
    let mut schemes: Vec<String> = Vec::new();
    let mut others: Vec<String> = Vec::new();
    for (spot, node) in blueprint::modules(document) {
        let user = node.get("id").and_then(Json::as_u64).unwrap_or_default();
        let is_http = node.get("module").and_then(Json::as_str).is_some_and(|name| name.starts_with("http:"));
        let parameters = node.get("parameters").and_then(Json::as_object);
        let is_free = parameters.is_none_or(|parameters| crate::modules::http::named::connection(parameters).is_none());
        let fields = [("mapper", "mapper"), ("filter", "filter"), ("outputs", "outputs")];
        for (part, path) in fields {
            blueprint::texts(node.get(part).unwrap_or(&Json::Null), path, &mut |path, text| {
                if user == u64::from(id) || !reads(text, id, name) {
                    return;
                }
                let index = path.strip_prefix("mapper.headers[").and_then(|rest| rest.strip_suffix("].value"));
                let index = index.and_then(|index| index.parse::<usize>().ok()).and_then(|index| index.checked_sub(1));
                let alone = text.trim().split_once(' ').filter(|(scheme, rest)| {
                    !scheme.contains("{{") && rest.trim().starts_with("{{") && rest.matches("{{").count() == 1
                });
                match (index, alone) {
                    (Some(index), Some((scheme, _))) if is_http && is_free => {
                        schemes.push(scheme.to_owned());
                        sites.push(Site::Entry { module: spot.pointer.clone(), list: "headers".into(), index });
                    }
                    _ => others.push(format!("module {user}, {path}")),
                }
            });
        }
    }
    if !others.is_empty() {
        return Err(format!(
            "a variable cannot take a connection, and it is used in {}: send it by a connection there, and then \
             empty the variable",
            others.join(", ")
        ));
    }
    let Some(first) = schemes.first() else {
        return Err("a variable cannot take a connection, and nothing reads it: take it out by hand".into());
    };
    if schemes.iter().any(|scheme| !scheme.eq_ignore_ascii_case(first)) {
        return Err("it is sent in different ways: make the connections by hand".into());
    }
    match credentials_of(first, value) {
        Some((_, credentials)) => Ok((credentials, sites)),
        None => Ok((header_of("authorization", &format!("{first} {value}")), sites)),
    }
}

/// Tells whether a text maps an item of a module, or a variable by its name.
fn reads(text: &str, id: u32, name: &str) -> bool {
    let Ok(template) = Template::parse(text) else { return text.contains(name) };
    let mut found = false;
    for expression in template.expressions() {
        expression.references(&mut |root, path, _| {
            let is_item = matches!(root, Root::Module(module) if *module == id);
            found |= is_item
                && matches!(path.first(), None | Some(Segment::Name(_)))
                && path.first().is_none_or(|segment| matches!(segment, Segment::Name(item) if item == name));
        });
    }
    // Other modules get a variable by its name.
    found || text.trim() == name
}

fn credentials_of(scheme: &str, secret: &str) -> Option<(&'static str, Credentials)> {
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => {
            let what = shape_of(secret).unwrap_or("a bearer token");
            Some((what, Credentials::Bearer(Secret::new(secret))))
        }
        "appkey" => Some(("an app key", Credentials::AppKey(Secret::new(secret)))),
        "basic" => {
            let pair = BASE64.decode(secret).ok().and_then(|bytes| String::from_utf8(bytes).ok())?;
            let (user, password) = pair.split_once(':')?;
            Some(("a password", Credentials::Basic { user: user.to_owned(), password: Secret::new(password) }))
        }
        _ => None,
    }
}

/// Returns the kind of connection of what was found.
fn kind_of(credentials: &Credentials) -> &'static str {
    match credentials {
        Credentials::AppKey(_) => "app-key",
        Credentials::Bearer(_) => "bearer",
        Credentials::Basic { .. } => "basic",
        Credentials::Query { .. } => "query",
        // Nothing else is made of what stands in a text.
        _ => "header",
    }
}

fn header_of(name: &str, value: &str) -> Credentials {
    Credentials::Header { header: name.to_owned(), value: Secret::new(value.trim()) }
}

fn query_of(name: &str, value: &str) -> Credentials {
    let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned();
    Credentials::Query { parameter: name.to_owned(), value: Secret::new(value) }
}
