//! The part of H.225.0 (12/2009), annex H, that is built here, declared for rasn.
//!
//! Three things have to be so for the octets to be right:
//!
//! - rasn 0.30 does not see the constraint of a type where the type is used as an extension addition, so
//!   constraints stand on the fields.
//! - It insists on additions that are not OPTIONAL, but an older peer sends none of them, so every addition
//!   is an `Option` here.
//! - The bitmap of additions is as long as the list of fields, so additions that are never built are
//!   declared too. `Any` holds their place, and can be neither built nor read.

pub(crate) mod endpoint;
pub(crate) mod ras;
pub(crate) mod reason;

use alloc::vec::Vec;

use rasn::prelude::*;

use self::{
    endpoint::{AliasAddress, EndpointType, NonStandardParameter, ProtocolIdentifier, TransportAddress},
    reason::ReleaseCompleteReason,
};

#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub(crate) struct H323UserInformation {
    pub(crate) h323_uu_pdu: H323UuPdu,
    pub(crate) user_data: Option<Any>,
}

#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub(crate) struct H323UuPdu {
    pub(crate) h323_message_body: H323MessageBody,
    pub(crate) non_standard_data: Option<NonStandardParameter>,
    #[rasn(extension_addition)]
    pub(crate) h4501_supplementary_service: Option<Vec<OctetString>>,
    #[rasn(extension_addition)]
    pub(crate) h245_tunneling: Option<bool>,
    #[rasn(extension_addition)]
    pub(crate) h245_control: Option<Vec<OctetString>>,
    #[rasn(extension_addition)]
    pub(crate) non_standard_control: Option<Vec<NonStandardParameter>>,
    #[rasn(extension_addition)]
    pub(crate) call_linkage: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) tunnelled_signalling_message: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) provisional_resp_to_h245_tunneling: Option<()>,
    #[rasn(extension_addition)]
    pub(crate) stimulus_control: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) generic_data: Option<Vec<GenericData>>,
}

#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "built one at a time, and gone once it is encoded")]
pub(crate) enum H323MessageBody {
    Setup(Any),
    CallProceeding(Any),
    Connect(Any),
    Alerting(Any),
    Information(Any),
    ReleaseComplete(ReleaseCompleteUuie),
    Facility(Any),
    #[rasn(extension_addition)]
    Progress(Any),
    #[rasn(extension_addition)]
    Empty(()),
    #[rasn(extension_addition)]
    Status(Any),
    #[rasn(extension_addition)]
    StatusInquiry(Any),
    #[rasn(extension_addition)]
    SetupAcknowledge(Any),
    #[rasn(extension_addition)]
    Notify(Any),
}

#[derive(AsnType, Clone, Debug, Decode, Default, Encode, PartialEq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub(crate) struct ReleaseCompleteUuie {
    pub(crate) protocol_identifier: ProtocolIdentifier,
    pub(crate) reason: Option<ReleaseCompleteReason>,
    #[rasn(extension_addition)]
    pub(crate) call_identifier: Option<CallIdentifier>,
    #[rasn(extension_addition)]
    pub(crate) tokens: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) crypto_tokens: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) busy_address: Option<Vec<AliasAddress>>,
    #[rasn(extension_addition)]
    pub(crate) presentation_indicator: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) screening_indicator: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) capacity: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) service_control: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) feature_set: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) destination_info: Option<EndpointType>,
    #[rasn(extension_addition)]
    pub(crate) display_name: Option<Any>,
}

#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub(crate) struct CallIdentifier {
    #[rasn(size("16"))]
    pub(crate) guid: OctetString,
}

#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub(crate) struct GenericData {
    pub(crate) id: GenericIdentifier,
    #[rasn(size("1..=512"))]
    pub(crate) parameters: Option<Vec<EnumeratedParameter>>,
}

#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub(crate) struct EnumeratedParameter {
    pub(crate) id: GenericIdentifier,
    pub(crate) content: Option<Content>,
}

#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub(crate) enum GenericIdentifier {
    #[rasn(value("0..=16383", extensible))]
    Standard(Integer),
    Oid(ObjectIdentifier),
    #[rasn(size("16"))]
    NonStandard(OctetString),
}

#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub(crate) enum Content {
    Raw(OctetString),
    Text(Ia5String),
    Unicode(BmpString),
    Bool(bool),
    #[rasn(value("0..=255"))]
    Number8(u8),
    #[rasn(value("0..=65535"))]
    Number16(u16),
    #[rasn(value("0..=4294967295"))]
    Number32(u32),
    Id(GenericIdentifier),
    Alias(AliasAddress),
    Transport(TransportAddress),
    Compound(Any),
    Nested(Any),
}
