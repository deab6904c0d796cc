use std::time::Duration;

use super::step::milliseconds;
use crate::evidence::{Answer, Examination, Version};

/// What a full handshake costs beside a resumed one, as far as that was measured.
pub(super) fn of_full_handshakes(examination: &Examination, version: Version) -> String {
    let handshakes = |resumed: bool| {
        let trials = examination.trials.iter().filter(move |trial| {
            trial.connection.version() == Some(version) && (trial.resumed() == Answer::Yes) == resumed
        });
        median(trials.filter_map(|trial| trial.handshake()).collect())
    };
    let certificate = examination.trials.iter().filter_map(|trial| trial.connection.certificate).max();
    let chain = certificate.map_or("the certificates".to_owned(), |length| format!("{length} bytes of certificates"));
    let measured = match (handshakes(false), handshakes(true)) {
        (Some(full), Some(resumed)) => {
            format!("; here it took {} where a resumed one took {}", milliseconds(full), milliseconds(resumed))
        }
        (Some(full), None) => format!("; here it took {}", milliseconds(full)),
        _ => String::new(),
    };
    let trip = if version < Version::TLS13 { ", a round trip more" } else { "" };
    format!("a full handshake each time: a signature by the server, {chain}{trip}{measured}")
}

fn median(mut durations: Vec<Duration>) -> Option<Duration> {
    durations.sort_unstable();
    durations.get(durations.len() / 2).copied()
}
