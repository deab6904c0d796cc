use std::time::Duration;

use raincheck_diagnosis::evidence::{Answer, Ending, Experiment, Way};

use super::{Call, Probe};

impl Probe<'_> {
    /// Whether sessions resume in this way: offers one until that was seen twice, or two of them were refused, each fresh.
    pub(super) async fn resumption(&mut self, way: Way) -> Answer {
        // Whether the server speaks before it is spoken to shows on the way.
        let listen = if way == Way::Psk { LISTEN } else { Duration::ZERO };
        let call = Call { listen, ..self.call(Experiment::Resume, way) };
        let Some(mut made) = self.make_as(call).await.filter(|made| self.has_session(*made)) else {
            return Answer::Unknown;
        };
        let (mut resumed, mut refused) = (0, 0);
        for _ in 0..OFFERS {
            if resumed == ENOUGH || refused == ENOUGH {
                break;
            }
            if !self.has_session(made) {
                let Some(again) = self.make(Experiment::Resume, way, Ending::Clean).await else { break };
                made = again;
            }
            let Some(offer) = self.offer(Experiment::Resume, way, made, Ending::Clean).await else { break };
            match self.trials[offer].resumed() {
                Answer::Yes => resumed += 1,
                Answer::No => refused += 1,
                Answer::Unknown => {}
            }
            if self.has_session(offer) {
                made = offer;
            }
        }
        match (resumed, refused) {
            (0, 0) => Answer::Unknown,
            (0, _) => Answer::No,
            _ => Answer::Yes,
        }
    }
}

// As often as it takes to see the same thing twice, unless the server does now this and now that.
const OFFERS: usize = 5;
const ENOUGH: usize = 2;
// How long what a server says unasked may take.
const LISTEN: Duration = Duration::from_millis(500);
