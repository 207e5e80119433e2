//! Ranges of addresses: which are special, and which a person has opened.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use base::AddressRange;

/// An entry of the allow-list: `10.1.0.0/16`, `127.0.0.1:9000`, `[::1]:80`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    range: AddressRange,
    port: Option<u16>,
}

/// Says that a text is not an entry of the allow-list.
#[derive(Clone, Debug, thiserror::Error)]
#[error("\"{0}\" is not a range such as 10.1.0.0/16 or 127.0.0.1:9000")]
pub struct NotARange(String);

impl FromStr for Allowed {
    type Err = NotARange;

    fn from_str(text: &str) -> Result<Self, NotARange> {
        let wrong = || NotARange(text.to_owned());
        // The port stands behind the last colon, unless that colon is one of
        // an address of version 6 without brackets.
        let (range, port) = match text.rsplit_once(':') {
            Some((range, port)) if !range.contains(':') || range.ends_with(']') || range.contains("]/") => {
                (range, Some(port.parse().map_err(|_| wrong())?))
            }
            _ => (text, None),
        };
        let plain = match range.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
            Some((address, prefix)) => format!("{address}{prefix}"),
            None => range.to_owned(),
        };
        Ok(Allowed { range: plain.parse().map_err(|_| wrong())?, port })
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (network, prefix) = (self.range.network(), self.range.prefix());
        match (network, self.port) {
            (_, None) => write!(f, "{network}/{prefix}"),
            (IpAddr::V4(_), Some(port)) => write!(f, "{network}/{prefix}:{port}"),
            (IpAddr::V6(_), Some(port)) => write!(f, "[{network}]/{prefix}:{port}"),
        }
    }
}

impl Allowed {
    /// Tells whether the entry opens this address and port.
    pub(crate) fn covers(&self, address: SocketAddr) -> bool {
        self.port.is_none_or(|port| port == address.port()) && self.range.contains(plain(address.ip()))
    }
}

/// Returns what is special about an address, in words; nothing for one of the
/// public internet. Addresses of version 4 wrapped into version 6 are judged
/// by what is inside.
pub(crate) fn special_range(address: IpAddr) -> Option<&'static str> {
    match plain(address) {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (127, ..) => Some("a loopback address"),
        (10, ..) | (192, 168, _) | (172, 16..=31, _) => Some("a private address"),
        (169, 254, _) => Some("a link-local address"),
        (100, 64..=127, _) => Some("an address of a carrier's own network"),
        (0, ..) => Some("an address of this network"),
        (192, 0, 0) | (192, 88, 99) | (198, 18..=19, _) => Some("an address for special purposes"),
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => Some("an address for documentation"),
        (224..=239, ..) => Some("a multicast address"),
        (240..=255, ..) => Some("a reserved address"),
        _ => None,
    }
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let first = address.segments()[0];
    let second = address.segments()[1];
    match (first, second) {
        _ if address.is_loopback() => Some("a loopback address"),
        _ if address.is_unspecified() => Some("an address of this network"),
        (0xfc00..=0xfdff, _) => Some("a private address"),
        (0xfe80..=0xfebf, _) => Some("a link-local address"),
        (0xff00..=0xffff, _) => Some("a multicast address"),
        (0x2001, 0x0db8) | (0x3fff, 0..=0x0fff) => Some("an address for documentation"),
        (0x2002 | 0x5f00, _) | (0x2001, 0..=0x01ff) | (0x0100, 0) => Some("an address for special purposes"),
        _ => None,
    }
}

/// Unwraps an address of version 4 out of its version 6 forms: mapped, and
/// translated by the well-known prefix `64:ff9b::/96`.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    if let Some(four) = six.to_ipv4_mapped() {
        return IpAddr::V4(four);
    }
    match six.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => IpAddr::V4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_ranges_are_told_in_words() {
        for (address, expected) in [
            ("8.8.8.8", None),
            ("127.0.0.1", Some("a loopback address")),
            ("10.9.8.7", Some("a private address")),
            ("172.15.0.1", None),
            ("172.31.255.255", Some("a private address")),
            ("169.254.169.254", Some("a link-local address")),
            ("::1", Some("a loopback address")),
            ("::ffff:192.168.0.1", Some("a private address")),
            ("64:ff9b::7f00:1", Some("a loopback address")),
            ("64:ff9b::808:808", None),
            ("fd00::1", Some("a private address")),
            ("2606:4700::1111", None),
        ] {
            assert_eq!(special_range(address.parse().expect("an address")), expected, "{address}");
        }
    }

    #[test]
    fn an_entry_opens_its_range_and_port_only() {
        for (entry, address, covered) in [
            ("127.0.0.1", "127.0.0.1:80", true),
            ("127.0.0.1", "127.0.0.2:80", false),
            ("127.0.0.0/8:9000", "127.1.2.3:9000", true),
            ("127.0.0.0/8:9000", "127.1.2.3:9001", false),
            ("0.0.0.0/0", "10.0.0.1:1", true),
            ("[::1]:80", "[::1]:80", true),
            ("[::1]/128:80", "[::1]:81", false),
            ("fd00::/8", "[fd12::1]:443", true),
            ("10.0.0.0/8", "[::ffff:10.0.0.1]:1", true),
        ] {
            let entry: Allowed = entry.parse().expect("an entry");
            assert_eq!(entry.covers(address.parse().expect("an address")), covered, "{entry:?} {address}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused_with_an_example() {
        for text in ["", "localhost", "10.0.0.0/33", "10.0.0.1:x"] {
            let error = text.parse::<Allowed>().expect_err("not a range");
            assert_eq!(error.to_string(), format!("\"{text}\" is not a range such as 10.1.0.0/16 or 127.0.0.1:9000"));
        }
    }
}
