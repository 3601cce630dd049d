"""A directory that knows users as domain\\user, as the directories of PBXs do, and names itself in every answer.

    directory.py NAME PORT TLSPORT CERTIFICATE KEY USER=PASSWORD...

It takes simple binds, searches and "Who am I?" (RFC 4532), one at a time on each connection, and says every
bind on its standard output. For tests on loopback: it checks nothing that the tests do not need checked.
"""

import socketserver
import ssl
import sys
import threading

BIND, UNBIND, SEARCH, EXTENDED = 0x60, 0x42, 0x63, 0x77
SUCCESS, PROTOCOL_ERROR, INVALID_CREDENTIALS, INSUFFICIENT_ACCESS = 0, 2, 49, 50
WHO_AM_I = b"1.3.6.1.4.1.4203.1.11.3"


def element(tag, *contents):
    """One BER element around others; numbers become INTEGER contents, text becomes octets."""
    content = b"".join(part if isinstance(part, bytes) else str(part).encode() for part in contents)
    count = len(content)
    length = bytes([count]) if count < 0x80 else b"\x82" + count.to_bytes(2, "big")
    return bytes([tag]) + length + content


def number(value, tag=0x02):
    return element(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def result(tag, code, text, *more):
    """An LDAPResult (RFC 4511 4.1.9) with what a response has behind it."""
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


class Session(socketserver.StreamRequestHandler):
    user = None

    def setup(self):
        if self.server.tls:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self):
        while content := read_message(self.rfile):
            (_, message_id), (operation, request) = elements(content)[:2]
            if operation == UNBIND:
                return
            for answer in self.answers(operation, request):
                self.wfile.write(element(0x30, element(0x02, message_id), answer))

    def answers(self, operation, request):
        if operation == BIND:
            return [self.bind(request)]
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
        self.user = name if right else None
        transport = "tls" if self.server.tls else "tcp"
        print(f"{NAME} {transport} bind {name} {'right' if right else 'wrong'}", flush=True)
        return result(0x61, SUCCESS, "") if right else result(0x61, INVALID_CREDENTIALS, f"{NAME} says so")

    def search(self, request):
        if not self.user:
            return [result(0x65, INSUFFICIENT_ACCESS, NAME)]
        base = elements(request)[0][1]
        attribute = element(0x30, element(0x04, "description"), element(0x31, element(0x04, f"kept by {NAME}")))
        return [element(0x64, element(0x04, base), element(0x30, attribute)), result(0x65, SUCCESS, "")]


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
