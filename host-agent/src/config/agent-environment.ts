// SPDX-License-Identifier: Apache-2.0
import type { SecretBinding } from '../secret/binding.ts';

// What an agent that can reach a network finds in its environment: where its way out is, whom to trust there, and a placeholder for each
// secret that was bound to it. Programs that nobody changed for Holdfast go by these names.

/** holdfast-relay@.socket, in the network namespace of the agent's unit. */
const PROXY = 'http://127.0.0.1:3128';

type Variable = readonly [name: string, value: string];

/** `trust`: the folder where holdfast-egress lays the certificates. */
export function networkEnvironment(trust: string): readonly Variable[] {
  const bundle = `${trust}/ca-bundle.pem`;
  return [
    ...['HTTPS_PROXY', 'HTTP_PROXY', 'https_proxy', 'http_proxy'].map((name) => [name, PROXY] as const),
    ...['NO_PROXY', 'no_proxy'].map((name) => [name, 'localhost,127.0.0.1'] as const),
    // Node's own fetch and http go by the variables above only then.
    ['NODE_USE_ENV_PROXY', '1'],
    // Added to the authorities that Node brings; all others read one file in their place.
    ['NODE_EXTRA_CA_CERTS', `${trust}/ca.pem`],
    ...['SSL_CERT_FILE', 'CURL_CA_BUNDLE', 'REQUESTS_CA_BUNDLE', 'GIT_SSL_CAINFO', 'PIP_CERT', 'npm_config_cafile', 'CARGO_HTTP_CAINFO']
      .map((name) => [name, bundle] as const),
  ];
}

/** What systemd, the unit and the environment above say, and what makes a program load other code than its own. In any case of letters. */
const TAKEN = new Set([
  ...networkEnvironment('').map(([name]) => name.toUpperCase()), 'ALL_PROXY', 'FTP_PROXY', 'SSL_CERT_DIR',
  'HOME', 'TMPDIR', 'LANG', 'LANGUAGE', 'PATH', 'PWD', 'OLDPWD', 'SHELL', 'SHLVL', 'USER', 'LOGNAME', 'TERM', 'TZ', 'HOSTNAME',
  'INVOCATION_ID', 'JOURNAL_STREAM', 'MAINPID', 'MANAGERPID', 'NOTIFY_SOCKET', 'SYSTEMD_EXEC_PID', 'CREDENTIALS_DIRECTORY', 'WATCHDOG_PID', 'WATCHDOG_USEC',
  'NODE_OPTIONS', 'NODE_PATH', 'NODE_TLS_REJECT_UNAUTHORIZED', 'NODE_REPL_EXTERNAL_MODULE', 'BASH_ENV', 'ENV', 'IFS', 'PS4', 'PROMPT_COMMAND', 'SSLKEYLOGFILE',
  'OPENSSL_CONF', 'OPENSSL_MODULES', 'OPENSSL_ENGINES', 'GLIBC_TUNABLES', 'HOSTALIASES', 'RES_OPTIONS', 'LOCPATH', 'GCONV_PATH', 'NLSPATH',
  'PYTHONPATH', 'PYTHONHOME', 'PYTHONSTARTUP', 'PERL5LIB', 'PERL5OPT', 'PERL5DB', 'RUBYLIB', 'RUBYOPT', 'JAVA_TOOL_OPTIONS',
  'GIT_SSL_NO_VERIFY', 'GIT_SSL_CAPATH', 'GIT_SSH', 'GIT_SSH_COMMAND', 'GIT_ASKPASS', 'GIT_EXTERNAL_DIFF', 'GIT_PROXY_COMMAND', 'GIT_EXEC_PATH', 'EDITOR', 'PAGER', 'BROWSER',
]);
const TAKEN_FAMILIES = ['LD_', 'LC_', 'LISTEN_', 'DYLD_', 'MALLOC_', 'HOLDFAST_', 'BASH_FUNC_'];
/** IEEE Std 1003.1, 3.216. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
/** What stands in a header: VCHAR (RFC 9110, 5.5). */
const PLACEHOLDER = /^[\x21-\x7e]{1,4096}$/;

export type SecretVariables = {
  readonly variables: readonly Variable[];
  /** Why a secret has none. */
  readonly problems: readonly string[];
};

/** A placeholder in the environment under the secret's own name, which is how SDKs look for a key. */
export function secretEnvironment(secrets: readonly Pick<SecretBinding, 'name' | 'placeholder'>[]): SecretVariables {
  const variables: Variable[] = [];
  const problems: string[] = [];
  for (const { name, placeholder } of secrets) {
    const why = reasonAgainst(name, placeholder);
    if (why === null) variables.push([name, placeholder]);
    else problems.push(`the secret ${JSON.stringify(name.slice(0, 120))} is not in the agent's environment: ${why}; give it another name with: holdfast secret set`);
  }
  return { variables, problems };
}

function reasonAgainst(name: string, placeholder: string): string | null {
  if (!NAME.test(name)) return 'no variable of an environment can have this name';
  const upper = name.toUpperCase();
  if (TAKEN.has(upper) || TAKEN_FAMILIES.some((family) => upper.startsWith(family))) return 'a variable of this name has a meaning of its own to programs';
  return PLACEHOLDER.test(placeholder) ? null : 'its placeholder has characters that no header can have';
}
