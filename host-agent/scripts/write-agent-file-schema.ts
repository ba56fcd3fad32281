// SPDX-License-Identifier: Apache-2.0
import { writeFileSync } from 'node:fs';
import { agentFileJsonSchema } from '../src/config/agent-file-schema.ts';
import { priceFileJsonSchema } from '../src/config/price-file-schema.ts';
import { settingsJsonSchema } from '../src/config/settings-file.ts';

writeFileSync(new URL('../../docs/agent-file.schema.json', import.meta.url), agentFileJsonSchema());
writeFileSync(new URL('../../docs/prices.schema.json', import.meta.url), priceFileJsonSchema());
writeFileSync(new URL('../../docs/settings.schema.json', import.meta.url), settingsJsonSchema());
