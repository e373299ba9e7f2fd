//! `base64`.

use super::support::{
    inputs,
    opts::{Spec, options},
};
use crate::machine::{Proc, Program};

/// `base64`
pub const PROGRAM: Program = Program {
    name: "base64",
    summary: "encode or decode base64",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "base64 [-d] [-w COLUMNS] [FILE]",
    short: "dDiw:",
    long: &[("decode", 'd'), ("wrap", 'w')],
    trouble: 1,
};

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let name = options.rest.first().map_or("-", String::as_str);
    let Some(source) = inputs::open(&proc, name).await else { return 1 };
    let data = source.all().await;
    if options.last_of("dD").is_some() {
        return match decode(&data) {
            Some(bytes) => {
                proc.write(1, &bytes).await;
                0
            }
            None => {
                proc.eprint("base64: invalid input\n").await;
                1
            }
        };
    }
    let text = encode(&data);
    let width: usize = options.value('w').and_then(|w| w.parse().ok()).unwrap_or(76);
    if width == 0 {
        proc.print(&text).await;
        return 0;
    }
    for line in text.as_bytes().chunks(width) {
        proc.print(&format!("{}\n", String::from_utf8_lossy(line))).await;
    }
    0
}

fn encode(data: &[u8]) -> String {
    let mut out = String::new();
    for chunk in data.chunks(3) {
        let bytes = [chunk[0], *chunk.get(1).unwrap_or(&0), *chunk.get(2).unwrap_or(&0)];
        let bits = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
        for index in 0..4 {
            if index > chunk.len() {
                out.push('=');
            } else {
                out.push(LETTERS[(bits >> (18 - 6 * index)) as usize & 63] as char);
            }
        }
    }
    out
}

fn decode(data: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for byte in data.iter().filter(|b| !b.is_ascii_whitespace() && **b != b'=') {
        bits = bits << 6 | LETTERS.iter().position(|l| l == byte)? as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (plain, coded) in [("", ""), ("a", "YQ=="), ("ab", "YWI="), ("abc", "YWJj")] {
            assert_eq!(encode(plain.as_bytes()), coded);
            assert_eq!(decode(coded.as_bytes()).unwrap(), plain.as_bytes());
        }
        assert_eq!(decode(b"%"), None);
    }
}
