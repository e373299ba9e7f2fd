//! Text in columns: cells end with a tab, columns line up over neighbouring lines.
//!
//! Models `github.com/liggitt/tabwriter` (Go's `text/tabwriter` plus remembered widths).

/// Collects text and lines up its tab-terminated cells when flushed.
#[derive(Clone, Debug)]
pub struct Tabwriter {
    minwidth: usize,
    padding: usize,
    remember: bool,
    discard_empty: bool,
    lines: Vec<Vec<String>>,
    current: String,
    widths: Vec<usize>,
    remembered: Vec<usize>,
    raw: bool,
    out: String,
}

impl Tabwriter {
    /// A writer as kubectl's tables use it: three blanks between columns, widths never shrink.
    pub fn table() -> Self {
        Self::new(6, 3, true)
    }

    /// A writer as `describe` uses it: two blanks between columns.
    pub fn describe() -> Self {
        Self::new(0, 2, false)
    }

    /// `minwidth` counts the padding in.
    pub fn new(minwidth: usize, padding: usize, remember: bool) -> Self {
        Tabwriter {
            minwidth,
            padding,
            remember,
            discard_empty: false,
            lines: vec![Vec::new()],
            current: String::new(),
            widths: Vec::new(),
            remembered: Vec::new(),
            raw: false,
            out: String::new(),
        }
    }

    /// A writer that lines nothing up: tabs stay tabs.
    pub fn raw() -> Self {
        Tabwriter { raw: true, ..Self::describe() }
    }

    /// Writes text; tabs end cells, newlines end lines, form feeds also flush.
    pub fn write(&mut self, text: &str) {
        if self.raw {
            self.out.push_str(text);
            return;
        }
        for c in text.chars() {
            match c {
                '\t' | '\x0b' => self.end_cell(),
                '\n' | '\x0c' => {
                    self.end_cell();
                    let cells = self.lines.last().map_or(0, Vec::len);
                    self.lines.push(Vec::new());
                    // A line of one cell ends every column above it.
                    if c == '\x0c' || cells == 1 {
                        self.format_all();
                    }
                }
                c => self.current.push(c),
            }
        }
    }

    fn end_cell(&mut self) {
        let cell = std::mem::take(&mut self.current);
        if let Some(line) = self.lines.last_mut() {
            line.push(cell);
        }
    }

    /// Everything written since the last call, lined up.
    pub fn flush(&mut self) -> String {
        if !self.raw {
            self.format_all();
        }
        std::mem::take(&mut self.out)
    }

    fn format_all(&mut self) {
        if !self.current.is_empty() {
            self.end_cell();
        }
        let lines = std::mem::replace(&mut self.lines, vec![Vec::new()]);
        self.format(&lines, 0, lines.len());
        self.widths.clear();
    }

    fn format(&mut self, lines: &[Vec<String>], mut from: usize, to: usize) {
        let column = self.widths.len();
        let mut this = from;
        while this < to {
            if column + 1 >= lines[this].len() {
                this += 1;
                continue;
            }
            self.emit(lines, from, this);
            from = this;
            let (mut width, mut empty) = (self.minwidth, true);
            while this < to && column + 1 < lines[this].len() {
                let size = lines[this][column].chars().count();
                width = width.max(size + self.padding);
                empty &= size == 0;
                this += 1;
            }
            if empty && self.discard_empty {
                width = 0;
            }
            if self.remember {
                width = self.remembered(width);
            }
            self.widths.push(width);
            self.format(lines, from, this);
            self.widths.pop();
            from = this;
        }
        self.emit(lines, from, to);
    }

    fn remembered(&mut self, width: usize) -> usize {
        let column = self.widths.len();
        if self.remembered.len() < column {
            let known = self.remembered.len();
            self.remembered.extend_from_slice(&self.widths[known..]);
        }
        match self.remembered.get_mut(column) {
            None => self.remembered.push(width),
            Some(old) if *old > width => return *old,
            Some(old) => *old = width,
        }
        width
    }

    fn emit(&mut self, lines: &[Vec<String>], from: usize, to: usize) {
        for (i, line) in lines.iter().enumerate().take(to).skip(from) {
            for (j, cell) in line.iter().enumerate() {
                self.out.push_str(cell);
                if let Some(&width) = self.widths.get(j) {
                    let pad = width.saturating_sub(cell.chars().count());
                    self.out.extend(std::iter::repeat_n(' ', pad));
                }
            }
            if i + 1 < lines.len() {
                self.out.push('\n');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn columns_line_up_and_widths_are_remembered() {
        let mut w = Tabwriter::table();
        w.write("NAME\tREADY\tAGE\nweb-1\t1/1\t5s\n");
        let first = w.flush();
        w.write("a\t0/1\t\n");
        let all = first + &w.flush();
        expect![[r#"
            NAME    READY   AGE
            web-1   1/1     5s
            a       0/1     
        "#]]
        .assert_eq(&all);
    }

    #[test]
    fn a_column_ends_where_a_line_has_no_such_cell() {
        let mut w = Tabwriter::describe();
        w.write("Name:\tweb\nLong name here:\tx\nplain\nA:\tb\tc\nAAAA:\tbbbb\tc\n");
        expect![[r#"
            Name:            web
            Long name here:  x
            plain
            A:     b     c
            AAAA:  bbbb  c
        "#]]
        .assert_eq(&w.flush());
    }
}
