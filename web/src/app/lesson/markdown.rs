//! The little Markdown that lessons are written in: paragraphs, lists, fenced code, `code`, **bold**,
//! *emphasis* and [links](url). Anything else is shown as it is written. No HTML gets through.

use yew::prelude::*;

/// Text as elements.
pub fn render(text: &str) -> Html {
    let blocks = blocks(text);
    html! { <>{ for blocks.into_iter().map(block) }</> }
}

#[derive(Debug, PartialEq)]
enum Block {
    Paragraph(String),
    Code(String),
    List { ordered: bool, items: Vec<String> },
}

#[derive(Debug, PartialEq)]
enum Span {
    Text(String),
    Code(String),
    Bold(String),
    Emphasis(String),
    Link(String, String),
}

/// The rest of a list item's line and whether it is numbered.
fn item(line: &str) -> Option<(bool, &str)> {
    let line = line.trim_start();
    if let Some(rest) = line.strip_prefix("- ").or(line.strip_prefix("* ")) {
        return Some((false, rest));
    }
    let digits = line.chars().take_while(char::is_ascii_digit).count();
    let rest = line.get(digits..)?.strip_prefix(". ")?;
    (digits > 0).then_some((true, rest))
}

fn blocks(text: &str) -> Vec<Block> {
    let mut out = Vec::new();
    let mut lines = text.lines();
    let mut open: Option<Block> = None;
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with("```") {
            out.extend(open.take());
            let code: Vec<&str> =
                lines.by_ref().take_while(|l| !l.trim_start().starts_with("```")).collect();
            out.push(Block::Code(code.join("\n")));
            continue;
        }
        if line.trim().is_empty() {
            out.extend(open.take());
            continue;
        }
        if let Some((ordered, rest)) = item(line) {
            match &mut open {
                Some(Block::List { ordered: o, items }) if *o == ordered => {
                    items.push(rest.to_owned())
                }
                _ => {
                    out.extend(open.take());
                    open = Some(Block::List { ordered, items: vec![rest.to_owned()] });
                }
            }
            continue;
        }
        match &mut open {
            Some(Block::Paragraph(text)) => {
                text.push(' ');
                text.push_str(line.trim());
            }
            Some(Block::List { items, .. }) => {
                if let Some(last) = items.last_mut() {
                    last.push(' ');
                    last.push_str(line.trim());
                }
            }
            _ => open = Some(Block::Paragraph(line.trim().to_owned())),
        }
    }
    out.extend(open);
    out
}

fn spans(text: &str) -> Vec<Span> {
    let mut out = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let found = between(rest, "`", "`")
            .map(|(s, r)| (Span::Code(s.to_owned()), r))
            .or_else(|| between(rest, "**", "**").map(|(s, r)| (Span::Bold(s.to_owned()), r)))
            .or_else(|| between(rest, "*", "*").map(|(s, r)| (Span::Emphasis(s.to_owned()), r)))
            .or_else(|| link(rest));
        if let Some((span, after)) = found {
            if !plain.is_empty() {
                out.push(Span::Text(std::mem::take(&mut plain)));
            }
            out.push(span);
            rest = after;
        } else {
            let mut chars = rest.chars();
            plain.extend(chars.next());
            rest = chars.as_str();
        }
    }
    if !plain.is_empty() {
        out.push(Span::Text(plain));
    }
    out
}

/// What stands between two marks at the start of `text`, and what follows.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<(&'a str, &'a str)> {
    let (inside, after) = text.strip_prefix(open)?.split_once(close)?;
    let sound =
        !inside.is_empty() && (open == "`" || !inside.starts_with(' ') && !inside.ends_with(' '));
    sound.then_some((inside, after))
}

fn link(text: &str) -> Option<(Span, &str)> {
    let (words, after) = text.strip_prefix('[')?.split_once("](")?;
    let (target, after) = after.split_once(')')?;
    let safe = ["https://", "http://", "#"].iter().any(|p| target.starts_with(p));
    (safe && !words.contains('[')).then(|| (Span::Link(words.to_owned(), target.to_owned()), after))
}

fn block(block: Block) -> Html {
    match block {
        Block::Paragraph(text) => html! { <p>{ inline(&text) }</p> },
        Block::Code(code) => html! { <pre class="code" tabindex="0"><code>{ code }</code></pre> },
        Block::List { ordered, items } => {
            let items = items.iter().map(|i| html! { <li>{ inline(i) }</li> });
            if ordered {
                html! { <ol>{ for items }</ol> }
            } else {
                html! { <ul>{ for items }</ul> }
            }
        }
    }
}

/// One line of text as elements.
pub fn inline(text: &str) -> Html {
    html! { <>{ for spans(text).into_iter().map(|span| match span {
        Span::Text(text) => html! { { text } },
        Span::Code(code) => html! { <code>{ code }</code> },
        Span::Bold(text) => html! { <strong>{ inline(&text) }</strong> },
        Span::Emphasis(text) => html! { <em>{ inline(&text) }</em> },
        Span::Link(words, target) => html! { <a href={target} target="_blank" rel="noopener noreferrer">{ words }</a> },
    }) }</> }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_told_apart() {
        let list = Block::List { ordered: true, items: vec!["x".into(), "y z".into()] };
        let want = vec![
            Block::Paragraph("a b".into()),
            list,
            Block::Code("c\n  d".into()),
            Block::Paragraph("e".into()),
        ];
        assert_eq!(blocks("a\nb\n\n1. x\n2. y\n   z\n```sh\nc\n  d\n```\ne"), want);
    }

    #[test]
    fn spans_nest_no_html_and_keep_what_is_not_markup() {
        let want = vec![
            Span::Text("2 * 3, ".into()),
            Span::Code("a*b".into()),
            Span::Text(" ".into()),
            Span::Bold("c".into()),
            Span::Text(" <i> ".into()),
            Span::Link("d".into(), "https://e".into()),
            Span::Text(" [f](javascript:g)".into()),
        ];
        assert_eq!(spans("2 * 3, `a*b` **c** <i> [d](https://e) [f](javascript:g)"), want);
    }
}
