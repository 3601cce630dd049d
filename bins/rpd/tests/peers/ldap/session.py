"""One connection of Python's ldap3 through the proxy: good, bad and good binds, and then the other directory.

    session.py URL CA START_TLS

Says what each bind and search came to, a line each.
"""

import ssl
import sys

from ldap3 import NONE, SUBTREE, Connection, Server, Tls

URL, CA, START_TLS = sys.argv[1:4]

server = Server(URL, get_info=NONE, tls=Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=CA))
connection = Connection(server, "hq.example.com\\ldap-guest", "guest-pw", raise_exceptions=False)
connection.open()
if START_TLS == "yes":
    print("tls", connection.start_tls())
socket = connection.socket

for name, password in [
    ("hq.example.com\\ldap-guest", "guest-pw"),
    ("hq.example.com\\ldap-guest", "wrong"),
    ("hq.example.com\\ldap-guest", "guest-pw"),
    ("branch.example.com\\ldap-guest", "guest-pw"),
    ("other.example.com\\ldap-guest", "guest-pw"),
    ("hq.example.com\\ldap-guest", "guest-pw"),
]:
    connection.rebind(name, password)
    code = connection.result["result"]
    connection.search("dc=anywhere", "(cn=*)", SUBTREE, attributes=["description"])
    found = [value for entry in connection.entries for value in entry.description.values]
    print(code, connection.result["result"], *found)

print("one connection", connection.socket is socket)
connection.unbind()
