# SPDX-License-Identifier: Apache-2.0
"""An agent of your own: an MCP client that starts `holdfast mcp`, as any client does, and asks through it for everything it does."""
import json
import subprocess
import sys

# Its own name, from agent.yaml. Another's door is not there to be opened.
door = subprocess.Popen(['/usr/lib/holdfast/bin/holdfast', 'mcp', '--agent', sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
count = 0


def send(message):
    door.stdin.write(json.dumps({'jsonrpc': '2.0', **message}) + '\n')
    door.stdin.flush()


def ask(method, params):
    global count
    count += 1
    send({'id': count, 'method': method, 'params': params})
    for line in door.stdout:
        answer = json.loads(line)
        if answer.get('id') == count:
            return answer['result']
    raise ConnectionError('the door was closed')


def call(tool, **arguments):
    result = ask('tools/call', {'name': tool, 'arguments': arguments})
    text = '\n'.join(part['text'] for part in result['content'])
    print(f'{tool}: {text}', flush=True)
    return not result.get('isError', False)


ask('initialize', {'protocolVersion': '2025-11-25', 'capabilities': {}, 'clientInfo': {'name': 'python-mcp', 'version': '1'}})
send({'method': 'notifications/initialized'})
print('tools:', *(tool['name'] for tool in ask('tools/list', {})['tools']), flush=True)

# Your work begins here. What was refused says what is missing, and who can give it.
call('fs.write', path='/workspace/hello.txt', text='from an image of my own\n')
call('fs.read', path='/workspace/hello.txt')
call('fs.read', path='/etc/hostname')
print('done', flush=True)
