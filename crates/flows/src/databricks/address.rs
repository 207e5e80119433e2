//! The address of a workspace, as people paste it.
//!
//! What is plain is mended and told; what cannot be a workspace is refused with
//! what to paste instead. A host that nobody knows is only remarked: companies
//! give their workspaces names of their own.

use std::net::IpAddr;

use url::{Host, Url};

/// A workspace's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Scheme, host and port: what calls begin with.
    pub(crate) origin: String,
    /// What was mended or is unusual, in sentences.
    pub(crate) remarks: Vec<String>,
}

/// Hosts of account consoles, and of other pages that are no workspace.
const NO_WORKSPACES: [(&str, &str); 6] = [
    ("accounts.cloud.databricks.com", "the account console"),
    ("accounts.azuredatabricks.net", "the account console"),
    ("accounts.gcp.databricks.com", "the account console"),
    ("portal.azure.com", "the Azure portal"),
    ("docs.databricks.com", "the documentation"),
    ("login.databricks.com", "the page to sign in"),
];

/// Ends of the names of workspaces in clouds of governments and in China.
const OTHER_CLOUDS: [&str; 3] = [".cloud.databricks.us", ".databricks.azure.us", ".databricks.azure.cn"];

/// Reads an address; the error says what to paste instead.
pub(crate) fn read(pasted: &str) -> Result<Address, String> {
    let mut remarks = Vec::new();
    let is_noise = |letter: char| {
        letter.is_whitespace() || matches!(letter, '\u{200b}'..='\u{200d}' | '\u{feff}' | '"' | '\'' | '<' | '>')
    };
    let mut text: String = pasted.chars().filter(|letter| !is_noise(*letter)).collect();
    if text != pasted.trim() {
        remarks.push("blanks or quotes in the address were left out".to_owned());
    }
    if text.is_empty() {
        return Err("the address of the workspace is missing, such as https://adb-1.2.azuredatabricks.net".into());
    }
    if text.starts_with("dapi") && !text.contains('.') {
        return Err("this looks like a token, and the address of the workspace belongs here".into());
    }
    if let Some(rest) = text.strip_prefix("jdbc:databricks://").or_else(|| text.strip_prefix("jdbc:spark://")) {
        let host = rest.split([':', '/', ';']).next().unwrap_or_default();
        remarks.push("of an address for JDBC only the host was taken".to_owned());
        text = format!("https://{host}");
    }
    if !text.contains("://") {
        let host = text.split(['/', '?', '#']).next().unwrap_or_default();
        let scheme = if is_local(host) { "http" } else { "https" };
        remarks.push(format!("it had no scheme, so {scheme}:// was put before it"));
        text = format!("{scheme}://{text}");
    }
    let url = Url::parse(&text).map_err(|why| {
        format!("\"{text}\" is not an address ({why}): copy that of the workspace from the browser, such as https://adb-1.2.azuredatabricks.net")
    })?;
    let Some(host) = url.host_str().map(str::to_ascii_lowercase) else {
        return Err(format!("\"{text}\" has no host: copy the address of the workspace from the browser"));
    };
    if !matches!(url.scheme(), "http" | "https" | "loopwright") {
        return Err(format!("\"{}://\" is not how a workspace is called: it begins with https://", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a name or password stands in the address: the token has a field of its own".into());
    }
    if let Some((_, what)) = NO_WORKSPACES.iter().find(|(known, _)| *known == host) {
        return Err(format!(
            "{host} is {what} and no workspace: open the workspace, and copy the address of its page, such as \
             https://adb-1.2.azuredatabricks.net"
        ));
    }
    if matches!(host.as_str(), "cloud.databricks.com" | "azuredatabricks.net" | "gcp.databricks.com") {
        return Err(format!("{host} is not complete: the name of the workspace stands before it"));
    }
    let behind = format!("{}{}", url.path().trim_end_matches('/'), after_path(&url));
    if !behind.is_empty() {
        remarks.push(format!("only the host counts, so \"{}\" was left out", shortened(&behind)));
    }
    let mut scheme = url.scheme();
    let is_known = is_of_databricks(&host);
    if scheme == "http" && is_known {
        remarks.push("a workspace in the cloud is called by https, so that was taken".to_owned());
        scheme = "https";
    }
    let is_own = scheme == "loopwright";
    if scheme == "http" && !is_local(&host) {
        remarks.push(format!("the secret goes to {host} without protection: http is meant for a local workspace"));
    }
    if !is_known && !is_own && !is_local(&host) {
        remarks.push(format!(
            "{host} is not one of the usual hosts (NAME.cloud.databricks.com, adb-ID.N.azuredatabricks.net, \
             ID.N.gcp.databricks.com): that is fine if it is meant"
        ));
    } else if host.ends_with(".azuredatabricks.net") && !host.starts_with("adb-") {
        remarks.push(format!("{host} names a region and not a workspace: the address of a workspace begins with adb-"));
    }
    let port = url.port().filter(|_| scheme == url.scheme()).map_or(String::new(), |port| format!(":{port}"));
    Ok(Address { origin: format!("{scheme}://{host}{port}"), remarks })
}

fn after_path(url: &Url) -> String {
    let query = url.query().map_or(String::new(), |query| format!("?{query}"));
    let fragment = url.fragment().map_or(String::new(), |fragment| format!("#{fragment}"));
    // A lone slash before them is part of what was pasted.
    format!("{query}{fragment}")
}

fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

/// Tells whether a host is one at which Databricks has workspaces.
pub(crate) fn is_of_databricks(host: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|letter| letter.is_ascii_digit());
    if let Some(name) = host.strip_suffix(".azuredatabricks.net") {
        // Old workspaces have the name of their region.
        return !name.is_empty();
    }
    if let Some(name) = host.strip_suffix(".gcp.databricks.com") {
        return name.split('.').all(digits);
    }
    host.strip_suffix(".cloud.databricks.com").is_some_and(|name| !name.is_empty())
        || OTHER_CLOUDS.iter().any(|end| host.ends_with(end))
}

/// Tells whether an address of a request leads to a workspace in the cloud.
pub(crate) fn leads_to_databricks(url: &str) -> bool {
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_ascii_lowercase));
    host.is_some_and(|host| is_of_databricks(&host)) || url.starts_with("loopwright://workspace")
}

/// Tells whether a host is this machine or in a private network.
fn is_local(host: &str) -> bool {
    let name = host.trim_start_matches('[').split(']').next().unwrap_or_default();
    let name = if host.starts_with('[') { name } else { name.split(':').next().unwrap_or_default() };
    if matches!(name.rsplit('.').next(), Some("localhost" | "local")) {
        return true;
    }
    match Host::parse(if host.starts_with('[') { host } else { name }) {
        Ok(Host::Ipv4(address)) => is_private(address.into()),
        Ok(Host::Ipv6(address)) => is_private(address.into()),
        _ => false,
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_addresses_are_taken_as_they_are() {
        for address in [
            "https://dbc-1a2b3c4d-5e6f.cloud.databricks.com",
            "https://adb-1234567890123456.7.azuredatabricks.net",
            "https://1234567890123456.7.gcp.databricks.com",
            "https://1234567890123456.gcp.databricks.com",
            "http://127.0.0.1:8787",
            "http://localhost:8787",
            "loopwright://workspace",
        ] {
            assert_eq!(read(address), Ok(Address { origin: address.into(), remarks: Vec::new() }));
        }
    }

    #[test]
    fn what_was_pasted_wrongly_is_mended_and_told() {
        for (pasted, origin, remark) in [
            (
                "https://adb-1.2.azuredatabricks.net/?o=1234#job/77/run/5",
                "https://adb-1.2.azuredatabricks.net",
                "only the host counts, so \"?o=1234#job/77/run/5\" was left out",
            ),
            (
                "https://x.cloud.databricks.com/api/2.1/jobs/run-now",
                "https://x.cloud.databricks.com",
                "only the host counts, so \"/api/2.1/jobs/run-now\" was left out",
            ),
            (
                "x.cloud.databricks.com",
                "https://x.cloud.databricks.com",
                "it had no scheme, so https:// was put before it",
            ),
            ("localhost:8787", "http://localhost:8787", "it had no scheme, so http:// was put before it"),
            (
                " https://x.cloud. databricks.com ",
                "https://x.cloud.databricks.com",
                "blanks or quotes in the address were left out",
            ),
            (
                "http://x.cloud.databricks.com",
                "https://x.cloud.databricks.com",
                "a workspace in the cloud is called by https, so that was taken",
            ),
            (
                "jdbc:databricks://x.cloud.databricks.com:443/default;transportMode=http",
                "https://x.cloud.databricks.com",
                "of an address for JDBC only the host was taken",
            ),
            (
                "https://lakehouse.example",
                "https://lakehouse.example",
                "lakehouse.example is not one of the usual hosts (NAME.cloud.databricks.com, \
                 adb-ID.N.azuredatabricks.net, ID.N.gcp.databricks.com): that is fine if it is meant",
            ),
            (
                "https://westeurope.azuredatabricks.net",
                "https://westeurope.azuredatabricks.net",
                "westeurope.azuredatabricks.net names a region and not a workspace: the address of a workspace begins \
                 with adb-",
            ),
        ] {
            let expected = Address { origin: origin.into(), remarks: vec![remark.into()] };
            assert_eq!(read(pasted), Ok(expected), "{pasted}");
        }
    }

    #[test]
    fn what_is_no_workspace_is_refused_with_what_to_paste() {
        for (pasted, expected) in [
            ("", "the address of the workspace is missing"),
            ("dapi0123456789abcdef", "this looks like a token"),
            (
                "https://accounts.cloud.databricks.com/login",
                "accounts.cloud.databricks.com is the account console and no workspace",
            ),
            ("https://portal.azure.com/#home", "portal.azure.com is the Azure portal and no workspace"),
            ("https://token:dapi1@x.cloud.databricks.com", "a name or password stands in the address"),
            ("ftp://x.cloud.databricks.com", "\"ftp://\" is not how a workspace is called"),
            ("https://azuredatabricks.net", "azuredatabricks.net is not complete"),
        ] {
            let refused = read(pasted).expect_err(pasted);
            assert!(refused.starts_with(expected), "{pasted}: {refused}");
        }
    }
}
