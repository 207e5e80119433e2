//! Names of hosts that stand for ourselves.
//!
//! A blueprint that was drawn elsewhere calls `https://acme.eu-1.celonis.cloud/…`.
//! Where the setting says that `*.celonis.cloud` is this server, such a call
//! goes to our own listener by name, and the blueprint runs unedited: its path,
//! its body and the credentials in its own headers stay as they are.
//!
//! The address at which our workspace listens stands for it too, because that
//! is what people copy from their browser. Nothing else becomes reachable by
//! that: the same listener is open to everybody as `loopwright://workspace`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use base::http::OURSELVES;

/// A name, or a pattern of names, and which of our listeners it stands for:
/// `*.celonis.cloud=this`, `adb-1.azuredatabricks.net=workspace`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAlias {
    pattern: String,
    ours: Ours,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ours {
    This,
    Workspace,
}

impl Ours {
    fn name(self) -> &'static str {
        match self {
            Ours::This => "this",
            Ours::Workspace => "workspace",
        }
    }
}

/// Says that a text is not an alias.
#[derive(Clone, Debug, thiserror::Error)]
#[error("\"{0}\" is not an alias such as *.celonis.cloud=this or *.cloud.databricks.com=workspace")]
pub struct NotAnAlias(String);

impl FromStr for HostAlias {
    type Err = NotAnAlias;

    fn from_str(text: &str) -> Result<Self, NotAnAlias> {
        let wrong = || NotAnAlias(text.to_owned());
        let (pattern, ours) = text.split_once('=').ok_or_else(wrong)?;
        let ours = match ours.trim() {
            "this" => Ours::This,
            "workspace" => Ours::Workspace,
            _ => return Err(wrong()),
        };
        let pattern = pattern.trim().to_ascii_lowercase();
        let name = pattern.strip_prefix("*.").unwrap_or(&pattern);
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-');
        // Everything below a top-level domain is nobody's to name.
        if !name.contains('.') || name.starts_with('.') || !name.chars().all(is_plain) {
            return Err(wrong());
        }
        Ok(HostAlias { pattern, ours })
    }
}

impl fmt::Display for HostAlias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.pattern, self.ours.name())
    }
}

impl HostAlias {
    fn covers(&self, host: &str) -> bool {
        match self.pattern.strip_prefix('*') {
            Some(end) => host.len() > end.len() && host.ends_with(end),
            None => host == self.pattern,
        }
    }
}

/// Returns where an address leads that one of the aliases is about.
pub(crate) fn own_address(aliases: &[HostAlias], address: &str) -> Option<String> {
    if aliases.is_empty() {
        return None;
    }
    let url = url::Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let host = url.host_str()?.to_ascii_lowercase();
    let alias = aliases.iter().find(|alias| alias.covers(&host))?;
    Some(format!("{OURSELVES}{}{}", alias.ours.name(), &url[url::Position::BeforePath..url::Position::AfterQuery]))
}

/// Returns where an address leads that is the one at which our workspace
/// listens; `scheme` is what is spoken there.
pub(crate) fn own_listener(workspace: Option<SocketAddr>, scheme: &str, address: &str) -> Option<String> {
    let listener = workspace?;
    let url = url::Url::parse(address).ok().filter(|url| url.scheme() == scheme)?;
    let is_of_this_machine = listener.ip().is_unspecified() || listener.ip().is_loopback();
    let is_there = match url.host()? {
        url::Host::Domain(name) => is_of_this_machine && name.eq_ignore_ascii_case("localhost"),
        url::Host::Ipv4(ip) => is_at(listener, ip.into()),
        url::Host::Ipv6(ip) => is_at(listener, ip.into()),
    };
    let leads_there = is_there && url.port_or_known_default() == Some(listener.port());
    leads_there.then(|| format!("{OURSELVES}workspace{}", &url[url::Position::BeforePath..url::Position::AfterQuery]))
}

/// Who listens at all addresses listens at that of this machine too.
fn is_at(listener: SocketAddr, ip: IpAddr) -> bool {
    ip == listener.ip() || listener.ip().is_unspecified() && ip.is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_at_which_our_workspace_listens_leads_there() {
        for (listener, address, expected) in [
            ("127.0.0.1:8081", "http://127.0.0.1:8081/api?a=1#b", Some("loopwright://workspace/api?a=1")),
            ("127.0.0.1:8081", "http://localhost:8081", Some("loopwright://workspace/")),
            ("0.0.0.0:8081", "http://127.0.0.1:8081/", Some("loopwright://workspace/")),
            ("[::1]:8081", "http://[::1]:8081/", Some("loopwright://workspace/")),
            ("10.0.0.7:8081", "http://10.0.0.7:8081/", Some("loopwright://workspace/")),
            ("10.0.0.7:8081", "http://localhost:8081/", None),
            ("10.0.0.7:8081", "http://127.0.0.1:8081/", None),
            ("127.0.0.1:8081", "http://127.0.0.1:8080/", None),
            ("127.0.0.1:8081", "http://127.0.0.2:8081/", None),
            ("127.0.0.1:8081", "https://127.0.0.1:8081/", None),
            ("127.0.0.1:8081", "http://localhost.evil.example:8081/", None),
            ("127.0.0.1:8081", "http://127.0.0.1:8081@evil.example/", None),
            ("0.0.0.0:8081", "http://10.0.0.7:8081/", None),
        ] {
            let listener = listener.parse().expect("an address");
            assert_eq!(own_listener(Some(listener), "http", address).as_deref(), expected, "{address} at {listener}");
        }
        assert_eq!(own_listener(None, "http", "http://127.0.0.1:8081/"), None);
    }

    #[test]
    fn a_name_that_stands_for_ourselves_leads_there() {
        let aliases: Vec<HostAlias> = ["*.celonis.cloud=this", "adb-1.azuredatabricks.net = workspace"]
            .iter()
            .map(|text| text.parse().expect("an alias"))
            .collect();
        for (address, expected) in [
            ("https://acme.eu-1.celonis.cloud/a/b?c=d#e", Some("loopwright://this/a/b?c=d")),
            ("https://ACME.Celonis.Cloud", Some("loopwright://this/")),
            ("https://celonis.cloud/a", None),
            ("https://evil-celonis.cloud/a", None),
            ("https://acme.celonis.cloud.evil.example/a", None),
            ("https://acme.celonis.cloud@evil.example/a", None),
            (
                "https://adb-1.azuredatabricks.net:443/api/2.1/jobs/run-now",
                Some("loopwright://workspace/api/2.1/jobs/run-now"),
            ),
            ("https://adb-2.azuredatabricks.net/", None),
            ("ftp://acme.celonis.cloud/", None),
            ("loopwright://this/a", None),
        ] {
            assert_eq!(own_address(&aliases, address).as_deref(), expected, "{address}");
        }
    }

    #[test]
    fn what_is_no_alias_is_refused() {
        for text in ["", "*.celonis.cloud", "*.celonis.cloud=there", "*=this", "*.cloud=this", "a b.example=this"] {
            assert!(text.parse::<HostAlias>().is_err(), "{text}");
        }
        assert_eq!("*.Celonis.cloud=this".parse::<HostAlias>().expect("an alias").to_string(), "*.celonis.cloud=this");
    }
}
