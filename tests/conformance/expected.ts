// SPDX-License-Identifier: Apache-2.0
// What the official conformance suite says of the door, check by check. The suite's own requirement sets name the scenarios.

export type Revision = '2025-11-25' | '2026-07-28';
type Reason = keyof typeof REASONS;
/** The checks that do not succeed, by the reason why they do not apply. None: every check of the scenario succeeds. */
export type Row = { readonly [reason in Reason]?: readonly string[] };

/** `told` is how the suite reports such a check: a check that fails for another cause is not excused. */
export const REASONS = {
  asking: {
    why: 'Questions to the client (sampling, elicitation, roots, input_required). The door never asks its client anything: who may do what is asked of an operator, on another road.',
    told: /no such tool|no such method|Not testable|InputRequiredResult/,
  },
  completion: { why: 'Completion of arguments. There are no prompts and no resource templates to complete.', told: /no such method/ },
  content: { why: 'Images, audio and embedded resources in results. A reply is text, and the same as data; bytes travel as base64 in it.', told: /no such tool/ },
  dialect: {
    why: 'Our schemas leave out `$schema`, because MCP takes JSON Schema 2020-12 as given and a copy of its address in each tool would cost every model its tokens. All other keywords arrive.',
    told: /^\$schema field missing/,
  },
  http: {
    why: 'Rules of the HTTP transport. The product has no HTTP: an agent speaks lines over its own socket or over ssh. The test\'s adapter does not keep them.',
    told: /HTTP|header/i,
  },
  logging: { why: 'Log messages to the client. What happened is in the ledger; 2026-07-28 has removed the method.', told: /no such method/ },
  progress: { why: 'Progress messages, which a server may leave out. A call answers when it has ended.', told: /^No progress notifications received/ },
  prompts: { why: 'Prompts. The door offers tools.', told: /no such method|-32601|^$/ },
  resources: {
    why: 'Resources. The door offers tools: a file is read with fs.read, under a capability.',
    told: /no such method|-32601|data\.uri is undefined|resources\/list failed/,
  },
  suite: { why: 'The suite skips it for every server.', told: /^Skipped/ },
  tasks: {
    why: 'The tasks extension. No call here outlives its connection: it has a deadline and answers before it.',
    told: /no such tool|-32601|-3202|extensions|Not testable|unavailable/,
  },
} as const;

const GREEN: Row = {};

export const EXPECTED: Readonly<Record<Revision, Readonly<Record<string, Row>>>> = {
  '2025-11-25': {
    'completion-complete': { completion: ['completion-complete'] },
    'dns-rebinding-protection': { http: ['localhost-host-rebinding-rejected'] },
    'elicitation-sep1034-defaults': { asking: ['elicitation-sep1034-general'] },
    'elicitation-sep1330-enums': { asking: ['elicitation-sep1330-general'] },
    'json-schema-2020-12': { dialect: ['json-schema-2020-12-$schema'] },
    'logging-set-level': { logging: ['logging-set-level'] },
    ping: GREEN,
    'prompts-get-embedded-resource': { prompts: ['prompts-get-embedded-resource'] },
    'prompts-get-simple': { prompts: ['prompts-get-simple'] },
    'prompts-get-with-args': { prompts: ['prompts-get-with-args'] },
    'prompts-get-with-image': { prompts: ['prompts-get-with-image'] },
    'prompts-list': { prompts: ['prompts-list'] },
    'resources-list': { resources: ['resources-list'] },
    'resources-read-binary': { resources: ['resources-read-binary'] },
    'resources-read-text': { resources: ['resources-read-text'] },
    'resources-subscribe': { resources: ['resources-subscribe'] },
    'resources-templates-read': { resources: ['resources-templates-read'] },
    'resources-unsubscribe': { resources: ['resources-unsubscribe'] },
    'server-initialize': GREEN,
    'server-session-lifecycle': GREEN,
    'server-sse-multiple-streams': GREEN,
    'server-sse-polling': { http: ['server-sse-test-reconnection-tool'] },
    'tools-call-audio': { content: ['tools-call-audio'] },
    'tools-call-elicitation': { asking: ['tools-call-elicitation'] },
    'tools-call-embedded-resource': { content: ['tools-call-embedded-resource'] },
    'tools-call-error': GREEN,
    'tools-call-image': { content: ['tools-call-image'] },
    'tools-call-mixed-content': { content: ['tools-call-mixed-content'] },
    'tools-call-sampling': { asking: ['tools-call-sampling'] },
    'tools-call-simple-text': GREEN,
    'tools-call-with-logging': { logging: ['tools-call-with-logging'] },
    'tools-call-with-progress': { progress: ['tools-call-with-progress'] },
    'tools-list': GREEN,
  },
  '2026-07-28': {
    caching: {
      prompts: ['sep-2549-prompts-list-caching-hints'],
      resources: [
        'sep-2549-resources-list-caching-hints',
        'sep-2549-resources-read-caching-hints',
        'sep-2549-resources-templates-list-caching-hints',
      ],
    },
    'completion-complete': { completion: ['completion-complete'] },
    'dns-rebinding-protection': { http: ['localhost-host-rebinding-rejected'] },
    'http-custom-header-server-validation': {
      http: [
        'sep-2243-server-decode-base64',
        'sep-2243-server-no-xmcp-tool',
        'sep-2243-server-reject-invalid-param-chars',
        'sep-2243-server-reject-param-mismatch',
        'sep-2243-server-validate-param-match',
      ],
    },
    'http-header-validation': { http: ['sep-2243-server-reject-error-code', 'sep-2243-server-reject-invalid-headers'] },
    'input-required-result-basic-elicitation': { asking: ['sep-2322-elicitation-incomplete'] },
    'input-required-result-basic-list-roots': { asking: ['sep-2322-list-roots-incomplete'] },
    'input-required-result-basic-sampling': { asking: ['sep-2322-sampling-incomplete'] },
    'input-required-result-capability-check': { asking: ['sep-2322-respect-client-capabilities'] },
    'input-required-result-ignore-extra-params': { asking: ['sep-2322-ignore-unexpected-params'] },
    'input-required-result-missing-input-response': { asking: ['sep-2322-missing-response-rerequests'] },
    'input-required-result-multi-round': { asking: ['sep-2322-multi-round-r1'] },
    'input-required-result-multiple-input-requests': { asking: ['sep-2322-multiple-inputs-incomplete'] },
    'input-required-result-non-tool-request': { asking: ['sep-2322-non-tool-incomplete'] },
    'input-required-result-request-state': { asking: ['sep-2322-request-state-incomplete'] },
    'input-required-result-result-type': { asking: ['sep-2322-result-type-included'] },
    'input-required-result-tampered-state': { asking: ['sep-2322-reject-tampered-state'] },
    'input-required-result-unsupported-methods': GREEN,
    'input-required-result-validate-input': GREEN,
    'json-schema-2020-12': { dialect: ['json-schema-2020-12-$schema'] },
    'prompts-get-embedded-resource': { prompts: ['prompts-get-embedded-resource'] },
    'prompts-get-simple': { prompts: ['prompts-get-simple'] },
    'prompts-get-with-args': { prompts: ['prompts-get-with-args'] },
    'prompts-get-with-image': { prompts: ['prompts-get-with-image'] },
    'prompts-list': { prompts: ['prompts-list'] },
    'resources-list': { resources: ['resources-list'] },
    'resources-read-binary': { resources: ['resources-read-binary'] },
    'resources-read-text': { resources: ['resources-read-text'] },
    'resources-templates-read': { resources: ['resources-templates-read'] },
    'sep-2164-resource-not-found': { resources: ['sep-2164-data-uri', 'sep-2164-error-code'] },
    'server-sse-multiple-streams': GREEN,
    'server-stateless': {
      asking: ['sep-2575-missing-capability-http-400', 'sep-2575-server-rejects-undeclared-capability'],
      http: ['sep-2575-http-server-header-mismatch-400'],
      prompts: ['sep-2575-server-sends-prompts-list-changed-on-subscription'],
    },
    'tasks-capability-negotiation': {
      tasks: [
        'sep-2663-server-rejects-undeclared-client',
        'sep-2663-tasks-methods-non-declaring',
        'tasks-extension-advertised',
        'tasks-per-request-meta-opt-in',
      ],
    },
    'tasks-dispatch-and-envelope': {
      tasks: [
        'sep-2663-durable-create-strong-consistency',
        'sep-2663-legacy-task-param-ignored',
        'sep-2663-tasks-get-invalid-task-id-32602',
        'tasks-immediate-result-shortcut',
        'tasks-result-type-complete-on-non-task-responses',
        'tasks-server-directed-creation-no-hint',
      ],
    },
    'tasks-lifecycle': {
      tasks: [
        'sep-2663-cancel-ack-empty-result',
        'sep-2663-result-type-task-on-create',
        'sep-2663-tasks-get-status-completed',
        'sep-2663-tasks-get-status-failed',
        'sep-2663-tasks-get-status-working',
        'sep-2663-tool-error-uses-completed-status',
        'tasks-cancel-terminal-idempotent-ack',
        'tasks-sync-tool-call',
      ],
    },
    'tasks-mrtr-composition': { tasks: ['sep-2663-mrtr-synchronous-before-task-creation'] },
    'tasks-mrtr-input': {
      tasks: ['sep-2663-tasks-get-status-input-required', 'tasks-mrtr-partial-fulfillment', 'tasks-mrtr-tasks-update-resumes'],
    },
    'tasks-request-headers': {
      tasks: [
        'sep-2663-routing-headers-accepted-on-tasks-get',
        'sep-2663-server-rejects-mismatched-mcp-name-on-tasks-get',
        'tasks-headers-reject-mismatched-method',
        'tasks-headers-tolerate-mcp-method-on-tools-call',
      ],
    },
    'tasks-request-state-removal': { tasks: ['tasks-request-state-removal-setup'] },
    'tasks-required-task-error': { tasks: ['sep-2663-server-returns-missing-capability-when-required'] },
    'tasks-status-notifications': { suite: ['tasks-status-notifications'] },
    'tasks-wire-fields': {
      tasks: ['tasks-no-early-ttl-expiry', 'tasks-no-related-task-meta-on-inlined-result', 'tasks-wire-field-renames'],
    },
    'tools-call-audio': { content: ['tools-call-audio'] },
    'tools-call-embedded-resource': { content: ['tools-call-embedded-resource'] },
    'tools-call-error': GREEN,
    'tools-call-image': { content: ['tools-call-image'] },
    'tools-call-mixed-content': { content: ['tools-call-mixed-content'] },
    'tools-call-simple-text': GREEN,
    'tools-call-with-progress': { progress: ['tools-call-with-progress'] },
    'tools-list': GREEN,
  },
};
