//! Breaking texts into lines. Models `github.com/mitchellh/go-wordwrap`.

/// Breaks lines between words so that none is longer than `limit` characters, words permitting.
pub(super) fn wrap(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 40);
    let (mut word, mut space) = (String::new(), String::new());
    let (mut current, mut word_len, mut space_len) = (0, 0, 0);
    for c in text.chars() {
        if c == '\n' {
            if word_len > 0 || current + space_len <= limit {
                out.push_str(&space);
            }
            out.push_str(&word);
            (current, word_len, space_len) = (0, 0, 0);
            word.clear();
            space.clear();
            out.push(c);
        } else if c.is_whitespace() && c != '\u{a0}' {
            if space_len == 0 || word_len > 0 {
                current += space_len + word_len;
                out.push_str(&space);
                out.push_str(&word);
                (word_len, space_len) = (0, 0);
                word.clear();
                space.clear();
            }
            space.push(c);
            space_len += 1;
        } else {
            word.push(c);
            word_len += 1;
            if current + word_len + space_len > limit && word_len < limit {
                out.push('\n');
                (current, space_len) = (0, 0);
                space.clear();
            }
        }
    }
    if word_len > 0 || current + space_len <= limit {
        out.push_str(&space);
    }
    out.push_str(&word);
    out
}

/// Puts blanks before every line, empty ones too.
pub(super) fn indent(text: &str, by: usize) -> String {
    let pad = " ".repeat(by);
    let mut out = pad.clone();
    out.push_str(&text.replace('\n', &format!("\n{pad}")));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        let table = [
            ("one two three", 7, "one two\nthree"),
            ("one\n\n two", 20, "one\n\n two"),
            ("a https://example.com/long b", 6, "a\nhttps://example.com/long\nb"),
            ("ab cd ", 5, "ab cd"),
            ("", 5, ""),
        ];
        for (text, limit, want) in table {
            assert_eq!(wrap(text, limit), want, "{text}");
        }
        assert_eq!(indent("a\n\nb", 2), "  a\n  \n  b");
    }
}
