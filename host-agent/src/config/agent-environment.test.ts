// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { networkEnvironment, secretEnvironment } from './agent-environment.ts';

const named = (name: string, placeholder = 'sk-x') => secretEnvironment([{ name, placeholder }]);

describe('a placeholder in the environment', () => {
  test.each(['ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'GITHUB_TOKEN', 'NODE_AUTH_TOKEN', 'NPM_TOKEN', 'CARGO_REGISTRY_TOKEN', 'PIP_INDEX_PASSWORD', '_x9'])('%s has the name of its secret', (name) => {
    expect(named(name)).toEqual({ variables: [[name, 'sk-x']], problems: [] });
  });

  const taken = [
    ...networkEnvironment('/t').map(([name]) => name), 'ALL_PROXY', 'all_proxy', 'PATH', 'Path', 'HOME', 'LD_PRELOAD', 'ld_library_path', 'NODE_OPTIONS', 'NODE_TLS_REJECT_UNAUTHORIZED',
    'BASH_ENV', 'ENV', 'IFS', 'LC_ALL', 'LISTEN_FDS', 'CREDENTIALS_DIRECTORY', 'PYTHONPATH', 'PERL5OPT', 'GIT_SSL_NO_VERIFY', 'GIT_SSH_COMMAND', 'GLIBC_TUNABLES', 'SSLKEYLOGFILE', 'SSL_CERT_DIR', 'OPENSSL_CONF',
  ];
  test.each(taken)('%s would be another thing to programs, and is refused with the reason', (name) => {
    const { variables, problems } = named(name);
    expect([variables, problems]).toEqual([[], [expect.stringContaining('has a meaning of its own to programs')]]);
  });

  test.each(['', 'A-B', '1A', 'A B', 'A=B', 'A\nB', 'É', 'x'.repeat(129)])('%j is no variable', (name) => {
    expect(named(name)).toEqual({ variables: [], problems: [expect.stringContaining('no variable of an environment can have this name')] });
  });

  test.each(['', 'a b', 'a\n', 'é', 'x'.repeat(4097)])('%j is no placeholder', (placeholder) => {
    expect(named('KEY', placeholder)).toEqual({ variables: [], problems: [expect.stringContaining('no header can have')] });
  });

  test('one that is refused takes no other with it', () => {
    expect(secretEnvironment([{ name: 'PATH', placeholder: 'x' }, { name: 'KEY', placeholder: 'y' }])).toEqual({ variables: [['KEY', 'y']], problems: [expect.stringContaining('PATH')] });
  });
});

test('every variable of the environment is there once', () => {
  const names = networkEnvironment('/t').map(([name]) => name);
  expect(new Set(names).size).toBe(names.length);
});
