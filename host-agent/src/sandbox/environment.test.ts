// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { callEnvironment } from './environment.ts';

describe('the environment of a call', () => {
  test('is ours, with what may be chosen of it', () => {
    expect(callEnvironment({ TZ: 'Europe/Berlin', LANG: 'de_DE.UTF-8', COLUMNS: '80' }, '/workspace')).toEqual({
      ok: true,
      value: { HOME: '/workspace', PATH: '/usr/bin:/usr/sbin', TERM: 'dumb', TMPDIR: '/tmp', LANG: 'de_DE.UTF-8', TZ: 'Europe/Berlin', COLUMNS: '80' },
    });
  });

  // A21: each of these makes some program run something else.
  test.each([
    'PATH', 'HOME', 'TMPDIR', 'LD_PRELOAD', 'LD_LIBRARY_PATH', 'LD_AUDIT', 'NODE_OPTIONS', 'NODE_PATH', 'GIT_SSH', 'GIT_SSH_COMMAND', 'GIT_CONFIG_COUNT',
    'GIT_EXTERNAL_DIFF', 'BASH_ENV', 'ENV', 'SHELLOPTS', 'PS4', 'IFS', 'PYTHONPATH', 'PYTHONSTARTUP', 'PERL5OPT', 'PERL5LIB', 'RUBYOPT', 'JAVA_TOOL_OPTIONS',
    'EDITOR', 'PAGER', 'LESSOPEN', 'GCONV_PATH', 'LOCPATH', 'TERMINFO', 'GLIBC_TUNABLES', 'MALLOC_CHECK_', 'SSL_CERT_FILE', 'http_proxy',
    '__proto__', 'constructor', 'toString', '', 'lang', 'LANG ', 'LANG=x', 'LC_\u0391LL',
  ])('refuses %j', (name) => {
    const asked = Object.fromEntries([[name, 'x']]);
    expect(callEnvironment(asked, '/tmp')).toMatchObject({ ok: false, error: expect.stringContaining('cannot set') });
  });

  test.each([
    ['LANG', '/workspace/locale'], ['LC_ALL', 'a/b'], ['TZ', ':/etc/shadow'], ['TZ', '/etc/shadow'], ['TZ', '../../etc/shadow'], ['TERM', '../x'],
    ['LANG', 'a\nb'], ['COLUMNS', '-1'], ['NO_COLOR', '$(id)'], ['TERM', 'x'.repeat(129)],
  ])('refuses %s=%j', (name, value) => {
    expect(callEnvironment({ [name]: value }, '/tmp').ok).toBe(false);
  });
});
