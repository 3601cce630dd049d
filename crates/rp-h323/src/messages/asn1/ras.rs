//! RAS messages.

use alloc::vec::Vec;

use rasn::prelude::*;

use super::{
    GenericData,
    endpoint::{
        AliasAddress, EndpointType, NonStandardParameter, ProtocolIdentifier, TransportAddress,
        VendorIdentifier,
    },
    reason::{GatekeeperRejectReason, RegistrationRejectReason},
};

#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "built one at a time, and gone once it is encoded")]
pub(crate) enum RasMessage {
    GatekeeperRequest(GatekeeperRequest),
    GatekeeperConfirm(GatekeeperConfirm),
    GatekeeperReject(GatekeeperReject),
    RegistrationRequest(RegistrationRequest),
    RegistrationConfirm(RegistrationConfirm),
    RegistrationReject(RegistrationReject),
    UnregistrationRequest(Any),
    UnregistrationConfirm(Any),
    UnregistrationReject(Any),
    AdmissionRequest(Any),
    AdmissionConfirm(Any),
    AdmissionReject(Any),
    BandwidthRequest(Any),
    BandwidthConfirm(Any),
    BandwidthReject(Any),
    DisengageRequest(Any),
    DisengageConfirm(Any),
    DisengageReject(Any),
    LocationRequest(Any),
    LocationConfirm(Any),
    LocationReject(Any),
    InfoRequest(Any),
    InfoRequestResponse(Any),
    NonStandardMessage(Any),
    UnknownMessageResponse(Any),
}

#[derive(AsnType, Clone, Debug, Decode, Default, Encode, PartialEq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub(crate) struct GatekeeperRequest {
    #[rasn(value("1..=65535"))]
    pub(crate) request_seq_num: u16,
    pub(crate) protocol_identifier: ProtocolIdentifier,
    pub(crate) non_standard_data: Option<NonStandardParameter>,
    pub(crate) ras_address: TransportAddress,
    pub(crate) endpoint_type: EndpointType,
    #[rasn(size("1..=128"))]
    pub(crate) gatekeeper_identifier: Option<BmpString>,
    pub(crate) call_services: Option<Any>,
    pub(crate) endpoint_alias: Option<Vec<AliasAddress>>,
    #[rasn(extension_addition)]
    pub(crate) alternate_endpoints: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) tokens: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) crypto_tokens: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) authentication_capability: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) algorithm_oids: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) integrity: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) integrity_check_value: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) supports_alt_gk: Option<()>,
    #[rasn(extension_addition)]
    pub(crate) feature_set: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) generic_data: Option<Vec<GenericData>>,
    #[rasn(extension_addition)]
    pub(crate) supports_assigned_gk: Option<bool>,
    #[rasn(extension_addition)]
    pub(crate) assigned_gatekeeper: Option<Any>,
}

#[derive(AsnType, Clone, Debug, Decode, Default, Encode, PartialEq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub(crate) struct GatekeeperConfirm {
    #[rasn(value("1..=65535"))]
    pub(crate) request_seq_num: u16,
    pub(crate) protocol_identifier: ProtocolIdentifier,
    pub(crate) non_standard_data: Option<NonStandardParameter>,
    #[rasn(size("1..=128"))]
    pub(crate) gatekeeper_identifier: Option<BmpString>,
    pub(crate) ras_address: TransportAddress,
    #[rasn(extension_addition)]
    pub(crate) alternate_gatekeeper: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) authentication_mode: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) tokens: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) crypto_tokens: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) algorithm_oid: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) integrity: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) integrity_check_value: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) feature_set: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) generic_data: Option<Vec<GenericData>>,
    #[rasn(extension_addition)]
    pub(crate) assigned_gatekeeper: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) rehoming_model: Option<Any>,
}

#[derive(AsnType, Clone, Debug, Decode, Default, Encode, PartialEq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub(crate) struct GatekeeperReject {
    #[rasn(value("1..=65535"))]
    pub(crate) request_seq_num: u16,
    pub(crate) protocol_identifier: ProtocolIdentifier,
    pub(crate) non_standard_data: Option<NonStandardParameter>,
    #[rasn(size("1..=128"))]
    pub(crate) gatekeeper_identifier: Option<BmpString>,
    pub(crate) reject_reason: GatekeeperRejectReason,
    #[rasn(extension_addition)]
    pub(crate) alt_gk_info: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) tokens: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) crypto_tokens: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) integrity_check_value: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) feature_set: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) generic_data: Option<Vec<GenericData>>,
}

#[derive(AsnType, Clone, Debug, Decode, Default, Encode, PartialEq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub(crate) struct RegistrationRequest {
    #[rasn(value("1..=65535"))]
    pub(crate) request_seq_num: u16,
    pub(crate) protocol_identifier: ProtocolIdentifier,
    pub(crate) non_standard_data: Option<NonStandardParameter>,
    pub(crate) discovery_complete: bool,
    pub(crate) call_signal_address: Vec<TransportAddress>,
    pub(crate) ras_address: Vec<TransportAddress>,
    pub(crate) terminal_type: EndpointType,
    pub(crate) terminal_alias: Option<Vec<AliasAddress>>,
    #[rasn(size("1..=128"))]
    pub(crate) gatekeeper_identifier: Option<BmpString>,
    pub(crate) endpoint_vendor: VendorIdentifier,
    #[rasn(extension_addition)]
    pub(crate) alternate_endpoints: Option<Any>,
    #[rasn(extension_addition, value("1..=4294967295"))]
    pub(crate) time_to_live: Option<u32>,
    #[rasn(extension_addition)]
    pub(crate) tokens: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) crypto_tokens: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) integrity_check_value: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) keep_alive: Option<bool>,
    #[rasn(extension_addition, size("1..=128"))]
    pub(crate) endpoint_identifier: Option<BmpString>,
    #[rasn(extension_addition)]
    pub(crate) will_supply_uuies: Option<bool>,
    #[rasn(extension_addition)]
    pub(crate) maintain_connection: Option<bool>,
    #[rasn(extension_addition)]
    pub(crate) alternate_transport_addresses: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) additive_registration: Option<()>,
    #[rasn(extension_addition)]
    pub(crate) terminal_alias_pattern: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) supports_alt_gk: Option<()>,
    #[rasn(extension_addition)]
    pub(crate) usage_reporting_capability: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) multiple_calls: Option<bool>,
    #[rasn(extension_addition)]
    pub(crate) supported_h248_packages: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) call_credit_capability: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) capacity_reporting_capability: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) capacity: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) feature_set: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) generic_data: Option<Vec<GenericData>>,
    #[rasn(extension_addition)]
    pub(crate) restart: Option<()>,
    #[rasn(extension_addition)]
    pub(crate) supports_acf_sequences: Option<()>,
    #[rasn(extension_addition)]
    pub(crate) supports_assigned_gk: Option<bool>,
    #[rasn(extension_addition)]
    pub(crate) assigned_gatekeeper: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) transport_qos: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) language: Option<Any>,
}

#[derive(AsnType, Clone, Debug, Decode, Default, Encode, PartialEq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub(crate) struct RegistrationConfirm {
    #[rasn(value("1..=65535"))]
    pub(crate) request_seq_num: u16,
    pub(crate) protocol_identifier: ProtocolIdentifier,
    pub(crate) non_standard_data: Option<NonStandardParameter>,
    pub(crate) call_signal_address: Vec<TransportAddress>,
    pub(crate) terminal_alias: Option<Vec<AliasAddress>>,
    #[rasn(size("1..=128"))]
    pub(crate) gatekeeper_identifier: Option<BmpString>,
    #[rasn(size("1..=128"))]
    pub(crate) endpoint_identifier: BmpString,
    #[rasn(extension_addition)]
    pub(crate) alternate_gatekeeper: Option<Any>,
    #[rasn(extension_addition, value("1..=4294967295"))]
    pub(crate) time_to_live: Option<u32>,
    #[rasn(extension_addition)]
    pub(crate) tokens: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) crypto_tokens: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) integrity_check_value: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) will_respond_to_irr: Option<bool>,
    #[rasn(extension_addition)]
    pub(crate) pre_granted_arq: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) maintain_connection: Option<bool>,
    #[rasn(extension_addition)]
    pub(crate) service_control: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) supports_additive_registration: Option<()>,
    #[rasn(extension_addition)]
    pub(crate) terminal_alias_pattern: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) supported_prefixes: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) usage_spec: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) feature_server_alias: Option<AliasAddress>,
    #[rasn(extension_addition)]
    pub(crate) capacity_reporting_spec: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) feature_set: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) generic_data: Option<Vec<GenericData>>,
    #[rasn(extension_addition)]
    pub(crate) assigned_gatekeeper: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) rehoming_model: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) transport_qos: Option<Any>,
}

#[derive(AsnType, Clone, Debug, Decode, Default, Encode, PartialEq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub(crate) struct RegistrationReject {
    #[rasn(value("1..=65535"))]
    pub(crate) request_seq_num: u16,
    pub(crate) protocol_identifier: ProtocolIdentifier,
    pub(crate) non_standard_data: Option<NonStandardParameter>,
    pub(crate) reject_reason: RegistrationRejectReason,
    #[rasn(size("1..=128"))]
    pub(crate) gatekeeper_identifier: Option<BmpString>,
    #[rasn(extension_addition)]
    pub(crate) alt_gk_info: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) tokens: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) crypto_tokens: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) integrity_check_value: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) feature_set: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) generic_data: Option<Vec<GenericData>>,
    #[rasn(extension_addition)]
    pub(crate) assigned_gatekeeper: Option<Any>,
}
