use anstyle::{AnsiColor, Style};

/// What a piece of text is to look like, where there are colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// Like any text.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Odd,
    /// As it should not be.
    Bad,
    /// Less important than the rest.
    Faint,
    /// A heading.
    Strong,
}

/// Whether there are colours, and how wide a line may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    colours: bool,
    /// How many columns there are.
    pub width: usize,
}

impl Paint {
    /// Text for a file or a pipe: no colours, and lines of at most 100 columns.
    pub const PLAIN: Self = Self { colours: false, width: WIDEST };

    /// Text for a terminal of so many columns, of which no more than 100 are used.
    pub fn terminal(columns: usize) -> Self {
        Self { colours: true, width: columns.clamp(NARROWEST, WIDEST) }
    }

    /// The same without colours.
    pub fn without_colours(self) -> Self {
        Self { colours: false, ..self }
    }

    /// `text` in its mood.
    pub fn paint(self, mood: Mood, text: &str) -> String {
        let style = if self.colours { mood.style() } else { Style::new() };
        format!("{style}{text}{style:#}")
    }

    /// `text` in lines that fit, the first behind `first`, the others behind `rest`.
    pub(super) fn wrap(self, text: &str, first: &str, rest: &str) -> String {
        let options = textwrap::Options::new(self.width)
            .initial_indent(first)
            .subsequent_indent(rest)
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        let mut filled = textwrap::fill(text, options);
        filled.push('\n');
        filled
    }
}

impl Mood {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Odd => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Strong => Style::new().bold(),
        }
    }
}

const NARROWEST: usize = 40;
const WIDEST: usize = 100;
