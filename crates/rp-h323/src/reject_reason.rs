//! Why a gatekeeper or a called party says no.

use core::fmt;

use crate::per::Choice;

/// Marks an alternative behind the extension marker of its CHOICE.
const EXTENSION: u8 = 0x80;

/// Why a gatekeeper request was rejected (H.225.0, GatekeeperRejectReason).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct GatekeeperRejectReason(u8);

/// Why a registration was rejected (H.225.0, RegistrationRejectReason).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RegistrationRejectReason(u8);

/// Why a call was released (H.225.0, ReleaseCompleteReason).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReleaseCompleteReason(u8);

#[expect(missing_docs, reason = "the names are those of H.225.0, which does not say more")]
impl GatekeeperRejectReason {
    pub const RESOURCE_UNAVAILABLE: Self = Self(0);
    pub const TERMINAL_EXCLUDED: Self = Self(1);
    pub const INVALID_REVISION: Self = Self(2);
    pub const UNDEFINED_REASON: Self = Self(3);
    pub const SECURITY_DENIAL: Self = Self(EXTENSION);
    pub const GENERIC_DATA_REASON: Self = Self(EXTENSION | 1);
    pub const NEEDED_FEATURE_NOT_SUPPORTED: Self = Self(EXTENSION | 2);
    pub const SECURITY_ERROR: Self = Self(EXTENSION | 3);
}

#[expect(missing_docs, reason = "the names are those of H.225.0, which does not say more")]
impl RegistrationRejectReason {
    pub const DISCOVERY_REQUIRED: Self = Self(0);
    pub const INVALID_REVISION: Self = Self(1);
    pub const INVALID_CALL_SIGNAL_ADDRESS: Self = Self(2);
    pub const INVALID_RAS_ADDRESS: Self = Self(3);
    pub const DUPLICATE_ALIAS: Self = Self(4);
    pub const INVALID_TERMINAL_TYPE: Self = Self(5);
    pub const UNDEFINED_REASON: Self = Self(6);
    pub const TRANSPORT_NOT_SUPPORTED: Self = Self(7);
    pub const TRANSPORT_QOS_NOT_SUPPORTED: Self = Self(EXTENSION);
    pub const RESOURCE_UNAVAILABLE: Self = Self(EXTENSION | 1);
    pub const INVALID_ALIAS: Self = Self(EXTENSION | 2);
    pub const SECURITY_DENIAL: Self = Self(EXTENSION | 3);
    pub const FULL_REGISTRATION_REQUIRED: Self = Self(EXTENSION | 4);
    pub const ADDITIVE_REGISTRATION_NOT_SUPPORTED: Self = Self(EXTENSION | 5);
    pub const INVALID_TERMINAL_ALIASES: Self = Self(EXTENSION | 6);
    pub const GENERIC_DATA_REASON: Self = Self(EXTENSION | 7);
    pub const NEEDED_FEATURE_NOT_SUPPORTED: Self = Self(EXTENSION | 8);
    pub const SECURITY_ERROR: Self = Self(EXTENSION | 9);
    pub const REGISTER_WITH_ASSIGNED_GK: Self = Self(EXTENSION | 10);
}

#[expect(missing_docs, reason = "the names are those of H.225.0, which does not say more")]
impl ReleaseCompleteReason {
    pub const NO_BANDWIDTH: Self = Self(0);
    pub const GATEKEEPER_RESOURCES: Self = Self(1);
    pub const UNREACHABLE_DESTINATION: Self = Self(2);
    pub const DESTINATION_REJECTION: Self = Self(3);
    pub const INVALID_REVISION: Self = Self(4);
    pub const NO_PERMISSION: Self = Self(5);
    pub const UNREACHABLE_GATEKEEPER: Self = Self(6);
    pub const GATEWAY_RESOURCES: Self = Self(7);
    pub const BAD_FORMAT_ADDRESS: Self = Self(8);
    pub const ADAPTIVE_BUSY: Self = Self(9);
    pub const IN_CONF: Self = Self(10);
    pub const UNDEFINED_REASON: Self = Self(11);
    pub const FACILITY_CALL_DEFLECTION: Self = Self(EXTENSION);
    pub const SECURITY_DENIED: Self = Self(EXTENSION | 1);
    pub const CALLED_PARTY_NOT_REGISTERED: Self = Self(EXTENSION | 2);
    pub const CALLER_NOT_REGISTERED: Self = Self(EXTENSION | 3);
    pub const NEW_CONNECTION_NEEDED: Self = Self(EXTENSION | 4);
    pub const NON_STANDARD_REASON: Self = Self(EXTENSION | 5);
    pub const REPLACE_WITH_CONFERENCE_INVITE: Self = Self(EXTENSION | 6);
    pub const GENERIC_DATA_REASON: Self = Self(EXTENSION | 7);
    pub const NEEDED_FEATURE_NOT_SUPPORTED: Self = Self(EXTENSION | 8);
    pub const TUNNELLED_SIGNALLING_REJECTED: Self = Self(EXTENSION | 9);
    pub const INVALID_CID: Self = Self(EXTENSION | 10);
    pub const SECURITY_ERROR: Self = Self(EXTENSION | 11);
    pub const HOP_COUNT_EXCEEDED: Self = Self(EXTENSION | 12);
}

/// The names in the order of the CHOICE: those of the root, and the extensions.
struct Names {
    root: &'static [&'static str],
    extensions: &'static [&'static str],
}

const GATEKEEPER_REJECT: Names = Names {
    root: &["resourceUnavailable", "terminalExcluded", "invalidRevision", "undefinedReason"],
    extensions: &["securityDenial", "genericDataReason", "neededFeatureNotSupported", "securityError"],
};

const REGISTRATION_REJECT: Names = Names {
    root: &[
        "discoveryRequired",
        "invalidRevision",
        "invalidCallSignalAddress",
        "invalidRASAddress",
        "duplicateAlias",
        "invalidTerminalType",
        "undefinedReason",
        "transportNotSupported",
    ],
    extensions: &[
        "transportQOSNotSupported",
        "resourceUnavailable",
        "invalidAlias",
        "securityDenial",
        "fullRegistrationRequired",
        "additiveRegistrationNotSupported",
        "invalidTerminalAliases",
        "genericDataReason",
        "neededFeatureNotSupported",
        "securityError",
        "registerWithAssignedGK",
    ],
};

const RELEASE_COMPLETE: Names = Names {
    root: &[
        "noBandwidth",
        "gatekeeperResources",
        "unreachableDestination",
        "destinationRejection",
        "invalidRevision",
        "noPermission",
        "unreachableGatekeeper",
        "gatewayResources",
        "badFormatAddress",
        "adaptiveBusy",
        "inConf",
        "undefinedReason",
    ],
    extensions: &[
        "facilityCallDeflection",
        "securityDenied",
        "calledPartyNotRegistered",
        "callerNotRegistered",
        "newConnectionNeeded",
        "nonStandardReason",
        "replaceWithConferenceInvite",
        "genericDataReason",
        "neededFeatureNotSupported",
        "tunnelledSignallingRejected",
        "invalidCID",
        "securityError",
        "hopCountExceeded",
    ],
};

impl GatekeeperRejectReason {
    /// The name in H.225.0; `None` for one that came after its version 7.
    pub fn name(self) -> Option<&'static str> {
        GATEKEEPER_REJECT.get(self.0)
    }

    #[cfg(all(test, feature = "messages"))]
    pub(crate) fn from_code(code: u8) -> Self {
        Self(code)
    }
}

impl RegistrationRejectReason {
    /// The name in H.225.0; `None` for one that came after its version 7.
    pub fn name(self) -> Option<&'static str> {
        REGISTRATION_REJECT.get(self.0)
    }

    #[cfg(all(test, feature = "messages"))]
    pub(crate) fn from_code(code: u8) -> Self {
        Self(code)
    }
}

impl ReleaseCompleteReason {
    /// The name in H.225.0; `None` for one that came after its version 7.
    pub fn name(self) -> Option<&'static str> {
        RELEASE_COMPLETE.get(self.0)
    }

    #[cfg(all(test, feature = "messages"))]
    pub(crate) fn from_code(code: u8) -> Self {
        Self(code)
    }
}

impl Names {
    fn get(&self, code: u8) -> Option<&'static str> {
        let names = if code & EXTENSION == 0 { self.root } else { self.extensions };
        names.get(usize::from(code & !EXTENSION)).copied()
    }

    fn write(&self, code: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get(code) {
            Some(name) => f.write_str(name),
            None => write!(f, "reason {}", code & !EXTENSION),
        }
    }
}

impl fmt::Display for GatekeeperRejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        GATEKEEPER_REJECT.write(self.0, f)
    }
}

impl fmt::Display for RegistrationRejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        REGISTRATION_REJECT.write(self.0, f)
    }
}

impl fmt::Display for ReleaseCompleteReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        RELEASE_COMPLETE.write(self.0, f)
    }
}

impl fmt::Debug for GatekeeperRejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for RegistrationRejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for ReleaseCompleteReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Choice> for GatekeeperRejectReason {
    fn from(choice: Choice) -> Self {
        Self(code(choice))
    }
}

impl From<Choice> for RegistrationRejectReason {
    fn from(choice: Choice) -> Self {
        Self(code(choice))
    }
}

impl From<Choice> for ReleaseCompleteReason {
    fn from(choice: Choice) -> Self {
        Self(code(choice))
    }
}

fn code(choice: Choice) -> u8 {
    match choice {
        Choice::Root(index) => index,
        Choice::Extension(number) => EXTENSION | number,
    }
}
