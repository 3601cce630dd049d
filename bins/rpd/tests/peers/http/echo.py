"""A web server with one page, whose script talks to a WebSocket that echoes; it prints what the page reports.

echo.py PORT CERTIFICATE KEY   (Debian package python3-websockets)
"""
import asyncio, http, ssl, sys, urllib.parse

import websockets

PAGE = b"""<!doctype html><title>echo</title><script>
const socket = new WebSocket("wss://" + location.host + "/PBX0/WEBSOCKET");
const report = text => fetch("/PBX0/APPS/report?" + encodeURIComponent(text));
const large = "x".repeat(300000);
socket.onopen = () => socket.send("from the page");
socket.onmessage = event => {
    if (event.data === "echo: from the page") {
        report("small " + event.data);
        socket.send(large);
    } else {
        report("large " + (event.data === "echo: " + large));
        socket.close(1000);
    }
};
socket.onclose = event => report("closed " + event.code);
</script>"""


async def process(path, headers):
    if path == "/PBX0/WEBSOCKET":
        return None
    if path.startswith("/PBX0/APPS/report?"):
        print("the page says:", urllib.parse.unquote(path.split("?", 1)[1]), "by", headers["X-Forwarded-Proto"], flush=True)
        return http.HTTPStatus.OK, [], b""
    return http.HTTPStatus.OK, [("Content-Type", "text/html")], PAGE


async def echo(socket):
    async for message in socket:
        await socket.send("echo: " + message)


async def main():
    port, certificate, key = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with websockets.serve(echo, "127.0.0.1", int(port), ssl=context, process_request=process):
        await asyncio.Future()


asyncio.run(main())
