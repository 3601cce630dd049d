//! What decides about a request, apart from who does something about it: there is no socket here, and nothing to wait
//! for. So a connection and `rpd explain` ask the same questions, and get the same answers.

use rp_route::leg::Transport;
use rustls_pki_types::UnixTime;

use super::explain::Asked;
use crate::{
    outcome::{Facts, Record},
    state::State,
    tls,
};

/// A request of a client, and all that it is judged by.
pub(super) struct Case<'a> {
    /// What was known when its connection was accepted.
    pub(super) facts: &'a Facts,
    /// What is configured. All questions of a request go by the same, whatever is reloaded meanwhile.
    pub(super) state: &'a State,
    /// What has been learnt so far; whoever asks adds to it.
    pub(super) record: &'a mut Record,
    /// The rules asked, for whoever wants to know them: `rpd explain`, and no connection.
    pub(super) rules: Option<&'a mut Vec<Asked>>,
}

impl Case<'_> {
    /// How the client reached us.
    pub(super) fn incoming(&self) -> Transport {
        if self.record.tls.is_some() { Transport::Tls } else { Transport::Tcp }
    }

    /// Tells that a rule, by its key, was asked.
    pub(super) fn asked(&mut self, rule: &'static str, yes: bool, because: impl FnOnce() -> String) {
        if let Some(rules) = &mut self.rules {
            rules.push(Asked { rule: rule.to_owned(), yes, because: because() });
        }
    }

    /// Who the client has proven to be, by a certificate.
    ///
    /// # Errors
    /// Why he is nobody.
    pub(super) fn client_name(&self) -> Result<String, String> {
        let shown = self.record.tls.as_ref().map_or(&[][..], |tls| &tls.certificates);
        tls::client_name(self.state.config.tls.trust_list.as_deref(), shown, UnixTime::now())
    }
}
