//! Ids and digests: 64 hex digits that follow from what they name.
//!
//! They look like SHA-256 sums and, as those, are equal exactly where the named things are equal;
//! they are not SHA-256 sums.

/// 64 hex digits that follow from `parts`.
pub fn hex64<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    let mut out = String::with_capacity(64);
    for _ in 0..4 {
        hash = hash.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = hash;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        push_hex(&mut out, z);
    }
    out
}

/// 64 random hex digits, as container ids are.
pub fn random64(sim: &crate::sim::Sim) -> String {
    let mut out = String::with_capacity(64);
    for _ in 0..4 {
        push_hex(&mut out, sim.random(u64::MAX));
    }
    out
}

fn push_hex(out: &mut String, mut value: u64) {
    for _ in 0..16 {
        out.push(char::from(b"0123456789abcdef"[(value >> 60) as usize]));
        value <<= 4;
    }
}

/// `sha256:` and [`hex64`].
pub fn sha256<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    format!("sha256:{}", hex64(parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_differ_where_parts_differ() {
        assert_eq!(hex64(["a", "b"]).len(), 64);
        assert_eq!(hex64(["a", "b"]), hex64(["a", "b"]));
        assert_ne!(hex64(["a", "b"]), hex64(["ab"]));
        assert!(hex64(["x"]).bytes().all(|b| b.is_ascii_hexdigit()));
    }
}
