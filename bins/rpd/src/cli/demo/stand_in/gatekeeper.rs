//! Confirms every GRQ and RRQ, under its own name, and refuses every call.

use rp_h323::{
    Error, Key, Kind, ReleaseCompleteReason, extract,
    messages::{
        GatekeeperConfirm, NotEncodable, Ras, RegistrationConfirm, ReleaseComplete, Sender, facility,
    },
};

use super::Reply;

pub(super) fn reply(name: &str, received: &[u8]) -> Reply {
    match extract(received) {
        Ok(key) => match answer(name, &key) {
            Ok(answer) => Reply::Send { used: key.len, answer },
            Err(_) => Reply::End,
        },
        Err(Error::Incomplete(_)) => Reply::More,
        Err(Error::Invalid(_)) => Reply::End,
    }
}

fn answer(name: &str, key: &Key<'_>) -> Result<Vec<u8>, NotEncodable> {
    let confirmed: Vec<Ras<'_>> = key
        .requests()
        .map(|request| match request.kind {
            Kind::GatekeeperRequest => Ras::GatekeeperConfirm(GatekeeperConfirm {
                request_seq_num: request.request_seq_num,
                gatekeeper_id: Some(name),
            }),
            _ => Ras::RegistrationConfirm(RegistrationConfirm {
                request_seq_num: request.request_seq_num,
                gatekeeper_id: Some(name),
                endpoint_id: "endpoint-1",
                time_to_live: Some(120),
                ..RegistrationConfirm::default()
            }),
        })
        .collect();
    if key.kind == Kind::Setup {
        return ReleaseComplete {
            sender: Sender::Gatekeeper,
            call_reference: key.call_reference,
            call_identifier: key.call_identifier(),
            reason: ReleaseCompleteReason::CALLED_PARTY_NOT_REGISTERED,
        }
        .to_vec();
    }
    facility(Sender::Gatekeeper, &confirmed)
}
