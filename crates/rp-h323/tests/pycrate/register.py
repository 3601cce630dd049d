#!/usr/bin/env python3
"""Registers at a gatekeeper over H.460.17, with pycrate 0.8.1 as encoder and decoder. See README.md."""

import argparse
import inspect
import socket
import ssl
import struct
import sys
import textwrap

from pycrate_asn1dir import H225
from pycrate_asn1rt import asnobj_construct

MESSAGES = H225.H323_MESSAGES
FACILITY = 0x62
VERSION_7 = (0, 0, 8, 2250, 0, 7)
TERMINAL = {"terminal": {}, "mc": False, "undefinedNode": False}
VENDOR = {"vendor": {"t35CountryCode": 0, "t35Extension": 0, "manufacturerCode": 0}, "productId": b"register.py"}
NO_ADDRESS = ("ipAddress", {"ip": bytes(4), "port": 0})


def align_additions_as_the_standard_says():
    """An addition is an open type: where its contents start does not depend on the bits before it. pycrate
    encodes them while its bit offset still points into the root, and pads too much. So the offset is set to
    an octet boundary for the contents, and put back for the bitmap that stands before them."""
    cured = 0
    for cls in vars(asnobj_construct).values():
        method = vars(cls).get("_to_per") if isinstance(cls, type) else None
        source = textwrap.dedent(inspect.getsource(method)) if method else ""
        if "_gen_ext, Bm, cnt = [], [], 1" not in source:
            continue
        for mark, before, after in (
            ("_gen_ext, Bm, cnt = [], [], 1", "offset_ = ASN1CodecPER._off[-1]; ASN1CodecPER._off[-1] = 0; ", ""),
            ("if not Bm:", "contents_ = ASN1CodecPER._off[-1]; ASN1CodecPER._off[-1] = offset_\n{indent}", ""),
            ("GEN.extend(_gen_ext)", "", "; ASN1CodecPER._off[-1] += contents_"),
        ):
            lines = [line for line in source.splitlines() if line.strip().startswith(mark)]
            if len(lines) != 1:
                sys.exit("pycrate is not version 0.8.1")
            indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
            new = before.format(indent=indent) + mark + after
            source = source.replace(lines[0], lines[0].replace(mark, new, 1))
        scope = {}
        exec(compile(source, "pycrate, corrected", "exec"), vars(asnobj_construct), scope)
        cls._to_per = scope["_to_per"]
        cured += 1
    if not cured:
        sys.exit("pycrate is not version 0.8.1")


def encode(kind, value):
    kind.set_val(value)
    return kind.to_aper()


def alias(text):
    is_number = all(c in "0123456789#*," for c in text)
    return ("dialledDigits" if is_number else "h323-ID", text)


def request(arguments):
    """The RasMessage that the arguments ask for."""
    value = {"requestSeqNum": arguments.seq, "protocolIdentifier": VERSION_7, "supportsAssignedGK": False}
    if arguments.gatekeeper_id is not None:
        value["gatekeeperIdentifier"] = arguments.gatekeeper_id
    aliases = [alias(text) for text in arguments.alias]
    if arguments.grq:
        value |= {"rasAddress": NO_ADDRESS, "endpointType": TERMINAL}
        if aliases:
            value["endpointAlias"] = aliases
        return ("gatekeeperRequest", value)
    value |= {
        "discoveryComplete": False,
        "callSignalAddress": [],
        "rasAddress": [],
        "terminalType": TERMINAL,
        "endpointVendor": VENDOR,
        "timeToLive": arguments.time_to_live,
        "keepAlive": arguments.keep_alive is not None,
        "willSupplyUUIEs": False,
        "maintainConnection": True,
    }
    if aliases:
        value["terminalAlias"] = aliases
    if arguments.keep_alive is not None:
        value["endpointIdentifier"] = arguments.keep_alive
    return ("registrationRequest", value)


def frame(ras):
    """H.460.17: the RasMessage as parameter 1 of generic data 17, in a Facility of call reference 0."""
    parameter = {"id": ("standard", 1), "content": ("raw", encode(MESSAGES.RasMessage, ras))}
    data = {"id": ("standard", 17), "parameters": [parameter]}
    pdu = {"h323-message-body": ("empty", 0), "h245Tunnelling": True, "genericData": [data]}
    contents = encode(MESSAGES.H323_UserInformation, {"h323-uu-pdu": pdu})
    element = b"\x7e" + struct.pack(">H", len(contents) + 1) + b"\x05" + contents
    message = b"\x08\x02\x00\x00" + bytes([FACILITY]) + element
    return b"\x03\x00" + struct.pack(">H", len(message) + 4) + message


def exactly(stream, count):
    octets = b""
    while len(octets) < count:
        more = stream.recv(count - len(octets))
        if not more:
            sys.exit("closed without an answer")
        octets += more
    return octets


def ras_messages(message):
    """The decoded RAS messages in a Q.931 message."""
    if len(message) < 5 or message[4] != FACILITY:
        return
    rest = message[5:]
    while rest:
        if rest[0] & 0x80:
            rest = rest[1:]
        elif rest[0] == 0x7E:
            length = struct.unpack(">H", rest[1:3])[0]
            MESSAGES.H323_UserInformation.from_aper(rest[4 : 3 + length])
            pdu = MESSAGES.H323_UserInformation.get_val()["h323-uu-pdu"]
            for data in pdu.get("genericData", []):
                for parameter in data.get("parameters", []) if data["id"] == ("standard", 17) else []:
                    if parameter["id"] == ("standard", 1):
                        MESSAGES.RasMessage.from_aper(parameter["content"][1])
                        yield MESSAGES.RasMessage.get_val()
            rest = rest[3 + length :]
        else:
            rest = rest[2 + rest[1] :]


def answer(stream):
    """The first answer to a request: its kind and its fields."""
    while True:
        head = exactly(stream, 4)
        message = exactly(stream, struct.unpack(">H", head[2:4])[0] - 4)
        for kind, value in ras_messages(message):
            return kind, value


def connect(arguments):
    stream = socket.create_connection((arguments.host, arguments.port), arguments.timeout)
    if not arguments.tls:
        return stream
    context = ssl.create_default_context()
    if arguments.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if arguments.certificate:
        context.load_cert_chain(arguments.certificate, arguments.key)
    return context.wrap_socket(stream, server_hostname=arguments.host)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", help="where to send it; without, the frame is printed as hex")
    parser.add_argument("--port", type=int, default=1720)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--insecure", action="store_true", help="take any certificate of the server")
    parser.add_argument("--certificate", help="PEM file that is shown to the server")
    parser.add_argument("--key", help="PEM file with its key")
    parser.add_argument("--gatekeeper-id")
    parser.add_argument("--alias", action="append", default=[])
    parser.add_argument("--seq", type=int, default=1)
    parser.add_argument("--time-to-live", type=int, default=300)
    parser.add_argument("--keep-alive", metavar="ENDPOINT", help="only refresh the registration of this endpoint")
    parser.add_argument("--grq", action="store_true", help="look for the gatekeeper instead of registering")
    parser.add_argument("--timeout", type=float, default=10)
    arguments = parser.parse_args()

    align_additions_as_the_standard_says()
    octets = frame(request(arguments))
    if arguments.host is None:
        print(octets.hex())
        return 0
    try:
        with connect(arguments) as stream:
            stream.sendall(octets)
            kind, value = answer(stream)
    except OSError as error:
        print(error)
        return 1
    for field in ("requestSeqNum", "gatekeeperIdentifier", "endpointIdentifier", "timeToLive", "rejectReason"):
        if field in value:
            text = value[field][0] if field == "rejectReason" else value[field]
            kind += f" {field}={text}"
    print(kind)
    repeated = value.get("requestSeqNum") == arguments.seq
    return 0 if repeated and kind.split()[0] in ("gatekeeperConfirm", "registrationConfirm") else 1


if __name__ == "__main__":
    sys.exit(main())
