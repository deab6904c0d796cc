use std::time::Duration;

use super::{Mood, Paint};

/// How many handshakes there were, of what kind, in one span of time after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// How long each span is.
    pub span: Duration,
    /// The spans in turn, those without a handshake too.
    pub spans: Vec<Handshakes>,
}

/// Handshakes of one span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handshakes {
    /// Full, and nothing was offered.
    pub full: u64,
    /// Full, although a session was offered.
    pub refused: u64,
    /// Resumed.
    pub resumed: u64,
}

impl Handshakes {
    /// All of them.
    pub fn total(self) -> u64 {
        self.full + self.refused + self.resumed
    }

    /// These and those.
    pub fn with(self, other: Self) -> Self {
        Self {
            full: self.full + other.full,
            refused: self.refused + other.refused,
            resumed: self.resumed + other.resumed,
        }
    }
}

impl Timeline {
    /// The timeline of handshakes that began `at` so long after the first packet.
    ///
    /// A span is a second; of a longer capture as many seconds, minutes or hours as make no more than `most` spans.
    pub fn of(handshakes: impl Iterator<Item = (Duration, Handshakes)>, most: usize) -> Self {
        let mut seconds: Vec<Handshakes> = Vec::new();
        let mut width = 1; // in seconds
        for (at, handshake) in handshakes {
            while at.as_secs() / width >= LONGEST {
                seconds = merged(&seconds, 2);
                width *= 2;
            }
            let index = usize::try_from(at.as_secs() / width).expect("less than LONGEST");
            if seconds.len() <= index {
                seconds.resize(index + 1, Handshakes::default());
            }
            seconds[index] = seconds[index].with(handshake);
        }
        let covered = width.saturating_mul(seconds.len() as u64);
        let most = most.max(1) as u64;
        let nice = NICE.iter().copied().find(|span| covered.div_ceil(*span) <= most && span % width == 0);
        let span = nice.unwrap_or_else(|| width * covered.div_ceil(width * most).max(1));
        let spans = merged(&seconds, usize::try_from(span / width).unwrap_or(usize::MAX));
        Self { span: Duration::from_secs(span), spans }
    }

    /// The timeline as bars, a line for each span.
    pub fn text(&self, paint: Paint) -> String {
        let most = self.spans.iter().map(|span| span.total()).max().unwrap_or(0).max(1);
        let count = most.to_string().len().max("resumed".len());
        let clock = clock(self.span * u32::try_from(self.spans.len()).unwrap_or(u32::MAX)).len().max("from".len());
        let room = paint.width.saturating_sub(clock + 3 * (count + GAP) + GAP).max(SHORTEST_BAR) as u64;
        let head = format!("{:>clock$}  {:>count$}  {:>count$}  {:>count$}", "from", "refused", "full", "resumed");
        let mut text = format!("{}\n", paint.paint(Mood::Faint, &head));
        for (index, span) in (0_u32..).zip(&self.spans) {
            let Handshakes { full, refused, resumed } = *span;
            let from = self::clock(self.span * index);
            let counts = format!("{from:>clock$}  {refused:>count$}  {full:>count$}  {resumed:>count$}  ");
            let line = bars(*span, most, room).map(|(mood, bar)| paint.paint(mood, &bar)).concat();
            text += format!("{counts}{line}").trim_end();
            text.push('\n');
        }
        text += &format!(
            "{:clock$}  {} refused  {} full, nothing offered  {} resumed\n",
            "",
            paint.paint(Mood::Bad, "█"),
            paint.paint(Mood::Odd, "▓"),
            paint.paint(Mood::Good, "░"),
        );
        text
    }
}

/// The parts of one bar. A handshake that is there is seen, however many others there are.
fn bars(span: Handshakes, most: u64, room: u64) -> [(Mood, String); 3] {
    let long = |count: u64| {
        let long = (u128::from(count) * u128::from(room) / u128::from(most)) as usize;
        if count > 0 { long.max(1) } else { 0 }
    };
    [
        (Mood::Bad, "█".repeat(long(span.refused))),
        (Mood::Odd, "▓".repeat(long(span.full))),
        (Mood::Good, "░".repeat(long(span.resumed))),
    ]
}

fn merged(spans: &[Handshakes], of: usize) -> Vec<Handshakes> {
    spans.chunks(of.max(1)).map(|chunk| chunk.iter().fold(Handshakes::default(), |sum, span| sum.with(*span))).collect()
}

/// `1:02:03`, or less where there are no hours or minutes.
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, minutes) => format!("{minutes}:{seconds:02}"),
        (hours, minutes) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// Spans that people count in, in seconds.
const NICE: [u64; 16] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400];

/// How many spans are kept while it is not known how long the capture is.
const LONGEST: u64 = 1 << 16;

const SHORTEST_BAR: usize = 10;
const GAP: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Handshakes = Handshakes { full: 1, refused: 0, resumed: 0 };
    const RESUMED: Handshakes = Handshakes { full: 0, refused: 0, resumed: 1 };
    const REFUSED: Handshakes = Handshakes { full: 0, refused: 1, resumed: 0 };

    fn at(seconds: f64, what: Handshakes) -> (Duration, Handshakes) {
        (Duration::from_secs_f64(seconds), what)
    }

    #[test]
    fn a_short_capture_has_a_line_a_second() {
        let timeline =
            Timeline::of([at(0.1, FULL), at(0.9, RESUMED), at(2.5, REFUSED), at(2.0, RESUMED)].into_iter(), 20);
        let expected = "\
from  refused     full  resumed
0:00        0        1        1  ▓▓▓▓▓▓▓▓▓▓▓▓▓░░░░░░░░░░░░░
0:01        0        0        0
0:02        1        0        1  █████████████░░░░░░░░░░░░░
      █ refused  ▓ full, nothing offered  ░ resumed
";
        assert_eq!(timeline.text(Paint::terminal(60).without_colours()), expected);
    }

    #[test]
    fn a_long_capture_has_spans_that_people_count_in() {
        let handshakes = (0..36_000).map(|second| at(f64::from(second), FULL));
        let timeline = Timeline::of(handshakes, 24);
        assert_eq!((timeline.span, timeline.spans.len()), (Duration::from_secs(1800), 20));
        assert!(timeline.spans.iter().all(|span| span.full == 1800));
    }

    #[test]
    fn a_capture_of_years_loses_no_handshake() {
        let handshakes = (0..100).map(|month| at(f64::from(month) * 2_600_000.0, FULL));
        let timeline = Timeline::of(handshakes, 24);
        assert_eq!(timeline.spans.iter().map(|span| span.full).sum::<u64>(), 100);
        assert!(timeline.spans.len() <= 24, "{}", timeline.spans.len());
    }

    #[test]
    fn nothing_takes_no_time() {
        assert_eq!(Timeline::of(std::iter::empty(), 24).spans, []);
    }

    #[test]
    fn one_refused_among_a_million_is_seen() {
        let span = Handshakes { full: 0, refused: 1, resumed: 1_000_000 };
        assert_eq!(bars(span, 1_000_001, 50)[0].1, "█");
    }
}
