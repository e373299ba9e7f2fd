//! MD5 and SHA-256: for the programs that print them and for what the cluster signs.
//!
//! They have nothing to do with simulated time; they are here because every room may use this one.

fn padded(data: &[u8], big_endian: bool) -> Vec<u8> {
    let mut all = data.to_vec();
    all.push(0x80);
    while all.len() % 64 != 56 {
        all.push(0);
    }
    let bits = (data.len() as u64).wrapping_mul(8);
    all.extend(if big_endian { bits.to_be_bytes() } else { bits.to_le_bytes() });
    all
}

fn words<const N: usize>(block: &[u8], read: fn([u8; 4]) -> u32) -> [u32; N] {
    let mut out = [0; N];
    for (word, bytes) in out.iter_mut().zip(block.chunks_exact(4)) {
        *word = read([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    out
}

/// The MD5 digest (RFC 1321) in hexadecimal.
pub fn md5(data: &[u8]) -> String {
    const SHIFTS: [[u32; 4]; 4] =
        [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded(data, false).chunks_exact(64) {
        let m: [u32; 16] = words(block, u32::from_le_bytes);
        let [mut a, mut b, mut c, mut d] = state;
        for i in 0..64 {
            let (f, g) = match i / 16 {
                0 => ((b & c) | (!b & d), i),
                1 => ((d & b) | (!d & c), (5 * i + 1) % 16),
                2 => (b ^ c ^ d, (3 * i + 5) % 16),
                _ => (c ^ (b | !d), 7 * i % 16),
            };
            let constant = (((i + 1) as f64).sin().abs() * 4_294_967_296.0) as u32;
            let sum = f.wrapping_add(a).wrapping_add(constant).wrapping_add(m[g]);
            (a, d, c) = (d, c, b);
            b = b.wrapping_add(sum.rotate_left(SHIFTS[i / 16][i % 4]));
        }
        for (old, new) in state.iter_mut().zip([a, b, c, d]) {
            *old = old.wrapping_add(new);
        }
    }
    state.iter().flat_map(|w| w.to_le_bytes()).map(|b| format!("{b:02x}")).collect()
}

/// The first 32 bits of the fractional part of a root of a prime: what SHA-256's constants are.
const fn root_bits(prime: u64, power: u32) -> u32 {
    // Exact integer roots of prime * 2^(32 * power), so that no rounding of floats matters.
    let target = (prime as u128) << (32 * power);
    let (mut low, mut high) = (0_u128, 1 << 38);
    while low + 1 < high {
        let middle = (low + high) / 2;
        if middle.pow(power) <= target { low = middle } else { high = middle }
    }
    low as u32
}

/// The constants of the first primes, worked out by the compiler: at run time they would take
/// longer than what is hashed.
const fn constants<const N: usize>(power: u32) -> [u32; N] {
    let mut out = [0; N];
    let (mut found, mut candidate) = (0, 2);
    while found < N {
        let mut divisor = 2;
        while divisor < candidate && candidate % divisor != 0 {
            divisor += 1;
        }
        if divisor == candidate {
            out[found] = root_bits(candidate, power);
            found += 1;
        }
        candidate += 1;
    }
    out
}

/// What SHA-256 begins with: of the square roots of the first 8 primes.
const SHA256_START: [u32; 8] = constants(2);
/// What each of its rounds adds: of the cube roots of the first 64 primes.
const SHA256_ROUNDS: [u32; 64] = constants(3);

/// The SHA-256 digest in hexadecimal.
pub fn sha256(data: &[u8]) -> String {
    sha256_bytes(data).iter().map(|b| format!("{b:02x}")).collect()
}

/// HMAC with SHA-256 (RFC 2104), for keys of at most 64 bytes.
pub fn hmac_sha256(key: &[u8], data: &[u8]) -> [u8; 32] {
    let pad = |with: u8| {
        let mut block = [with; 64];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        block
    };
    let inner = sha256_bytes(&[&pad(0x36), data].concat());
    sha256_bytes(&[&pad(0x5c)[..], &inner].concat())
}

/// The SHA-256 digest (FIPS 180-4).
pub fn sha256_bytes(data: &[u8]) -> [u8; 32] {
    let (k, mut state) = (&SHA256_ROUNDS, SHA256_START);
    for block in padded(data, true).chunks_exact(64) {
        let mut w: [u32; 64] = words(block, u32::from_be_bytes);
        for i in 16..64 {
            let (x, y) = (w[i - 15], w[i - 2]);
            let s0 = x.rotate_right(7) ^ x.rotate_right(18) ^ (x >> 3);
            let s1 = y.rotate_right(17) ^ y.rotate_right(19) ^ (y >> 10);
            w[i] = w[i - 16].wrapping_add(s0).wrapping_add(w[i - 7]).wrapping_add(s1);
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
        for i in 0..64 {
            let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
            let choice = (e & f) ^ (!e & g);
            let t1 = h.wrapping_add(s1).wrapping_add(choice).wrapping_add(k[i]).wrapping_add(w[i]);
            let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
            let t2 = s0.wrapping_add((a & b) ^ (a & c) ^ (b & c));
            (h, g, f, e) = (g, f, e, d.wrapping_add(t1));
            (d, c, b, a) = (c, b, a, t1.wrapping_add(t2));
        }
        for (old, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *old = old.wrapping_add(new);
        }
    }
    let mut out = [0; 32];
    for (bytes, word) in out.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digests() {
        let code: String = hmac_sha256(b"key", b"The quick brown fox jumps over the lazy dog")
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(code, "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
        assert_eq!(md5(b""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(md5(b"abc"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            sha256(&[b'a'; 100]),
            "2816597888e4a0d3a36b82b83316ab32680eb8f00f8cd3b904d681246d285a0e"
        );
    }
}
