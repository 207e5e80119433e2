//! From where a request comes, through proxies that are trusted.
//!
//! Behind a proxy every connection comes from the proxy, and from where it was
//! called stands in a header. Anybody can write such a header, so it is
//! believed only of proxies that a setting names, and of those only what they
//! added themselves: the list is read from its end, which the nearest proxy
//! wrote, up to the first address that is none of them. What stands before
//! that is a stranger's word.
//!
//! A proxy adds to one of the two headers and may let the other one through as
//! a stranger wrote it. So where both are there they must come to the same
//! address; else none is known, and only what is open to everyone is open.

use std::net::{IpAddr, SocketAddr};

use base::AddressRange;
use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};

/// The header that most proxies write: addresses with commas.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Returns from where a request comes that `peer` has brought; nothing if
/// trusted proxies say nothing that can be believed.
pub(crate) fn caller_of(peer: IpAddr, headers: &HeaderMap, proxies: &[AddressRange]) -> Option<IpAddr> {
    let is_proxy = |address: &IpAddr| proxies.iter().any(|range| range.contains(*address));
    if !is_proxy(&peer) {
        return Some(peer.to_canonical());
    }
    let listed = chain(headers, &X_FORWARDED_FOR, address_of);
    let described = chain(headers, &FORWARDED, |element| address_of(for_of(element)?));
    let nearest_stranger = |chain: &[Option<IpAddr>]| {
        let mut farthest = Some(peer);
        for address in chain.iter().rev() {
            farthest = *address;
            if !farthest.as_ref().is_some_and(is_proxy) {
                break;
            }
        }
        farthest.map(|address| address.to_canonical())
    };
    match (listed.is_empty(), described.is_empty()) {
        (false, false) => nearest_stranger(&listed).filter(|address| nearest_stranger(&described) == Some(*address)),
        (_, true) => nearest_stranger(&listed),
        (true, false) => nearest_stranger(&described),
    }
}

/// Returns what stands in all lines of a header, each entry as it was read.
fn chain(headers: &HeaderMap, name: &HeaderName, read: impl Fn(&str) -> Option<IpAddr>) -> Vec<Option<IpAddr>> {
    let mut chain = Vec::new();
    for value in headers.get_all(name) {
        match value.to_str() {
            Ok(text) => chain.extend(entries(text).into_iter().map(&read)),
            Err(_) => chain.push(None),
        }
    }
    chain
}

/// Splits a list at the commas that are not inside quotes.
fn entries(text: &str) -> Vec<&str> {
    let mut is_quoted = false;
    let parts = text.split(|letter| {
        is_quoted ^= letter == '"';
        letter == ',' && !is_quoted
    });
    parts.map(str::trim).filter(|entry| !entry.is_empty()).collect()
}

/// Returns the value of `for` in an element of `Forwarded`.
fn for_of(element: &str) -> Option<&str> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for")).map(|(_, value)| value.trim());
    let value = values.next()?;
    Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// Reads an address, with or without a port. `unknown` and invented names are
/// no addresses.
fn address_of(text: &str) -> Option<IpAddr> {
    let plain = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    plain.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use http::HeaderValue;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "expectations stand at the end of the line")]
    fn check(peer: &str, headers: &[(&'static str, &str)], expected: Expect) {
        let proxies = AddressRange::list("127.0.0.1, 10.0.0.0/8, fd00::/8").expect("ranges");
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).expect("a value"));
        }
        let caller = caller_of(peer.parse().expect("an address"), &map, &proxies);
        expected.assert_eq(&caller.map_or("not known".to_owned(), |address| address.to_string()));
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let xff = "x-forwarded-for";
        check("203.0.113.7", &[], expect!["203.0.113.7"]);
        check("203.0.113.7", &[(xff, "198.51.100.1")], expect!["203.0.113.7"]);
        check("203.0.113.7", &[("forwarded", "for=198.51.100.1")], expect!["203.0.113.7"]);
        check("127.0.0.1", &[(xff, "198.51.100.1")], expect!["198.51.100.1"]);
        check("::ffff:127.0.0.1", &[(xff, "198.51.100.1")], expect!["198.51.100.1"]);
        check("127.0.0.1", &[], expect!["127.0.0.1"]);
        check("127.0.0.1", &[(xff, " , ")], expect!["127.0.0.1"]);
    }

    #[test]
    fn of_a_list_the_last_stranger_counts() {
        let xff = "x-forwarded-for";
        check("10.0.0.1", &[(xff, "10.9.9.9, 198.51.100.1")], expect!["198.51.100.1"]);
        check("10.0.0.1", &[(xff, "1.1.1.1, 198.51.100.1, 10.0.0.2, 127.0.0.1")], expect!["198.51.100.1"]);
        check("10.0.0.1", &[(xff, "1.1.1.1"), (xff, "198.51.100.1,10.0.0.2")], expect!["198.51.100.1"]);
        check("10.0.0.1", &[(xff, "10.0.0.3, 10.0.0.2")], expect!["10.0.0.3"]);
        check("10.0.0.1", &[(xff, "198.51.100.1:4711")], expect!["198.51.100.1"]);
        check("10.0.0.1", &[(xff, "2001:db8::1")], expect!["2001:db8::1"]);
        check("10.0.0.1", &[(xff, "[2001:db8::1]:80, [fd00::2]")], expect!["2001:db8::1"]);
        check("10.0.0.1", &[(xff, "198.51.100.1, unknown, 10.0.0.2")], expect!["not known"]);
        check("10.0.0.1", &[(xff, "unknown, 198.51.100.1")], expect!["198.51.100.1"]);
    }

    #[test]
    fn the_standard_header_says_the_same_in_more_words() {
        let check = |value: &str, expected| check("10.0.0.1", &[("forwarded", value)], expected);
        check("for=192.0.2.60;proto=http;by=203.0.113.43", expect!["192.0.2.60"]);
        check("For=\"[2001:db8:cafe::17]:4711\"", expect!["2001:db8:cafe::17"]);
        check("for=1.1.1.1, for=192.0.2.43;host=\"a,b\", FOR=10.0.0.2", expect!["192.0.2.43"]);
        check("for=unknown", expect!["not known"]);
        check("for=1.1.1.1, for=_hidden", expect!["not known"]);
        check("for=1.1.1.1, proto=https", expect!["not known"]);
    }

    #[test]
    fn two_headers_that_disagree_say_nothing() {
        let check = |listed: &str, described: &str, expected| {
            check("10.0.0.1", &[("x-forwarded-for", listed), ("forwarded", described)], expected);
        };
        check("192.0.2.1", "for=192.0.2.1", expect!["192.0.2.1"]);
        check("192.0.2.1", "for=192.0.2.2", expect!["not known"]);
        check("unknown", "for=192.0.2.2", expect!["not known"]);
    }
}
