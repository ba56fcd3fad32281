// SPDX-License-Identifier: Apache-2.0
// The tools that the conformance suite asks for, as our registry holds tools. They exist in this test and nowhere else.
import { z } from 'zod';
import type { Tool } from '../../host-agent/src/tools/tool.ts';

const HINTS = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };

function fixture(name: string, text: string, part: { readonly isError?: boolean; readonly input?: z.ZodType; readonly did?: () => void } = {}): Tool {
  return {
    name,
    title: name,
    description: `Fixture ${name} of the conformance suite.`,
    input: part.input ?? z.strictObject({}),
    annotations: HINTS,
    needs: ['process:list'],
    action: () => ({ runs: 'observe', observation: { what: 'processes' } }),
    reply: () => {
      part.did?.();
      return { text, data: { text }, isError: part.isError ?? false };
    },
  };
}

// As far as the door makes its schemas, from zod; `meta` adds the keywords that zod has no type for.
const address = z.object({ street: z.string().optional(), city: z.string().optional() }).meta({ id: 'address', $anchor: 'addressDef' });
const manyKeywords = z
  .strictObject({
    name: z.string().optional(),
    address: address.optional(),
    contactMethod: z.enum(['phone', 'email']).optional(),
    phone: z.string().optional(),
    email: z.string().optional(),
  })
  .meta({
    allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
    if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
    // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
    then: { required: ['phone'] },
    else: { required: ['email'] },
  });

export function fixtureTools(toolsChanged: () => void): readonly Tool[] {
  return [
    fixture('test_simple_text', 'This is a simple text response for testing.'),
    fixture('test_error_handling', 'This tool intentionally returns an error for testing', { isError: true }),
    // These two are asked for so that it can be seen what does not come with their answer: requests and log messages.
    fixture('test_streaming_elicitation', 'No question was needed.'),
    fixture('test_logging_tool', 'Nothing was logged to the client.'),
    fixture('test_tool_with_progress', 'Done in one step.'),
    fixture('test_trigger_tool_change', 'The list of tools changed.', { did: toolsChanged }),
    fixture('json_schema_2020_12_tool', 'Listed.', { input: manyKeywords }),
  ];
}
