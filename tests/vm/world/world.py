# SPDX-License-Identifier: Apache-2.0
"""A small internet at the other end of one wire: a name server, web hosts over TLS, and hosts of model vendors (model.py beside it).

python3 -I world.py PLACE, as root in a network namespace of its own. PLACE/world.json says which names there are and what stands behind
each; PLACE/log has a line of JSON for each question that came and each request that was answered.
"""
import base64
import gzip
import http.server
import importlib.util
import json
import os
import socketserver
import ssl
import struct
import sys
import threading
import urllib.parse

PLACE = sys.argv[1]
HERE = os.path.dirname(os.path.abspath(__file__))
# -I leaves the folder of this file out of where modules are looked for.
spec = importlib.util.spec_from_file_location('model', os.path.join(HERE, 'model.py'))
model = importlib.util.module_from_spec(spec)
spec.loader.exec_module(model)

with open(f'{PLACE}/world.json') as said:
    WORLD = json.load(said)
log_file = open(f'{PLACE}/log', 'a', buffering=1)
log_lock = threading.Lock()


def log(**line):
    with log_lock:
        log_file.write(json.dumps(line) + '\n')


class Dns(socketserver.BaseRequestHandler):
    """RFC 1035: one question, answered by the table; every other name is none (NXDOMAIN)."""

    def handle(self):
        question, socket = self.request
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode('latin1'))
            at += question[at] + 1
        name = '.'.join(labels).lower()
        kind, = struct.unpack('!H', question[at + 1:at + 3])
        log(dns=name, type=kind)
        address = WORLD['names'].get(name)
        records = b''
        if address is not None and kind == 1:
            records = b'\xc0\x0c\0\1\0\1\0\0\0\0\0\4' + bytes(int(part) for part in address.split('.'))
        head = question[:2] + (b'\x81\x80' if address else b'\x81\x83') + struct.pack('!HHHH', 1, 1 if records else 0, 0, 0)
        socket.sendto(head + question[12:at + 5] + records, self.client_address)


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    wbufsize = -1

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def send(self, status, body, kind='application/octet-stream', headers={}, **noted):
        log(host=self.host, method=self.command, path=self.path, status=status, agent=self.headers.get('user-agent', ''), **noted)
        self.send_response(status)
        self.send_header('content-type', kind)
        self.send_header('content-length', str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)
        self.wfile.flush()

    def answer(self):
        self.host = (self.headers.get('host') or '').rsplit(':', 1)[0].lower()
        body = self.rfile.read(int(self.headers.get('content-length') or 0)) if self.headers.get('transfer-encoding') is None else self.chunks()
        vendor = WORLD['vendors'].get(self.host)
        if vendor is not None:
            return model.answer(self, vendor, body, PLACE, log)
        if self.host == WORLD.get('echo'):
            return self.echo()
        # What lies there: PLACE/www/HOST/PATH, and of a folder its index.
        parts = [part for part in urllib.parse.unquote(urllib.parse.urlsplit(self.path).path).split('/') if part not in ('', '.', '..')]
        path = os.path.join(PLACE, 'www', self.host, *parts)
        if os.path.isdir(path):
            path = os.path.join(path, next((name for name in ('index.json', 'index.html') if os.path.exists(os.path.join(path, name))), 'index.html'))
        kinds = {'.html': 'text/html', '.json': 'application/json'}
        try:
            with open(path, 'rb') as file:
                self.send(200, file.read(), kinds.get(os.path.splitext(path)[1], 'application/octet-stream'))
        except OSError:
            self.send(404, b'nothing here\n', 'text/plain')

    def echo(self):
        """Gives back what it was shown, as its path says; whoever does that has no secrets, and is not to be trusted with any."""
        key = self.headers.get('authorization') or ''
        value = key.removeprefix('Bearer ').encode()
        forms = {'/base64': lambda: base64.b64encode(b'x' + value), '/hex': lambda: value.hex().encode(), '/url': lambda: urllib.parse.quote(value, safe='').encode(), '/gzip': lambda: gzip.compress(value)}
        headers = {'/header': {'x-echo': key}, '/gzip': {'content-encoding': 'gzip'}}
        self.send(200, b'you sent: ' * (self.path != '/gzip') + forms.get(self.path, lambda: value)(), 'text/plain', headers.get(self.path, {}), key=key)

    def chunks(self):
        body = b''
        while size := int(self.rfile.readline().split(b';')[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body


class Plain(http.server.ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, request, address):
        fault = sys.exc_info()[1]
        if not isinstance(fault, (ConnectionError, ssl.SSLError, TimeoutError)):
            log(fault=repr(fault))


class Tls(Plain):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def finish_request(self, request, address):
        # In the thread of this connection: nobody waits for another's handshake.
        with self.context.wrap_socket(request, server_side=True) as secured:
            self.RequestHandlerClass(secured, address, self)

    def shutdown_request(self, request):
        self.close_request(request)


Tls.context.load_cert_chain(f'{PLACE}/leaf.pem', f'{PLACE}/leaf.key')
Tls.context.set_alpn_protocols(['http/1.1'])


class Names(socketserver.ThreadingUDPServer):
    """Bound to the very address that is asked, for an answer from another is none; before the wire is there (ip(7), IP_FREEBIND)."""

    def server_bind(self):
        self.socket.setsockopt(0, 15, 1)
        super().server_bind()


servers = [Names((WORLD['resolver'], 53), Dns), Plain(('0.0.0.0', 80), Web), Tls(('0.0.0.0', 443), Web)]
for server in servers:
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever).start()
print('ready', flush=True)
