# SPDX-License-Identifier: Apache-2.0
"""A vendor's model that follows a script, for agents that speak OpenAI's Responses, OpenAI's Chat Completions or Anthropic's Messages.

It keeps nothing between requests: how many results of tools a request carries says which turn is next, and the newest result must fit that
turn, or the agent gets an error and fails. A vendor is {key, turns, aside}. A turn is {seen, say, call: {tool, args}, usage, held}; `aside`
answers what comes without tools (a title). `usage` is {input, cached, write, output}: what was read anew, from a cache, into a cache. A turn
that is `held` is answered when the file of that name is in the world's place.
"""
import json
import os
import re
import time


def answer(web, vendor, body, place, log):
    key = web.headers.get('x-api-key') or re.sub(r'^Bearer ', '', web.headers.get('authorization') or '')
    # For the test's eyes: which key came is what it is about.
    noted = {'key': key, 'key_in_body': vendor['key'].encode() in body}

    def refuse(status, kind, message):
        said = {'type': 'error', 'error': {'type': kind, 'code': kind, 'message': message}}
        web.send(status, json.dumps(said).encode(), 'application/json', problem=message, **noted)

    if key != vendor['key']:
        return refuse(401, 'authentication_error', 'invalid API key')
    api = next((api for end, api in APIS.items() if web.path.split('?')[0].endswith(end)), None)
    if api is None or web.command != 'POST':
        return refuse(404, 'not_found_error', f'not scripted: {web.command} {web.path}')
    asked = json.loads(body)
    noted.update(model=asked.get('model'), bytes=len(body))
    offered, results = api.read(asked)
    if not offered:
        turn, n = vendor['aside'], 'aside'
    elif len(results) < len(vendor['turns']):
        turn, n = vendor['turns'][len(results)], len(results)
    else:
        return refuse(400, 'invalid_request_error', f'no turn {len(results)}')
    if turn.get('seen') is not None and not re.search(turn['seen'], results[-1], re.S):
        return refuse(400, 'invalid_request_error', f'turn {n}: not {turn["seen"]}: {results[-1][:2000]}')
    call = turn.get('call')
    tool = None if call is None else next((tool for tool in offered if tool['name'] == call['tool']), None)
    if call is not None and tool is None:
        return refuse(400, 'invalid_request_error', f'turn {n}: {call["tool"]} is not offered, but {[tool["name"] for tool in offered]}')
    noted.update(turn=n, usage=turn['usage'])
    if turn.get('held') is not None:
        log(host=web.host, holds=turn['held'])
        while not os.path.exists(os.path.join(place, turn['held'])):
            time.sleep(0.2)
    whole, events = api.answer(asked['model'], str(n), turn, tool)
    if not asked.get('stream'):
        return web.send(200, json.dumps(whole).encode(), 'application/json', **noted)
    text = ''.join((f'event: {name}\n' if name else '') + f'data: {data if isinstance(data, str) else json.dumps(data)}\n\n' for name, data in events)
    web.send(200, text.encode(), 'text/event-stream', **noted)


def text_of(content):
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return '\n'.join(text_of(part.get('text', part.get('content', ''))) if isinstance(part, dict) else str(part) for part in content)
    return json.dumps(content)


def inclusive(usage):
    """OpenAI counts what came from a cache among what was read."""
    return usage['input'] + usage.get('cached', 0)


class Responses:
    @staticmethod
    def read(asked):
        tools = [{'name': tool.get('name', tool['type']), 'free': tool['type'] == 'custom'} for tool in asked.get('tools', []) if tool['type'] != 'namespace']
        return tools, [text_of(item['output']) for item in asked['input'] if item.get('type', '').endswith('_call_output')]

    @staticmethod
    def answer(name, n, turn, tool):
        items = [{'type': 'message', 'id': f'msg_{n}', 'role': 'assistant', 'status': 'completed', 'content': [{'type': 'output_text', 'text': turn['say'], 'annotations': []}]}]
        if tool is not None:
            args = turn['call']['args']
            given = {'type': 'custom_tool_call', 'input': args} if tool['free'] else {'type': 'function_call', 'arguments': json.dumps(args)}
            items.append({**given, 'id': f'item_{n}', 'call_id': f'call_{n}', 'status': 'completed', 'name': tool['name']})
        usage = turn['usage']
        read, out = inclusive(usage), usage['output']
        counted = {'input_tokens': read, 'input_tokens_details': {'cached_tokens': usage.get('cached', 0)}, 'output_tokens': out, 'output_tokens_details': {'reasoning_tokens': 0}, 'total_tokens': read + out}

        def response(status, output, counts):
            return {'id': f'resp_{n}', 'object': 'response', 'created_at': 0, 'status': status, 'model': name, 'output': output, 'usage': counts}
        events = [{'type': 'response.created', 'response': response('in_progress', [], None)}]
        for at, item in enumerate(items):
            events.append({'type': 'response.output_item.added', 'output_index': at, 'item': {**item, 'status': 'in_progress'}})
            events.append({'type': 'response.output_item.done', 'output_index': at, 'item': item})
        events.append({'type': 'response.completed', 'response': response('completed', items, counted)})
        return response('completed', items, counted), [(event['type'], {**event, 'sequence_number': at}) for at, event in enumerate(events)]


class Chat:
    @staticmethod
    def read(asked):
        tools = [{'name': tool['function']['name']} for tool in asked.get('tools', [])]
        return tools, [text_of(message['content']) for message in asked['messages'] if message['role'] == 'tool']

    @staticmethod
    def answer(name, n, turn, tool):
        usage = turn['usage']
        read, out = inclusive(usage), usage['output']
        counted = {'prompt_tokens': read, 'completion_tokens': out, 'total_tokens': read + out, 'prompt_tokens_details': {'cached_tokens': usage.get('cached', 0)}}
        calls = [] if tool is None else [{'index': 0, 'id': f'call_{n}', 'type': 'function', 'function': {'name': tool['name'], 'arguments': json.dumps(turn['call']['args'])}}]
        end = 'tool_calls' if calls else 'stop'
        base = {'id': f'chatcmpl-{n}', 'created': 0, 'model': name}

        def chunk(**more):
            return None, {**base, 'object': 'chat.completion.chunk', 'choices': [], **more}

        def choice(delta, finish=None):
            return chunk(choices=[{'index': 0, 'delta': delta, 'finish_reason': finish}])
        events = [choice({'role': 'assistant', 'content': turn['say']}), *[choice({'tool_calls': [call]}) for call in calls], choice({}, end), chunk(usage=counted), (None, '[DONE]')]
        message = {'role': 'assistant', 'content': turn['say'], **({'tool_calls': calls} if calls else {})}
        return {**base, 'object': 'chat.completion', 'usage': counted, 'choices': [{'index': 0, 'finish_reason': end, 'message': message}]}, events


class Messages:
    @staticmethod
    def read(asked):
        parts = [part for message in asked['messages'] if isinstance(message['content'], list) for part in message['content']]
        return [{'name': tool['name']} for tool in asked.get('tools', [])], [text_of(part.get('content')) for part in parts if part['type'] == 'tool_result']

    @staticmethod
    def answer(name, n, turn, tool):
        usage = turn['usage']
        counted = {'input_tokens': usage['input'], 'cache_read_input_tokens': usage.get('cached', 0), 'cache_creation_input_tokens': usage.get('write', 0)}
        content = [{'type': 'text', 'text': turn['say']}]
        if tool is not None:
            content.append({'type': 'tool_use', 'id': f'call_{n}', 'name': tool['name'], 'input': turn['call']['args']})
        stop = 'end_turn' if tool is None else 'tool_use'
        whole = {'id': f'msg_{n}', 'type': 'message', 'role': 'assistant', 'model': name, 'content': content, 'stop_reason': stop, 'stop_sequence': None, 'usage': {**counted, 'output_tokens': usage['output']}}
        events = [{'type': 'message_start', 'message': {**whole, 'content': [], 'stop_reason': None, 'usage': {**counted, 'output_tokens': 1}}}]
        for at, block in enumerate(content):
            is_text = block['type'] == 'text'
            delta = {'type': 'text_delta', 'text': block['text']} if is_text else {'type': 'input_json_delta', 'partial_json': json.dumps(block['input'])}
            events += [
                {'type': 'content_block_start', 'index': at, 'content_block': {'type': 'text', 'text': ''} if is_text else {**block, 'input': {}}},
                {'type': 'content_block_delta', 'index': at, 'delta': delta},
                {'type': 'content_block_stop', 'index': at},
            ]
        events += [{'type': 'message_delta', 'delta': {'stop_reason': stop, 'stop_sequence': None}, 'usage': {'output_tokens': usage['output']}}, {'type': 'message_stop'}]
        return whole, [(event['type'], event) for event in events]


APIS = {'/responses': Responses, '/chat/completions': Chat, '/v1/messages': Messages}
