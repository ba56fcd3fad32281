// SPDX-License-Identifier: Apache-2.0
import { describe } from 'vitest';
import { ledgerStoreContract } from './ledger-store.contract.ts';
import { memoryLedgerStore } from './ledger-store.ts';

describe('in memory', () => ledgerStoreContract(() => memoryLedgerStore(4), () => {}));
