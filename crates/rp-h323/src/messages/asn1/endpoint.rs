//! Addresses, aliases, and what an endpoint says about itself.

use rasn::prelude::*;

/// The version of H.225.0 that is built: `itu-t recommendation h 2250 0 7`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq)]
#[rasn(delegate)]
pub(crate) struct ProtocolIdentifier(pub(crate) ObjectIdentifier);

impl Default for ProtocolIdentifier {
    fn default() -> Self {
        Self(Oid::const_new(&[0, 0, 8, 2250, 0, 7]).into())
    }
}

#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub(crate) enum AliasAddress {
    #[rasn(size("1..=128"), from("#", "*", ",", "0..=9"))]
    DialedDigits(Ia5String),
    #[rasn(size("1..=256"))]
    H323Id(BmpString),
    #[rasn(extension_addition, size("1..=512"))]
    UrlId(Ia5String),
    #[rasn(extension_addition)]
    TransportId(TransportAddress),
    #[rasn(extension_addition, size("1..=512"))]
    EmailId(Ia5String),
    #[rasn(extension_addition)]
    PartyNumber(Any),
    #[rasn(extension_addition)]
    MobileUim(Any),
    #[rasn(extension_addition)]
    IsupNumber(Any),
}

#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub(crate) enum TransportAddress {
    IpAddress(IpAddress),
    IpSourceRoute(Any),
    IpxAddress(Any),
    Ip6Address(Ip6Address),
    #[rasn(size("16"))]
    NetBios(OctetString),
    #[rasn(size("1..=20"))]
    Nsap(OctetString),
    NonStandardAddress(NonStandardParameter),
}

/// The address that says nothing: behind H.460.17 answers come on the connection that asks.
impl Default for TransportAddress {
    fn default() -> Self {
        Self::IpAddress(IpAddress { ip: OctetString::from_static(&[0; 4]), port: 0 })
    }
}

#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq)]
#[rasn(automatic_tags)]
pub(crate) struct IpAddress {
    #[rasn(size("4"))]
    pub(crate) ip: OctetString,
    #[rasn(value("0..=65535"))]
    pub(crate) port: u16,
}

#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub(crate) struct Ip6Address {
    #[rasn(size("16"))]
    pub(crate) ip: OctetString,
    #[rasn(value("0..=65535"))]
    pub(crate) port: u16,
}

#[derive(AsnType, Clone, Debug, Decode, Default, Encode, PartialEq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub(crate) struct EndpointType {
    pub(crate) non_standard_data: Option<NonStandardParameter>,
    pub(crate) vendor: Option<VendorIdentifier>,
    pub(crate) gatekeeper: Option<NonStandardSequence>,
    pub(crate) gateway: Option<GatewayInfo>,
    pub(crate) mcu: Option<McuInfo>,
    pub(crate) terminal: Option<NonStandardSequence>,
    pub(crate) mc: bool,
    pub(crate) undefined_node: bool,
    #[rasn(extension_addition)]
    pub(crate) set: Option<Any>,
    #[rasn(extension_addition)]
    pub(crate) supported_tunnelled_protocols: Option<Any>,
}

/// GatekeeperInfo and TerminalInfo.
#[derive(AsnType, Clone, Debug, Decode, Default, Encode, PartialEq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub(crate) struct NonStandardSequence {
    pub(crate) non_standard_data: Option<NonStandardParameter>,
}

#[derive(AsnType, Clone, Debug, Decode, Default, Encode, PartialEq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub(crate) struct GatewayInfo {
    pub(crate) protocol: Option<Any>,
    pub(crate) non_standard_data: Option<NonStandardParameter>,
}

#[derive(AsnType, Clone, Debug, Decode, Default, Encode, PartialEq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub(crate) struct McuInfo {
    pub(crate) non_standard_data: Option<NonStandardParameter>,
    #[rasn(extension_addition)]
    pub(crate) protocol: Option<Any>,
}

#[derive(AsnType, Clone, Debug, Decode, Default, Encode, PartialEq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub(crate) struct VendorIdentifier {
    pub(crate) vendor: H221NonStandard,
    #[rasn(size("1..=256"))]
    pub(crate) product_id: Option<OctetString>,
    #[rasn(size("1..=256"))]
    pub(crate) version_id: Option<OctetString>,
    #[rasn(extension_addition)]
    pub(crate) enterprise_number: Option<ObjectIdentifier>,
}

#[derive(AsnType, Clone, Debug, Decode, Default, Encode, PartialEq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub(crate) struct H221NonStandard {
    #[rasn(value("0..=255"))]
    pub(crate) t35_country_code: u8,
    #[rasn(value("0..=255"))]
    pub(crate) t35_extension: u8,
    #[rasn(value("0..=65535"))]
    pub(crate) manufacturer_code: u16,
}

#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq)]
#[rasn(automatic_tags)]
pub(crate) struct NonStandardParameter {
    pub(crate) non_standard_identifier: NonStandardIdentifier,
    pub(crate) data: OctetString,
}

#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub(crate) enum NonStandardIdentifier {
    Object(ObjectIdentifier),
    H221NonStandard(H221NonStandard),
}
