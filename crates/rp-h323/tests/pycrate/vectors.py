#!/usr/bin/env python3
"""Prints a reject and a release for each reason, and a bundle, as octets that the crate has to build too:
`python3 vectors.py > vectors.txt`. Needs pycrate 0.8.1, see README.md."""

import struct

import register

MESSAGES = register.MESSAGES
HQ = [("h323-ID", "hq")]
CONTENTS = {
    "duplicateAlias": HQ,
    "invalidTerminalAliases": {"terminalAlias": HQ},
    "securityError": ("securityWrongSyncTime", 0),
}
# These releases want to say more than their reason.
NOT_BUILT = ("nonStandardReason", "replaceWithConferenceInvite", "securityError")
# Q.850: no route to destination, call rejected, invalid number format, resource unavailable; 31 is normal, unspecified.
CAUSES = {
    "unreachableDestination": 3,
    "noPermission": 21,
    "securityDenied": 21,
    "badFormatAddress": 28,
    "gatekeeperResources": 47,
}


def reasons(choice):
    return list(choice._root) + list(choice._ext)


def message(message_type, call_reference, elements, pdu):
    contents = register.encode(MESSAGES.H323_UserInformation, {"h323-uu-pdu": pdu})
    elements += b"\x7e" + struct.pack(">H", len(contents) + 1) + b"\x05" + contents
    octets = b"\x08\x02" + struct.pack(">H", call_reference | 0x8000) + bytes([message_type]) + elements
    return b"\x03\x00" + struct.pack(">H", len(octets) + 4) + octets


def facility(*messages):
    parameters = [
        {"id": ("standard", 1), "content": ("raw", register.encode(MESSAGES.RasMessage, ras))} for ras in messages
    ]
    data = [{"id": ("standard", 17), "parameters": parameters}]
    pdu = {"h323-message-body": ("empty", 0), "h245Tunnelling": True, "genericData": data}
    return message(register.FACILITY, 0, b"", pdu)


def reject(kind, number, reason):
    value = {"requestSeqNum": number, "protocolIdentifier": register.VERSION_7}
    value |= {"rejectReason": (reason, CONTENTS.get(reason, 0)), "gatekeeperIdentifier": "example.com"}
    return kind, value


def release(reason):
    uuie = {"protocolIdentifier": register.VERSION_7, "reason": (reason, 0)}
    uuie["callIdentifier"] = {"guid": bytes(range(16))}
    cause = b"\x08\x02\x80" + bytes([0x80 | CAUSES.get(reason, 31)])
    pdu = {"h323-message-body": ("releaseComplete", uuie), "h245Tunnelling": True}
    return message(0x5A, 0x1234, cause, pdu)


register.align_additions_as_the_standard_says()
for reason in reasons(MESSAGES.RegistrationRejectReason):
    print("RRJ", reason, facility(reject("registrationReject", 65535, reason)).hex())
for reason in reasons(MESSAGES.GatekeeperRejectReason):
    print("GRJ", reason, facility(reject("gatekeeperReject", 256, reason)).hex())
for reason in reasons(MESSAGES.ReleaseCompleteReason):
    if reason not in NOT_BUILT:
        print("ReleaseComplete", reason, release(reason).hex())
bundle = [reject("gatekeeperReject", 1, "terminalExcluded")]
bundle += [reject("registrationReject", number, "securityDenial") for number in (2, 3)]
print("bundle", "of-three", facility(*bundle).hex())
