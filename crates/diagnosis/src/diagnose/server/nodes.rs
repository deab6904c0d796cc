//! Several nodes behind one address, with keys of their own.

use super::{cost, finding};
use crate::evidence::{Answer, Examination, KeyName, Trial, Way};
use crate::finding::{Certainty, Finding, Name, Severity};

/// Tickets that are refused by whoever seals under another key, while both keys go on sealing: that is no rotation.
pub(super) fn apart(examination: &Examination, way: Way) -> Option<Finding> {
    let trials: Vec<&Trial> = examination.trials.iter().filter(|trial| trial.way == way).collect();
    let keys: Vec<KeyName> = trials.iter().filter_map(|trial| issued(trial)).collect();
    let returning = returning(&keys)?;
    let refused = trials.iter().filter(|trial| trial.resumed() == Answer::No && is_other(trial));
    let (refused, accepted) = (refused.count(), trials.iter().filter(|trial| trial.resumed() == Answer::Yes).count());
    if refused < 2 {
        return None;
    }
    let name = &examination.name;
    let summary = format!("behind {name} there are nodes with ticket keys of their own");
    let evidence = vec![
        format!("{way}: tickets begin with {returning} again after others did in between, so it is no rotation"),
        format!("{refused} tickets were refused by who seals under another key; {accepted} were accepted"),
    ];
    let found = finding(examination, Name::KeysNotShared, Severity::Problem, summary, evidence);
    let cost = cost::of_full_handshakes(examination, way.version());
    Some(Finding {
        certainty: Certainty::Inferred,
        cost: format!("for whoever comes to another node, {cost}"),
        ..found
    })
}

/// A key that sealed again after another had.
fn returning(keys: &[KeyName]) -> Option<KeyName> {
    let same = |one: &KeyName, other: &KeyName| one.stem() == other.stem();
    keys.iter().enumerate().find_map(|(index, key)| {
        let before = keys[..index].iter().rposition(|earlier| same(earlier, key))?;
        (before + 1 < index).then_some(*key)
    })
}

fn is_other(trial: &Trial) -> bool {
    match (trial.connection.offered_key_name(), issued(trial)) {
        (Some(offered), Some(issued)) => offered.stem() != issued.stem(),
        _ => false,
    }
}

fn issued(trial: &Trial) -> Option<KeyName> {
    trial.connection.tickets.first().and_then(|ticket| KeyName::of(&ticket.ticket))
}
