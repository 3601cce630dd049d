//! What the guard has to do with a message: whether its refusal counts, and whether its source is let in at all.

use std::time::SystemTime;

use rp_guard::{Kind, Mode};

use super::{AnswerTold, Explanation, Outcome, RefusalTold};
use crate::{
    guard::{Gate, Listing, speaks_against},
    outcome::{Facts, Reason, Refusal},
    state::State,
};

/// Whether the guard counts a refusal, and why.
pub(super) fn judgement(state: &State, gate: &Gate, facts: &Facts, refusal: &Refusal) -> (bool, String) {
    let policy = &state.config.guard.policy;
    let threshold = policy.thresholds.at(facts.source.ip());
    let listed = gate.listed(facts.source.ip());
    let no = |why: &str| (false, why.to_owned());
    if !speaks_against(facts, refusal) {
        return no("healthy clients meet this, too");
    }
    if state.config.proxies.trusted.contains(facts.source.ip()) {
        return no("the source is one of listen.trusted-proxies");
    }
    match listed {
        Some(entry) if entry.kind == Kind::Allow => {
            (false, format!("{} is allowed by the lists", entry.network))
        }
        _ if threshold == 0 => no("guard.threshold is 0 for this source"),
        _ => {
            let would = if policy.mode == Mode::Observe { "would be" } else { "is" };
            let minutes = policy.expiration.as_secs().div_ceil(60);
            let because = format!(
                "with more than {threshold} of these in a minute the source {would} shut out for {minutes} minutes"
            );
            (true, because)
        }
    }
}

/// Whom the lists shut out is not even heard.
pub(super) fn shut_out(explanation: &mut Explanation, state: &State, gate: &Gate) {
    if state.config.proxies.trusted.contains(explanation.source) {
        return;
    }
    let Some(entry) = gate.listed(explanation.source) else { return };
    explanation.listed = Some(Listing::of(&entry, SystemTime::now()));
    if entry.kind == Kind::Block {
        explanation
            .notes
            .insert(0, format!("without that entry the message would be {}", without(explanation)));
        let refusal =
            Refusal::because(Reason::Blocked, format_args!("{} is blocked by the lists", entry.network));
        explanation.refusal =
            Some(RefusalTold::new(refusal, (false, "whom the lists shut out is not counted".to_owned())));
        explanation.outcome = Outcome::Refused;
        explanation.answer = Some(AnswerTold::silence());
        explanation.leg = None;
    }
}

/// What would become of a message whose source is shut out.
fn without(explanation: &Explanation) -> String {
    let word = match (explanation.outcome, &explanation.refusal) {
        (Outcome::Refused, Some(refusal)) => return format!("refused all the same: {}", refusal.reason),
        (Outcome::Refused, None) => "refused all the same",
        (Outcome::Forwarded, _) => "forwarded",
        (Outcome::Answered, _) => "answered",
        (Outcome::Closed, _) => "taken for a goodbye",
        (Outcome::Incomplete, _) => "waited for",
    };
    word.to_owned()
}
