use raincheck_diagnosis::evidence::{Ending, Experiment, Way};

use super::{Call, Probe};

impl Probe<'_> {
    /// Whether the server takes early data, where its tickets say that it does.
    pub(super) async fn early_data(&mut self) {
        let tickets = self.trials.iter().flat_map(|trial| &trial.connection.tickets);
        if tickets.filter_map(|ticket| ticket.early_data).max().unwrap_or(0) == 0 {
            return;
        }
        if let Some(made) = self.make(Experiment::EarlyData, Way::Psk, Ending::Clean).await {
            self.offer_as(Call { offered: Some(made), ..self.call(Experiment::EarlyData, Way::Psk) }).await;
        }
    }
}
