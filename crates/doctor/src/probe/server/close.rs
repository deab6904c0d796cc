use raincheck_diagnosis::evidence::{Answer, Ending, Experiment, Way};

use super::Probe;

impl Probe<'_> {
    /// Whether a session outlives the end of its connection, for each kind of end. Of what is lost, and of the control, it
    /// is made sure.
    pub(super) async fn close(&mut self, way: Way) {
        for ending in [Ending::Fin, Ending::Reset] {
            if self.ended(way, ending).await == Answer::No {
                self.ended(way, ending).await;
                self.ended(way, Ending::Clean).await;
            }
        }
        self.ended(way, Ending::Clean).await;
    }

    /// Whether a session resumes whose connection ended so.
    async fn ended(&mut self, way: Way, ending: Ending) -> Answer {
        let Some(made) = self.make(Experiment::Close, way, ending).await else {
            return Answer::Unknown;
        };
        let offer = self.offer(Experiment::Close, way, made, Ending::Clean).await;
        offer.map_or(Answer::Unknown, |offer| self.trials[offer].resumed())
    }
}
