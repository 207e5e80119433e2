//! Cookies that the requests of a run share.
//!
//! What a server sets is kept as long as the run lasts, in its journal and
//! nowhere else: a run that is resumed sends what it would have sent.

use serde_json::{Value as Json, json};
use url::Url;

/// A cookie, and to whom it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie {
    name: String,
    value: String,
    /// Host, without a dot at the beginning.
    domain: String,
    /// It does not go to hosts below the domain.
    host_only: bool,
    /// Paths at and below this one.
    path: String,
    /// By TLS only.
    secure: bool,
    /// The server took it back.
    is_over: bool,
}

impl std::fmt::Debug for Cookie {
    /// Shows name and domain only: a value is often a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cookie {} of {}", self.name, self.domain)
    }
}

/// Cookies of a run.
#[derive(Clone, Debug, Default)]
pub struct Jar(Vec<Cookie>);

impl Cookie {
    /// Reads a `Set-Cookie` header that came from `url`; nothing if it is
    /// none, or one for somebody else.
    pub(super) fn read(header: &str, url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        let host = url.host_str()?.to_ascii_lowercase();
        let mut parts = header.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let folder = url.path().rfind('/').map_or("/", |slash| &url.path()[..slash.max(1)]);
        let mut cookie = Cookie {
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
            domain: host.clone(),
            host_only: true,
            path: folder.to_owned(),
            secure: false,
            is_over: false,
        };
        let mut has_age = false;
        for attribute in parts {
            let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "domain" if !value.trim_start_matches('.').is_empty() => {
                    cookie.domain = value.trim_start_matches('.').to_ascii_lowercase();
                    cookie.host_only = false;
                }
                "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
                "secure" => cookie.secure = true,
                "max-age" => {
                    has_age = true;
                    cookie.is_over = value.parse::<i64>().is_ok_and(|seconds| seconds <= 0);
                }
                // A run is short, so of dates only the one that means "gone" matters.
                "expires" if !has_age => cookie.is_over = value.contains("1970"),
                _ => {}
            }
        }
        // A domain without a dot would be a whole top level.
        let fits = cookie.host_only
            || (host == cookie.domain || is_below(&host, &cookie.domain) && cookie.domain.contains('.'));
        (fits && !cookie.name.is_empty()).then_some(cookie)
    }

    fn goes_to(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        let at = host == self.domain || !self.host_only && is_below(&host, &self.domain);
        let rest = url.path().strip_prefix(self.path.as_str());
        let below = rest.is_some_and(|rest| rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/'));
        at && below && (!self.secure || url.scheme() == "https")
    }

    pub(crate) fn to_stored(&self) -> Json {
        json!([self.name, self.value, self.domain, self.host_only, self.path, self.secure, self.is_over])
    }

    pub(crate) fn from_stored(json: &Json) -> Option<Self> {
        let text = |place: usize| json[place].as_str().map(str::to_owned);
        Some(Cookie {
            name: text(0)?,
            value: text(1)?,
            domain: text(2)?,
            host_only: json[3].as_bool()?,
            path: text(4)?,
            secure: json[5].as_bool()?,
            is_over: json[6].as_bool()?,
        })
    }
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

impl Jar {
    /// Returns all of them.
    pub(crate) fn cookies(&self) -> &[Cookie] {
        &self.0
    }

    /// Adds a cookie; it takes the place of one of the same name and place.
    pub fn add(&mut self, cookie: Cookie) {
        let place = |cookie: &Cookie| (cookie.name.clone(), cookie.domain.clone(), cookie.path.clone());
        self.0.retain(|known| place(known) != place(&cookie));
        if !cookie.is_over {
            self.0.push(cookie);
        }
    }

    /// Returns the `Cookie` header for a request to `url`, if any cookie goes
    /// there; those of the longest path first.
    pub fn header(&self, url: &str) -> Option<String> {
        let url = Url::parse(url).ok()?;
        let mut cookies: Vec<&Cookie> = self.0.iter().filter(|cookie| cookie.goes_to(&url)).collect();
        cookies.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let texts: Vec<String> = cookies.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, set: &[&str], to: &str, expected: Option<&str>) {
        let mut jar = Jar::default();
        for header in set {
            if let Some(cookie) = Cookie::read(header, from) {
                // What is kept is what is read back from the journal.
                jar.add(Cookie::from_stored(&cookie.to_stored()).expect("a cookie"));
            }
        }
        assert_eq!(jar.header(to).as_deref(), expected, "{set:?} from {from} to {to}");
    }

    #[test]
    fn a_cookie_goes_where_its_server_said_and_nowhere_else() {
        let login = "https://app.example.org/session/login";
        for (set, to, expected) in [
            (&["a=1"][..], "https://app.example.org/session/next", Some("a=1")),
            (&["a=1"], "https://app.example.org/other", None),
            (&["a=1; Path=/"], "https://app.example.org/other?x", Some("a=1")),
            (&["a=1; Path=/oth"], "https://app.example.org/other", None),
            (&["a=1; Path=/"], "https://example.org/", None),
            (&["a=1; Path=/; Domain=.example.org"], "https://api.example.org/", Some("a=1")),
            (&["a=1; Path=/; Domain=example.org"], "https://badexample.org/", None),
            (&["a=1; Path=/; Domain=evil.org"], "https://evil.org/", None),
            (&["a=1; Path=/; Domain=org"], "https://other.org/", None),
            (&["a=1; Path=/; Secure; HttpOnly"], "http://app.example.org/", None),
            (&["a=1; Path=/", "a=2; Path=/"], "https://app.example.org/", Some("a=2")),
            (&["a=1; Path=/", "a=; Path=/; Max-Age=0"], "https://app.example.org/", None),
            (&["a=1; Path=/", "a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], "https://app.example.org/", None),
            (&["a=1; Path=/", "b=2; Path=/session"], "https://app.example.org/session", Some("b=2; a=1")),
            (&["nonsense"], "https://app.example.org/session", None),
        ] {
            check(login, set, to, expected);
        }
    }

    #[test]
    fn what_is_shown_of_a_cookie_is_not_its_value() {
        let cookie = Cookie::read("sid=s3cret", "https://a.example/").expect("a cookie");
        assert_eq!(format!("{cookie:?}"), "cookie sid of a.example");
    }
}
