//! Backslash escapes as `echo -e`, `printf` and `$'…'` read them.

/// Replaces escapes; the flag of the result says that `\c` ended the text. `c_style` reads `\NNN`
/// where `echo -e` wants `\0NNN`, and knows `\'` and `\"`.
pub fn unescape(text: &str, c_style: bool) -> (Vec<u8>, bool) {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        let Some(&next) = bytes.get(at).filter(|_| byte == b'\\') else {
            out.push(byte);
            continue;
        };
        at += 1;
        match next {
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'e' | b'E' => out.push(27),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(11),
            b'\\' => out.push(b'\\'),
            b'\'' | b'"' if c_style => out.push(next),
            b'c' if !c_style => return (out, true),
            b'0' if !c_style => out.push(number(bytes, &mut at, 8, 3) as u8),
            b'0'..=b'7' if c_style => {
                at -= 1;
                out.push(number(bytes, &mut at, 8, 3) as u8);
            }
            b'x' if bytes.get(at).is_some_and(u8::is_ascii_hexdigit) => {
                out.push(number(bytes, &mut at, 16, 2) as u8);
            }
            b'u' | b'U' if bytes.get(at).is_some_and(u8::is_ascii_hexdigit) => {
                let digits = if next == b'u' { 4 } else { 8 };
                let c = char::from_u32(number(bytes, &mut at, 16, digits)).unwrap_or('\u{fffd}');
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => out.extend([b'\\', next]),
        }
    }
    (out, false)
}

fn number(bytes: &[u8], at: &mut usize, base: u32, most: usize) -> u32 {
    let mut value = 0_u32;
    for _ in 0..most {
        let digit = bytes.get(*at).and_then(|b| char::from(*b).to_digit(base));
        let Some(digit) = digit else { break };
        value = value.wrapping_mul(base).wrapping_add(digit);
        *at += 1;
    }
    value
}

/// A word as it would have to be typed to mean itself.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_string();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        for (text, c_style, want) in [
            ("a\\nb", false, "a\nb"),
            ("\\0101\\x42", false, "AB"),
            ("\\101\\'", true, "A'"),
            ("\\u00e9\\q", false, "é\\q"),
            ("tail\\", false, "tail\\"),
            ("a\\cb", false, "a"),
        ] {
            assert_eq!(unescape(text, c_style).0, want.as_bytes(), "{text}");
        }
        assert_eq!(quote("it's"), "'it'\\''s'");
    }
}
