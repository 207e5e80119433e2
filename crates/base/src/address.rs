//! Ranges of addresses: from where somebody may come, and where one may go.
//!
//! There is one way to write a range, the same in settings, in the lists of
//! webhooks and in the rules of what leaves.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An address, or a range of them: `203.0.113.7`, `10.1.0.0/16`, `2001:db8::/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressRange {
    network: IpAddr,
    prefix: u8,
}

/// Says that a text is not a range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an address or a range such as 203.0.113.7 or 10.1.0.0/16")]
pub struct NotAnAddressRange(String);

impl AddressRange {
    /// Reads a list with commas; nothing comes of an empty one.
    pub fn list(text: &str) -> Result<Vec<Self>, NotAnAddressRange> {
        text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::parse).collect()
    }

    /// Returns the address with which the range is written.
    pub fn network(&self) -> IpAddr {
        self.network
    }

    /// Returns how many bits of the address count.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Tells whether an address is in the range. An address of version 4 that
    /// is wrapped into version 6 is judged by what is inside.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }

    /// Makes a range; one of version 4 that is wrapped into version 6 is what
    /// is inside, because addresses are judged so.
    fn unwrapped(network: IpAddr, prefix: u8) -> Self {
        match (network, network.to_canonical()) {
            (IpAddr::V6(_), inside @ IpAddr::V4(_)) if prefix >= 96 => {
                AddressRange { network: inside, prefix: prefix - 96 }
            }
            _ => AddressRange { network, prefix },
        }
    }
}

impl FromStr for AddressRange {
    type Err = NotAnAddressRange;

    fn from_str(text: &str) -> Result<Self, NotAnAddressRange> {
        let wrong = || NotAnAddressRange(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let network: IpAddr = address.parse().map_err(|_| wrong())?;
        let whole = if network.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(whole);
        if prefix > whole {
            return Err(wrong());
        }
        Ok(AddressRange::unwrapped(network, prefix))
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.network.is_ipv4() { 32 } else { 128 };
        if self.prefix == whole { write!(f, "{}", self.network) } else { write!(f, "{}/{}", self.network, self.prefix) }
    }
}

impl TryFrom<String> for AddressRange {
    type Error = NotAnAddressRange;

    fn try_from(text: String) -> Result<Self, NotAnAddressRange> {
        text.parse()
    }
}

impl From<AddressRange> for String {
    fn from(range: AddressRange) -> String {
        range.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &str, address: &str, is_inside: bool) {
        let list = AddressRange::list(list).expect("a list of ranges");
        let address = address.parse().expect("an address");
        assert_eq!(list.iter().any(|range| range.contains(address)), is_inside, "{list:?} {address}");
    }

    #[test]
    fn a_list_has_addresses_and_ranges_of_both_versions() {
        check("203.0.113.7, 10.1.0.0/16", "203.0.113.7", true);
        check("203.0.113.7, 10.1.0.0/16", "203.0.113.8", false);
        check("203.0.113.7, 10.1.0.0/16", "10.1.255.1", true);
        check("203.0.113.7, 10.1.0.0/16", "10.2.0.1", false);
        check("10.1.0.0/16", "::ffff:10.1.2.3", true);
        check("::ffff:10.1.0.0/112", "10.1.2.3", true);
        check("::ffff:10.1.0.0/112", "::ffff:10.2.2.3", false);
        check("2001:db8::/32,", "2001:db8:1::1", true);
        check("2001:db8::/32", "2001:db9::1", false);
        check("0.0.0.0/0", "8.8.8.8", true);
        check("::/0", "::1", true);
        check("0.0.0.0/0", "::1", false);
    }

    #[test]
    fn what_is_no_range_is_named() {
        for text in ["10.1.0.0/33", "localhost", "10.1.0.0/x", "10.1.0.0:80", "::1/129"] {
            let error = AddressRange::list(text).expect_err("no range");
            assert_eq!(
                error.to_string(),
                format!("\"{text}\" is not an address or a range such as 203.0.113.7 or 10.1.0.0/16")
            );
        }
        let range: AddressRange = "10.1.0.0/16".parse().expect("a range");
        assert_eq!(serde_json::to_string(&range).expect("JSON"), "\"10.1.0.0/16\"");
    }
}
