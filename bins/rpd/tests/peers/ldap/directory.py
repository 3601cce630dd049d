"""A directory that knows users as domain\\user, as the directories of PBXs do, and names itself in every answer.

    directory.py NAME PORT TLSPORT CERTIFICATE KEY USER=PASSWORD...

It takes simple binds, searches and "Who am I?" (RFC 4532), one at a time on each connection, and says every
bind on its standard output. For tests on loopback: it checks nothing that the tests do not need checked.

Users that misbehave, by what stands behind the backslash; none of them needs a password:

    code-N    the bind ends with the result N         split     success, and from now on octet by octet
    drop      no answer, but the end                  longlen   success, all lengths in five octets
    nod       a Notice of Disconnection, and the end  slow      success, after half a second
    interm    an intermediate response, then success  referral  the bind is referred to another server
    wrongid   an answer to nothing, then the right one

and searches, by their base: cn=big has an entry of 200 kB, cn=many 5,000 entries; cn=half ends in the middle of
an entry, cn=never without an answer, and both are said on the standard output.
"""

import socketserver
import ssl
import sys
import threading
import time

BIND, UNBIND, SEARCH, EXTENDED = 0x60, 0x42, 0x63, 0x77
UNAVAILABLE = 52
NOTICE = b"1.3.6.1.4.1.1466.20036"
SUCCESS, PROTOCOL_ERROR, REFERRAL, INVALID_CREDENTIALS, INSUFFICIENT_ACCESS = 0, 2, 10, 49, 50
WHO_AM_I = b"1.3.6.1.4.1.4203.1.11.3"


def element(tag, *contents):
    """One BER element around others; numbers become INTEGER contents, text becomes octets."""
    content = b"".join(part if isinstance(part, bytes) else str(part).encode() for part in contents)
    count = len(content)
    length = bytes([count]) if count < 0x80 else b"\x83" + count.to_bytes(3, "big")
    return bytes([tag]) + length + content


def number(value, tag=0x02):
    return element(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def result(tag, code, text, *more):
    """An LDAPResult (RFC 4511 4.1.9) with what stands behind its text."""
    return element(tag, number(code, 0x0A), element(0x04), element(0x04, text), *more)


def elements(content):
    """The tags and contents of the BER elements that `content` is made of."""
    found, at = [], 0
    while at < len(content):
        tag, length, at = content[at], content[at + 1], at + 2
        if length & 0x80:
            octets = length & 0x7F
            length, at = int.from_bytes(content[at : at + octets], "big"), at + octets
        found.append((tag, content[at : at + length]))
        at += length
    return found


def read_message(stream):
    """The contents of the next LDAPMessage; nothing at the end."""
    head = stream.read(2)
    if len(head) < 2 or head[0] != 0x30:
        return None
    length = head[1]
    if length & 0x80:
        length = int.from_bytes(stream.read(length & 0x7F), "big")
    content = stream.read(length)
    return content if len(content) == length else None


def entry(dn, *value):
    attribute = element(0x30, element(0x04, "description"), element(0x31, *(element(0x04, part) for part in value)))
    return element(0x64, element(0x04, dn), element(0x30, attribute))


def lengthened(message):
    """The same message, with every length in five octets, as Active Directory writes them."""
    longer = b""
    for tag, content in elements(message):
        content = lengthened(content) if tag & 0x20 else content
        longer += bytes([tag, 0x84]) + len(content).to_bytes(4, "big") + content
    return longer


class Session(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    user = None
    split = False

    def setup(self):
        if self.server.tls:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self):
        while content := read_message(self.rfile):
            (_, self.message_id), (operation, request) = elements(content)[:2]
            if operation == UNBIND:
                return
            for answer in self.answers(operation, request):
                if answer is None:
                    return
                self.send(element(0x30, element(0x02, self.message_id), answer))

    def send(self, octets):
        for at in range(len(octets) if self.split else 1):
            self.wfile.write(octets[at : at + 1] if self.split else octets)

    def answers(self, operation, request):
        if operation == BIND:
            return self.bind(request)
        if operation == SEARCH:
            return self.search(request)
        if operation == EXTENDED and elements(request)[0][1] == WHO_AM_I:
            identity = f"u:{self.user} at {NAME}" if self.user else ""
            return [result(0x78, SUCCESS, "", element(0x8B, identity))]
        return [result(0x78, PROTOCOL_ERROR, NAME)]

    def bind(self, request):
        (_, _), (_, name), (method, password) = elements(request)
        name = name.decode()
        # 0x80: simple (RFC 4511 4.2).
        right = method == 0x80 and USERS.get(name.lower()) == password.decode()
        misbehaves = name.partition("\\")[2]
        word, _, number = misbehaves.partition("-")
        fault = getattr(self, "bind_" + word, None)
        transport = "tls" if self.server.tls else "tcp"
        print(f"{NAME} {transport} bind {name} {'right' if right or fault else 'wrong'}", flush=True)
        self.user = name if right or fault else None
        if fault:
            return fault(number)
        return [result(0x61, SUCCESS, "") if right else result(0x61, INVALID_CREDENTIALS, f"{NAME} says so")]

    def bind_code(self, number):
        return [result(0x61, int(number), "")]

    def bind_drop(self, _):
        return [None]

    def bind_nod(self, _):
        self.message_id = bytes([0])
        return [result(0x78, UNAVAILABLE, "", element(0x8A, NOTICE)), None]

    def bind_interm(self, _):
        return [element(0x79, element(0x80, "1.3.6.1.4.1.4203.1.9.1.4")), result(0x61, SUCCESS, "")]

    def bind_referral(self, _):
        # 0xA3: referral (RFC 4511 4.1.10).
        return [result(0x61, REFERRAL, "", element(0xA3, element(0x04, "ldap://elsewhere.example.com/")))]

    def bind_wrongid(self, _):
        self.send(element(0x30, number(4711), result(0x61, INVALID_CREDENTIALS, "")))
        return [result(0x61, SUCCESS, "")]

    def bind_slow(self, _):
        time.sleep(0.5)
        return [result(0x61, SUCCESS, "")]

    def bind_split(self, _):
        self.split = True
        return [result(0x61, SUCCESS, "")]

    def bind_longlen(self, _):
        self.send(lengthened(element(0x30, element(0x02, self.message_id), result(0x61, SUCCESS, ""))))
        return []

    def search(self, request):
        if not self.user:
            return [result(0x65, INSUFFICIENT_ACCESS, NAME)]
        base = elements(request)[0][1].decode()
        done = result(0x65, SUCCESS, "")
        if base == "cn=many":
            return [*(entry(f"cn={at},{base}", "one of many") for at in range(5000)), done]
        if base == "cn=big":
            return [entry(base, "x" * 200_000), done]
        if base == "cn=half":
            whole = element(0x30, element(0x02, self.message_id), entry(base, "x" * 200_000))
            self.send(whole[:100_000])
        if base in ("cn=half", "cn=never"):
            print(f"{NAME} {base}", flush=True)
            return []
        return [entry(base, f"kept by {NAME}"), done]


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port, tls):
        super().__init__(("127.0.0.1", port), Session)
        self.tls = tls

    def handle_error(self, request, client_address):
        # Who only looks whether somebody listens goes away without a handshake.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


NAME, PORT, TLS_PORT, CERTIFICATE, KEY = sys.argv[1:6]
USERS = {user.lower(): password for user, _, password in (entry.partition("=") for entry in sys.argv[6:])}
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CONTEXT.load_cert_chain(CERTIFICATE, KEY)

threading.Thread(target=Server(int(PORT), None).serve_forever, daemon=True).start()
Server(int(TLS_PORT), CONTEXT).serve_forever()
