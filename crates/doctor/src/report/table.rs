use super::{Mood, Paint};

/// Rows of cells under a head, each column as wide as its widest cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// What the columns are called.
    pub head: Vec<String>,
    /// The rows, each with a cell for each column.
    pub rows: Vec<Vec<Cell>>,
}

/// A cell of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// What it says.
    pub text: String,
    /// What that looks like.
    pub mood: Mood,
}

impl Cell {
    /// A cell that says `text`.
    pub fn new(mood: Mood, text: impl Into<String>) -> Self {
        Self { text: text.into(), mood }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(Mood::Plain, text)
    }
}

impl Table {
    /// The table as text, a line for each row, two spaces between columns.
    pub fn text(&self, paint: Paint) -> String {
        let head: Vec<Cell> = self.head.iter().map(|title| Cell::new(Mood::Faint, title)).collect();
        let widths = self.widths();
        std::iter::once(&head).chain(&self.rows).map(|row| line(row, &widths, paint)).collect()
    }

    fn widths(&self) -> Vec<usize> {
        let widest_below =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| width(&cell.text)).max();
        self.head
            .iter()
            .enumerate()
            .map(|(column, title)| width(title).max(widest_below(column).unwrap_or(0)))
            .collect()
    }
}

fn line(row: &[Cell], widths: &[usize], paint: Paint) -> String {
    let mut line = String::new();
    let mut due = 0; // how many spaces there are to be before the next text
    for (cell, column) in row.iter().zip(widths) {
        if !cell.text.is_empty() {
            line += &" ".repeat(due);
            line += &paint.paint(cell.mood, &cell.text);
            due = 0;
        }
        due += column - width(&cell.text) + GAP;
    }
    line.push('\n');
    line
}

fn width(text: &str) -> usize {
    textwrap::core::display_width(text)
}

/// How many spaces there are between columns.
const GAP: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_with_text() {
        let table = Table {
            head: vec!["version".into(), "by".into(), "resumed".into()],
            rows: vec![
                vec!["TLSv1.2".into(), "session-id".into(), Cell::new(Mood::Good, "yes")],
                vec!["é".into(), "".into(), "".into()],
            ],
        };
        assert_eq!(table.text(Paint::PLAIN), "version  by          resumed\nTLSv1.2  session-id  yes\né\n");
    }

    #[test]
    fn colours_take_no_room() {
        let table =
            Table { head: vec!["a".into(), "b".into()], rows: vec![vec![Cell::new(Mood::Bad, "x"), "y".into()]] };
        let text = table.text(Paint::terminal(80));
        assert_eq!(text.lines().nth(1), Some("\u{1b}[1m\u{1b}[31mx\u{1b}[0m  y"));
    }
}
