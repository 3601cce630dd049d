//! Why something was rejected.

use alloc::vec::Vec;

use rasn::prelude::*;

use super::endpoint::{AliasAddress, NonStandardParameter};

#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub(crate) enum GatekeeperRejectReason {
    ResourceUnavailable(()),
    TerminalExcluded(()),
    InvalidRevision(()),
    UndefinedReason(()),
    #[rasn(extension_addition)]
    SecurityDenial(()),
    #[rasn(extension_addition)]
    GenericDataReason(()),
    #[rasn(extension_addition)]
    NeededFeatureNotSupported(()),
    #[rasn(extension_addition)]
    SecurityError(SecurityErrors),
}

#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub(crate) enum RegistrationRejectReason {
    DiscoveryRequired(()),
    InvalidRevision(()),
    InvalidCallSignalAddress(()),
    InvalidRasAddress(()),
    DuplicateAlias(Vec<AliasAddress>),
    InvalidTerminalType(()),
    UndefinedReason(()),
    TransportNotSupported(()),
    #[rasn(extension_addition)]
    TransportQosNotSupported(()),
    #[rasn(extension_addition)]
    ResourceUnavailable(()),
    #[rasn(extension_addition)]
    InvalidAlias(()),
    #[rasn(extension_addition)]
    SecurityDenial(()),
    #[rasn(extension_addition)]
    FullRegistrationRequired(()),
    #[rasn(extension_addition)]
    AdditiveRegistrationNotSupported(()),
    #[rasn(extension_addition)]
    InvalidTerminalAliases(InvalidTerminalAliases),
    #[rasn(extension_addition)]
    GenericDataReason(()),
    #[rasn(extension_addition)]
    NeededFeatureNotSupported(()),
    #[rasn(extension_addition)]
    SecurityError(SecurityErrors),
    #[rasn(extension_addition)]
    RegisterWithAssignedGk(()),
}

#[derive(AsnType, Clone, Debug, Decode, Default, Encode, PartialEq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub(crate) struct InvalidTerminalAliases {
    pub(crate) terminal_alias: Option<Vec<AliasAddress>>,
    pub(crate) terminal_alias_pattern: Option<Any>,
    pub(crate) supported_prefixes: Option<Any>,
}

#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub(crate) enum ReleaseCompleteReason {
    NoBandwidth(()),
    GatekeeperResources(()),
    UnreachableDestination(()),
    DestinationRejection(()),
    InvalidRevision(()),
    NoPermission(()),
    UnreachableGatekeeper(()),
    GatewayResources(()),
    BadFormatAddress(()),
    AdaptiveBusy(()),
    InConf(()),
    UndefinedReason(()),
    #[rasn(extension_addition)]
    FacilityCallDeflection(()),
    #[rasn(extension_addition)]
    SecurityDenied(()),
    #[rasn(extension_addition)]
    CalledPartyNotRegistered(()),
    #[rasn(extension_addition)]
    CallerNotRegistered(()),
    #[rasn(extension_addition)]
    NewConnectionNeeded(()),
    #[rasn(extension_addition)]
    NonStandardReason(NonStandardParameter),
    #[rasn(extension_addition)]
    ReplaceWithConferenceInvite(#[rasn(size("16"))] OctetString),
    #[rasn(extension_addition)]
    GenericDataReason(()),
    #[rasn(extension_addition)]
    NeededFeatureNotSupported(()),
    #[rasn(extension_addition)]
    TunnelledSignallingRejected(()),
    #[rasn(extension_addition)]
    InvalidCid(()),
    #[rasn(extension_addition)]
    SecurityError(SecurityErrors),
    #[rasn(extension_addition)]
    HopCountExceeded(()),
}

#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
#[expect(clippy::enum_variant_names, reason = "the names are those of H.225.0")]
pub(crate) enum SecurityErrors {
    SecurityWrongSyncTime(()),
    SecurityReplay(()),
    SecurityWrongGeneralId(()),
    SecurityWrongSendersId(()),
    SecurityIntegrityFailed(()),
    SecurityWrongOid(()),
    SecurityDhMismatch(()),
    SecurityCertificateExpired(()),
    SecurityCertificateDateInvalid(()),
    SecurityCertificateRevoked(()),
    SecurityCertificateNotReadable(()),
    SecurityCertificateSignatureInvalid(()),
    SecurityCertificateMissing(()),
    SecurityCertificateIncomplete(()),
    SecurityUnsupportedCertificateAlgOid(()),
    SecurityUnknownCa(()),
}

impl Default for GatekeeperRejectReason {
    fn default() -> Self {
        Self::UndefinedReason(())
    }
}

impl Default for RegistrationRejectReason {
    fn default() -> Self {
        Self::UndefinedReason(())
    }
}
