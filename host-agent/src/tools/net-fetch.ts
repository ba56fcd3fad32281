// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import type { JsonObject } from '../ledger/entry.ts';
import { byteLength, plainText } from './arguments.ts';
import { parseBase64, toBase64 } from './base64.ts';
import { encodeOutput } from './output.ts';
import { readSeen } from './seen.ts';
import type { Tool } from './tool.ts';
import { readWebAddress } from './web-address.ts';

/** Request and response each travel in one line of at most 1 MiB, as base64. */
const MOST_BODY = 256 * 1024;
const MOST_SHOWN = 192 * 1024;
const MOST_HEADERS = 64;

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
/** They say how a message travels, or whose it is: that is holdfast-egress's to say (RFC 9110, 7.6.1; F08). */
const NOT_YOURS = /^(?:host|connection|content-length|transfer-encoding|te|trailer|upgrade|keep-alive|expect|proxy-.*)$/;

const headers = z
  .record(z.string().regex(/^[a-z0-9!#$&^_.+-]{1,64}$/, 'must be a header in small letters'), z.string().max(4096).regex(/^[\x20-\x7e]*$/, 'must be printable ASCII'))
  .superRefine((given, context) => {
    const names = Object.keys(given);
    if (names.length > MOST_HEADERS) context.addIssue({ code: 'custom', message: `must be at most ${MOST_HEADERS}` });
    const odd = names.find((name) => NOT_YOURS.test(name));
    if (odd !== undefined) context.addIssue({ code: 'custom', message: `${odd} is set by Holdfast` });
  });

const input = z
  .strictObject({
    url: z.string().min(1).max(8192).describe('https://HOST/PATH, or http:// on port 80. Nothing is followed from there: a redirect is an answer.'),
    method: z.enum(METHODS).optional().describe('GET if left out.'),
    headers: headers.optional().describe('Headers in small letters. No secret is put into them, and no placeholder replaced.'),
    body: plainText(MOST_BODY).optional().describe('Text that is sent as it is; say its content-type in headers.'),
  })
  .transform(({ url, method, headers: given, body }, context) => {
    const address = readWebAddress(url);
    if (!address.ok) {
      context.addIssue({ code: 'custom', path: ['url'], message: address.error });
      return z.NEVER;
    }
    if (body !== undefined && (method === undefined || method === 'GET' || method === 'HEAD')) {
      context.addIssue({ code: 'custom', path: ['body'], message: `does not go with ${method ?? 'GET'}` });
      return z.NEVER;
    }
    return { ...address.value, method: method ?? 'GET', headers: given ?? {}, body: body ?? null };
  });

type Args = z.infer<typeof input>;

/** What holdfastd hands on of holdfast-egress's answer (effects/egress-fetch-client.ts). */
export const seenFetch = z.strictObject({
  status: z.int().min(100).max(999),
  headers: z.array(z.tuple([z.string(), z.string()])),
  body: z.string(),
  truncated: z.boolean(),
  sent: z.int().min(0),
  received: z.int().min(0),
});

export const netFetch: Tool<Args> = {
  name: 'net.fetch',
  title: 'Make one HTTP request',
  description: `Makes one HTTP request and answers with status, headers and body. Redirects are not followed: ask for their location anew.
What it sends may change things elsewhere, and CANNOT BE UNDONE from here. No secret is used; programs of yours with a placeholder go through the proxy.
Needs the capability net:connect:HOST:PORT. A request counts toward your quota of requests and bytes.`,
  input,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  needs: ['net:connect:{host}:{port}'],
  recorded: ({ method, scheme, host, port, shown, headers: given, body }) => ({
    method, scheme, host, port, path: shown, headers: Object.keys(given), body_bytes: body === null ? null : byteLength(body),
  }),
  action: ({ method, scheme, host, port, path, shown, headers: given, body }) => ({
    runs: 'fetch',
    request: {
      method, scheme, host, port: Number(port), path, shown,
      headers: Object.entries(given),
      body: body === null ? null : toBase64(new TextEncoder().encode(body)),
    },
  }),
  reply: ({ method, host, port, shown }, result) => {
    const { status, headers: got, body, truncated } = readSeen('net.fetch', seenFetch, result);
    const bytes = parseBase64(body);
    if (!bytes.ok) throw new Error('the body of an answer is not base64');
    const { encoding, content, missing } = encodeOutput(bytes.value, 0, MOST_SHOWN);
    const cut = missing > 0 || truncated ? '\n[cut: more was sent than fits here]' : '';
    const data: JsonObject = { status, headers: got.map(([name, value]) => [name, value]), encoding, body: content, truncated: truncated || missing > 0 };
    const text = `${method} ${host}:${port}${shown} answered ${status}${encoding === 'base64' ? ', base64' : ''}:\n${content}${cut}`;
    return { text, data, isError: status >= 400 };
  },
};
