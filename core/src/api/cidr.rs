//! Ranges of IPv4 addresses, as API objects name them.

use std::{net::Ipv4Addr, str::FromStr};

/// A range: its first address, and how many bits all its addresses share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// The first address.
    pub base: Ipv4Addr,
    /// Bits that are fixed, at most 32.
    pub bits: u8,
}

impl Cidr {
    fn mask(bits: u8) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0)
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        u32::from(address) & Self::mask(self.bits) == u32::from(self.base)
    }
}

/// `10.96.0.0/12`. Errors: what is no range, and an address that is not the range's first one.
impl FromStr for Cidr {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (base, bits) = text.split_once('/').ok_or(())?;
        let base: Ipv4Addr = base.parse().map_err(drop)?;
        let bits: u8 = bits.parse().map_err(drop)?;
        let whole = bits <= 32 && u32::from(base) & !Self::mask(bits) == 0;
        whole.then_some(Cidr { base, bits }).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_their_addresses() {
        let range: Cidr = "10.96.0.0/12".parse().unwrap();
        for (address, inside) in
            [("10.96.0.1", true), ("10.111.255.255", true), ("10.112.0.0", false)]
        {
            assert_eq!(range.contains(address.parse().unwrap()), inside, "{address}");
        }
        let all: Cidr = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains(Ipv4Addr::BROADCAST));
        for wrong in ["10.96.0.1/12", "10.96.0.0", "10.96.0.0/33", "x/8", "10.0.0.0/-1"] {
            assert_eq!(wrong.parse::<Cidr>(), Err(()), "{wrong}");
        }
    }
}
