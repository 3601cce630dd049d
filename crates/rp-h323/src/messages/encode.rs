//! From what callers say to octets.

use alloc::{vec, vec::Vec};

use rasn::types::{BmpString, Ia5String, OctetString};

use super::{
    AliasName, NotEncodable, Ras, ReleaseComplete, Sender,
    asn1::{
        CallIdentifier, Content, EnumeratedParameter, GenericData, GenericIdentifier, H323MessageBody,
        H323UserInformation, H323UuPdu, ReleaseCompleteUuie,
        endpoint::{AliasAddress, EndpointType, IpAddress, TransportAddress, VendorIdentifier},
        ras::{
            GatekeeperConfirm, GatekeeperReject, GatekeeperRequest, RasMessage, RegistrationConfirm,
            RegistrationReject, RegistrationRequest,
        },
        reason,
    },
};
use crate::{
    GatekeeperRejectReason, RegistrationRejectReason, ReleaseCompleteReason, Text, q931::MessageType,
};

/// H.460.17, and its parameter with a RAS message.
const RAS_OVER_H225: u32 = 17;
const RAS_MESSAGE: u32 = 1;

/// The Facility with these RAS messages.
pub(super) fn facility(
    sender: Sender,
    call_reference: u16,
    messages: &[RasMessage],
) -> Result<Vec<u8>, NotEncodable> {
    let parameters = messages.iter().map(parameter).collect::<Result<Vec<_>, _>>()?;
    let generic_data =
        GenericData { id: GenericIdentifier::Standard(RAS_OVER_H225.into()), parameters: Some(parameters) };
    let pdu = H323UuPdu { generic_data: Some(vec![generic_data]), ..uu_pdu(H323MessageBody::Empty(())) };
    frame(MessageType::FACILITY, sender, call_reference, &[], pdu)
}

/// The ReleaseComplete with its Cause, which gateways to telephone networks look at.
pub(super) fn release_complete(release: &ReleaseComplete) -> Result<Vec<u8>, NotEncodable> {
    let uuie = ReleaseCompleteUuie {
        reason: Some(release_complete_reason(release.reason)?),
        call_identifier: release.call_identifier.map(|guid| CallIdentifier { guid: guid.into() }),
        ..Default::default()
    };
    // Q.931, 4.5.12: length, CCITT coding and location user, cause with the top bit set.
    let cause = [0x08, 0x02, 0x80, 0x80 | cause(release.reason)];
    let pdu = uu_pdu(H323MessageBody::ReleaseComplete(uuie));
    frame(MessageType::RELEASE_COMPLETE, release.sender, release.call_reference, &cause, pdu)
}

/// One RAS message.
pub(super) fn ras(message: &Ras<'_>) -> Result<RasMessage, NotEncodable> {
    Ok(match *message {
        Ras::GatekeeperRequest(message) => RasMessage::GatekeeperRequest(GatekeeperRequest {
            request_seq_num: message.request_seq_num,
            endpoint_type: terminal(),
            gatekeeper_identifier: optional_text(message.gatekeeper_id)?,
            endpoint_alias: aliases(message.aliases)?,
            supports_assigned_gk: Some(false),
            ..Default::default()
        }),
        Ras::GatekeeperConfirm(message) => RasMessage::GatekeeperConfirm(GatekeeperConfirm {
            request_seq_num: message.request_seq_num,
            gatekeeper_identifier: optional_text(message.gatekeeper_id)?,
            ..Default::default()
        }),
        Ras::GatekeeperReject(message) => RasMessage::GatekeeperReject(GatekeeperReject {
            request_seq_num: message.request_seq_num,
            gatekeeper_identifier: optional_text(message.gatekeeper_id)?,
            reject_reason: gatekeeper_reject_reason(message.reason),
            ..Default::default()
        }),
        Ras::RegistrationRequest(message) => RasMessage::RegistrationRequest(registration_request(&message)?),
        Ras::RegistrationConfirm(message) => RasMessage::RegistrationConfirm(RegistrationConfirm {
            request_seq_num: message.request_seq_num,
            call_signal_address: message.call_signal_address.map(address).into_iter().collect(),
            terminal_alias: aliases(message.aliases)?,
            gatekeeper_identifier: optional_text(message.gatekeeper_id)?,
            endpoint_identifier: text(message.endpoint_id)?,
            time_to_live: message.time_to_live,
            will_respond_to_irr: Some(false),
            maintain_connection: Some(true),
            ..Default::default()
        }),
        Ras::RegistrationReject(message) => RasMessage::RegistrationReject(RegistrationReject {
            request_seq_num: message.request_seq_num,
            reject_reason: registration_reject_reason(
                message.reason,
                aliases(message.aliases)?.unwrap_or_default(),
            ),
            gatekeeper_identifier: optional_text(message.gatekeeper_id)?,
            ..Default::default()
        }),
    })
}

fn registration_request(
    message: &super::RegistrationRequest<'_>,
) -> Result<RegistrationRequest, NotEncodable> {
    Ok(RegistrationRequest {
        request_seq_num: message.request_seq_num,
        discovery_complete: message.discovery_complete,
        terminal_type: terminal(),
        terminal_alias: aliases(message.aliases)?,
        gatekeeper_identifier: optional_text(message.gatekeeper_id)?,
        endpoint_vendor: VendorIdentifier::default(),
        time_to_live: message.time_to_live,
        keep_alive: Some(message.keep_alive),
        endpoint_identifier: optional_text(message.endpoint_id)?,
        will_supply_uuies: Some(false),
        maintain_connection: Some(true),
        supports_assigned_gk: Some(false),
        ..Default::default()
    })
}

/// TPKT, Q.931 and the user-user element around a PDU; `elements` come before the latter.
fn frame(
    message_type: MessageType,
    sender: Sender,
    call_reference: u16,
    elements: &[u8],
    h323_uu_pdu: H323UuPdu,
) -> Result<Vec<u8>, NotEncodable> {
    let information = H323UserInformation { h323_uu_pdu, user_data: None };
    let contents = rasn::aper::encode(&information).map_err(|_| NotEncodable(()))?;
    let flag = if sender == Sender::Gatekeeper { 0x80 } else { 0 };
    let [high, low] = call_reference.to_be_bytes();

    let mut message = vec![0x08, 0x02, high | flag, low, message_type.0];
    message.extend_from_slice(elements);
    message.push(0x7e);
    message.extend_from_slice(&length(&contents, 1)?);
    message.push(0x05);
    message.extend_from_slice(&contents);

    let mut frame = vec![0x03, 0x00];
    frame.extend_from_slice(&length(&message, 4)?);
    frame.extend_from_slice(&message);
    Ok(frame)
}

/// A length of two octets that counts `more` beside these.
fn length(octets: &[u8], more: u16) -> Result<[u8; 2], NotEncodable> {
    let length = u16::try_from(octets.len()).ok().and_then(|length| length.checked_add(more));
    length.map(u16::to_be_bytes).ok_or(NotEncodable(()))
}

fn uu_pdu(h323_message_body: H323MessageBody) -> H323UuPdu {
    H323UuPdu {
        h323_message_body,
        non_standard_data: None,
        h4501_supplementary_service: None,
        h245_tunneling: Some(true),
        h245_control: None,
        non_standard_control: None,
        call_linkage: None,
        tunnelled_signalling_message: None,
        provisional_resp_to_h245_tunneling: None,
        stimulus_control: None,
        generic_data: None,
    }
}

fn parameter(message: &RasMessage) -> Result<EnumeratedParameter, NotEncodable> {
    let raw = rasn::aper::encode(message).map_err(|_| NotEncodable(()))?;
    let id = GenericIdentifier::Standard(RAS_MESSAGE.into());
    Ok(EnumeratedParameter { id, content: Some(Content::Raw(raw.into())) })
}

fn terminal() -> EndpointType {
    EndpointType { terminal: Some(Default::default()), ..Default::default() }
}

pub(super) fn address((ip, port): ([u8; 4], u16)) -> TransportAddress {
    TransportAddress::IpAddress(IpAddress { ip: OctetString::from(ip), port })
}

fn aliases(names: &[AliasName<'_>]) -> Result<Option<Vec<AliasAddress>>, NotEncodable> {
    let aliases = names.iter().map(alias).collect::<Result<Vec<_>, _>>()?;
    Ok((!aliases.is_empty()).then_some(aliases))
}

fn alias(name: &AliasName<'_>) -> Result<AliasAddress, NotEncodable> {
    Ok(match name {
        AliasName::DialedDigits(digits) => AliasAddress::DialedDigits(ia5(digits)?),
        AliasName::H323Id(name) => AliasAddress::H323Id(text(name)?),
        AliasName::UrlId(url) => AliasAddress::UrlId(ia5(url)?),
        AliasName::EmailId(address) => AliasAddress::EmailId(ia5(address)?),
    })
}

fn ia5(text: &str) -> Result<Ia5String, NotEncodable> {
    Ia5String::from_iso646_bytes(text.as_bytes()).map_err(|_| NotEncodable(()))
}

fn text(text: &str) -> Result<BmpString, NotEncodable> {
    let octets: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    BmpString::try_from(octets.as_slice()).map_err(|_| NotEncodable(()))
}

fn optional_text(value: Option<&str>) -> Result<Option<BmpString>, NotEncodable> {
    value.map(text).transpose()
}

/// The text of a request as it came, unpaired surrogates and all; `None` for the two code units that rasn
/// takes for no characters.
pub(super) fn same_text(text: Text<'_>) -> Option<BmpString> {
    BmpString::try_from(text.octets()).ok()
}

pub(super) fn gatekeeper_reject_reason(reason: GatekeeperRejectReason) -> reason::GatekeeperRejectReason {
    use GatekeeperRejectReason as From;
    use reason::GatekeeperRejectReason as To;
    match reason {
        From::RESOURCE_UNAVAILABLE => To::ResourceUnavailable(()),
        From::TERMINAL_EXCLUDED => To::TerminalExcluded(()),
        From::INVALID_REVISION => To::InvalidRevision(()),
        From::SECURITY_DENIAL => To::SecurityDenial(()),
        From::GENERIC_DATA_REASON => To::GenericDataReason(()),
        From::NEEDED_FEATURE_NOT_SUPPORTED => To::NeededFeatureNotSupported(()),
        From::SECURITY_ERROR => To::SecurityError(reason::SecurityErrors::SecurityWrongSyncTime(())),
        _ => To::UndefinedReason(()),
    }
}

pub(super) fn registration_reject_reason(
    reason: RegistrationRejectReason,
    aliases: Vec<AliasAddress>,
) -> reason::RegistrationRejectReason {
    use RegistrationRejectReason as From;
    use reason::RegistrationRejectReason as To;
    match reason {
        From::DISCOVERY_REQUIRED => To::DiscoveryRequired(()),
        From::INVALID_REVISION => To::InvalidRevision(()),
        From::INVALID_CALL_SIGNAL_ADDRESS => To::InvalidCallSignalAddress(()),
        From::INVALID_RAS_ADDRESS => To::InvalidRasAddress(()),
        From::DUPLICATE_ALIAS => To::DuplicateAlias(aliases),
        From::INVALID_TERMINAL_TYPE => To::InvalidTerminalType(()),
        From::TRANSPORT_NOT_SUPPORTED => To::TransportNotSupported(()),
        From::TRANSPORT_QOS_NOT_SUPPORTED => To::TransportQosNotSupported(()),
        From::RESOURCE_UNAVAILABLE => To::ResourceUnavailable(()),
        From::INVALID_ALIAS => To::InvalidAlias(()),
        From::SECURITY_DENIAL => To::SecurityDenial(()),
        From::FULL_REGISTRATION_REQUIRED => To::FullRegistrationRequired(()),
        From::ADDITIVE_REGISTRATION_NOT_SUPPORTED => To::AdditiveRegistrationNotSupported(()),
        From::INVALID_TERMINAL_ALIASES => To::InvalidTerminalAliases(reason::InvalidTerminalAliases {
            terminal_alias: (!aliases.is_empty()).then_some(aliases),
            ..Default::default()
        }),
        From::GENERIC_DATA_REASON => To::GenericDataReason(()),
        From::NEEDED_FEATURE_NOT_SUPPORTED => To::NeededFeatureNotSupported(()),
        From::SECURITY_ERROR => To::SecurityError(reason::SecurityErrors::SecurityWrongSyncTime(())),
        From::REGISTER_WITH_ASSIGNED_GK => To::RegisterWithAssignedGk(()),
        _ => To::UndefinedReason(()),
    }
}

fn release_complete_reason(
    reason: ReleaseCompleteReason,
) -> Result<reason::ReleaseCompleteReason, NotEncodable> {
    use ReleaseCompleteReason as From;
    use reason::ReleaseCompleteReason as To;
    Ok(match reason {
        From::NO_BANDWIDTH => To::NoBandwidth(()),
        From::GATEKEEPER_RESOURCES => To::GatekeeperResources(()),
        From::UNREACHABLE_DESTINATION => To::UnreachableDestination(()),
        From::DESTINATION_REJECTION => To::DestinationRejection(()),
        From::INVALID_REVISION => To::InvalidRevision(()),
        From::NO_PERMISSION => To::NoPermission(()),
        From::UNREACHABLE_GATEKEEPER => To::UnreachableGatekeeper(()),
        From::GATEWAY_RESOURCES => To::GatewayResources(()),
        From::BAD_FORMAT_ADDRESS => To::BadFormatAddress(()),
        From::ADAPTIVE_BUSY => To::AdaptiveBusy(()),
        From::IN_CONF => To::InConf(()),
        From::UNDEFINED_REASON => To::UndefinedReason(()),
        From::FACILITY_CALL_DEFLECTION => To::FacilityCallDeflection(()),
        From::SECURITY_DENIED => To::SecurityDenied(()),
        From::CALLED_PARTY_NOT_REGISTERED => To::CalledPartyNotRegistered(()),
        From::CALLER_NOT_REGISTERED => To::CallerNotRegistered(()),
        From::NEW_CONNECTION_NEEDED => To::NewConnectionNeeded(()),
        From::GENERIC_DATA_REASON => To::GenericDataReason(()),
        From::NEEDED_FEATURE_NOT_SUPPORTED => To::NeededFeatureNotSupported(()),
        From::TUNNELLED_SIGNALLING_REJECTED => To::TunnelledSignallingRejected(()),
        From::INVALID_CID => To::InvalidCid(()),
        From::HOP_COUNT_EXCEEDED => To::HopCountExceeded(()),
        _ => return Err(NotEncodable(())),
    })
}

/// The cause of Q.850 for a reason: 3 no route to destination, 21 call rejected, 28 invalid number format,
/// 31 normal, unspecified, 47 resource unavailable.
fn cause(reason: ReleaseCompleteReason) -> u8 {
    match reason {
        ReleaseCompleteReason::UNREACHABLE_DESTINATION => 3,
        ReleaseCompleteReason::NO_PERMISSION | ReleaseCompleteReason::SECURITY_DENIED => 21,
        ReleaseCompleteReason::BAD_FORMAT_ADDRESS => 28,
        ReleaseCompleteReason::GATEKEEPER_RESOURCES => 47,
        _ => 31,
    }
}
