// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { priceFile } from './price-file.ts';

/** JSON Schema of a file of prices, for editors. */
export function priceFileJsonSchema(): string {
  const schema = { title: 'Holdfast prices of models', ...z.toJSONSchema(priceFile, { target: 'draft-2020-12', io: 'input' }) };
  return `${JSON.stringify(schema, null, 2)}\n`;
}
