# SPDX-License-Identifier: Apache-2.0
"""The model's address in a network namespace that reaches nothing else: each request goes out as a JSON line, and its answer comes in as one."""
import base64
import http.server
import json
import sys
import threading

waiting = {}
turn = threading.Lock()
count = 0


class Relay(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global count
        body = self.rfile.read(int(self.headers.get('content-length', 0)))
        answer = {'came': threading.Event()}
        with turn:
            count += 1
            waiting[count] = answer
            question = {'id': count, 'path': self.path, 'key': self.headers.get('authorization', ''), 'body': base64.b64encode(body).decode()}
            print(json.dumps(question), flush=True)
        answer['came'].wait()
        self.send_response(answer['status'])
        self.send_header('content-type', answer['type'])
        self.end_headers()
        self.wfile.write(base64.b64decode(answer['body']))

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Relay)
threading.Thread(target=server.serve_forever, daemon=True).start()
print('{"id":0}', flush=True)
for line in sys.stdin:
    said = json.loads(line)
    answer = waiting.pop(said['id'])
    answer.update(said)
    answer['came'].set()
