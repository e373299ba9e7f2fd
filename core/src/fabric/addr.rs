//! Ranges of addresses.

use std::{fmt, net::Ipv4Addr, str::FromStr};

/// An IPv4 range, `10.244.0.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cidr {
    base: u32,
    prefix: u8,
}

impl Cidr {
    /// The range of `prefix` bits (at most 32) that an address is in.
    pub fn new(address: Ipv4Addr, prefix: u8) -> Self {
        let prefix = prefix.min(32);
        Cidr { base: u32::from(address) & mask(prefix), prefix }
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.prefix) == self.base
    }

    /// Bits that all its addresses share.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Its first address.
    pub fn base(&self) -> Ipv4Addr {
        self.base.into()
    }

    /// Its last address.
    pub fn last(&self) -> Ipv4Addr {
        (self.base | !mask(self.prefix)).into()
    }

    /// Its address with this number, if it has so many (0 is the first).
    pub fn nth(&self, n: u32) -> Option<Ipv4Addr> {
        (n <= !mask(self.prefix)).then(|| (self.base + n).into())
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base(), self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (address, prefix) = text.split_once('/')?;
            let prefix: u8 = prefix.parse().ok().filter(|p| *p <= 32)?;
            Some(Cidr::new(address.parse().ok()?, prefix))
        };
        parse().ok_or_else(|| format!("invalid CIDR address: {text}"))
    }
}
