//! The timeline, as columns.

use std::fmt::Write;

use crate::report::timeline::{Handshakes, Timeline, clock};

/// A column for each span: refused at the bottom, full above, resumed on top.
pub(super) fn svg(timeline: &Timeline) -> String {
    let most = timeline.spans.iter().map(|span| span.total()).max().unwrap_or(0).max(1);
    let step = WIDTH / timeline.spans.len().max(1) as f64;
    let mut svg =
        format!("<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"handshakes over time\">", HEIGHT + FOOT);
    for (index, span) in (0_u32..).zip(&timeline.spans) {
        let Handshakes { full, refused, resumed } = *span;
        let from = clock(timeline.span * index);
        let (x, mut bottom) = (f64::from(index) * step, HEIGHT);
        let _ = write!(svg, "<g><title>{from}: {refused} refused, {full} full, {resumed} resumed</title>");
        for (class, count) in [("bad", refused), ("odd", full), ("good", resumed)] {
            let high = HEIGHT * count as f64 / most as f64;
            bottom -= high;
            if count > 0 {
                let wide = (step * 0.9).min(WIDEST_COLUMN);
                let _ = write!(
                    svg,
                    "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{bottom:.1}\" width=\"{wide:.1}\" height=\"{high:.1}\"/>"
                );
            }
        }
        svg += "</g>";
        if index % ((LABEL / step).ceil() as u32).max(1) == 0 {
            let _ = write!(svg, "<text x=\"{x:.1}\" y=\"{}\">{from}</text>", HEIGHT + 14.0);
        }
    }
    let _ = write!(
        svg,
        "</svg><p><span class=\"bad\">■</span> refused <span class=\"odd\">■</span> full, nothing offered \
         <span class=\"good\">■</span> resumed; the highest column is {most}, a column is {} s</p>",
        timeline.span.as_secs()
    );
    svg
}

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 160.0;
const FOOT: f64 = 20.0;
const WIDEST_COLUMN: f64 = 60.0;
// How much room the label of a column needs.
const LABEL: f64 = 60.0;
