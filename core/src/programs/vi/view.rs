//! Drawing.

use super::{Mode, Vi};
use crate::{
    programs::support::text::{clipped, expand},
    shell::edit::char_width,
};

impl Vi {
    pub(super) fn draw(&mut self) {
        let (cols, rows) = self.screen.size();
        let height = rows.saturating_sub(1).max(1);
        let (row, column) = self.text.cursor();
        if row < self.top {
            self.top = row;
        }
        if row >= self.top + height {
            self.top = row + 1 - height;
        }
        let gutter = if self.numbers { 4 } else { 0 };
        let room = cols.saturating_sub(gutter).max(1);
        let before: String = self.text.line().chars().take(column).collect();
        let at: usize = expand(&before).chars().map(char_width).sum();
        let shift = if at >= room { at + 1 - room } else { 0 };
        let mut out = String::from("\x1b[?25l\x1b[H");
        for index in self.top..self.top + height {
            match self.text.lines().get(index) {
                Some(line) => {
                    if self.numbers {
                        out.push_str(&format!("\x1b[33m{:>3} \x1b[m", index + 1));
                    }
                    let own = if index == row { shift } else { 0 };
                    let shown = clipped(&expand(line), own, room);
                    match self.selected(index) {
                        true => out.push_str(&format!("\x1b[7m{shown} \x1b[m")),
                        false => out.push_str(&shown),
                    }
                }
                None => out.push_str("\x1b[34m~\x1b[m"),
            }
            out.push_str("\x1b[K\r\n");
        }
        let position = format!("{},{}", row + 1, column + 1);
        let left = match self.mode {
            Mode::Prompt(mark) => format!("{mark}{}", self.command),
            Mode::Insert => "-- INSERT --".to_string(),
            Mode::Replace => "-- REPLACE --".to_string(),
            Mode::Visual(true) => "-- VISUAL LINE --".to_string(),
            Mode::Visual(false) => "-- VISUAL --".to_string(),
            Mode::Command => self.message.clone(),
        };
        let left = clipped(&left, 0, cols.saturating_sub(1));
        let gap = cols.saturating_sub(left.chars().count() + 18);
        match (self.mode, gap) {
            (Mode::Prompt(_), _) | (_, 0) => out.push_str(&format!("{left}\x1b[K")),
            _ => out.push_str(&format!("{left}{}{position:<17}\x1b[K", " ".repeat(gap))),
        }
        let (y, x) = match self.mode {
            Mode::Prompt(_) => (rows, self.command.chars().count() + 2),
            _ => (row - self.top + 1, at - shift + 1 + gutter),
        };
        out.push_str(&format!("\x1b[{y};{x}H\x1b[?25h"));
        self.screen.write(&out);
    }

    /// Whether a line belongs to the selection. (Selections are shown by whole lines.)
    fn selected(&self, index: usize) -> bool {
        let row = self.text.cursor().0;
        matches!(self.mode, Mode::Visual(_))
            && (self.visual.0.min(row)..=self.visual.0.max(row)).contains(&index)
    }
}
