// SPDX-License-Identifier: Apache-2.0
import type { CodeRule } from './tables.ts';

// Code of another language is not parsed: that would be a parser for each. These are the words by which code leaves its language.

export const CODE_RULES: readonly CodeRule[] = [
  { rule: 'code-starts-programs', class: 'inline-code', risk: 'red', why: 'code that starts programs', code: /\b(?:system|passthru|popen\d?|shell_exec|proc_open|pcntl_exec|ProcessBuilder|getRuntime|child_process|subprocess|spawn\w*|execvp?e?|execlp?e?|execve|syscall|StartProcess|posix_spawn|esyscmd|startfile|fork)\b|\bexec(?:File|Sync)?\s*[("'\s]\s*["'/$\\]|\bexec\s+q|\bpty\b|IO\.popen|Process\.|\bqx\b|Open3|os\.exec|`[^`]*`/ },
  { rule: 'code-opens-connections', class: 'inline-code', risk: 'red', why: 'code that uses the network', code: /\bsockets?\b|[sS]ocket(?:\.|\(|::|\b)|TCP(?:Socket|Server)|UDPSocket|url(?:lib|open|retrieve)|\bhttp\.(?:get|post|request|client|server|createServer)|require\("(?:net|tls|http|https|dgram)"\)|HTTPServer|open-uri|IO::Socket|\bLWP\b|fsockopen|stream_socket|ftplib|smtplib|paramiko|requests?\.(?:get|post|put|Session)|["']https?:\/\/|\/inet6?\/(?:tcp|udp)|\bNet::|\bztcp\b|getaddrinfo|\bcp\("http/ },
  { rule: 'code-decodes', class: 'decode-and-run', risk: 'critical', why: 'code that decodes code and runs it', code: /\b(?:eval|exec|system|popen|loads|Function|assert)\b\s*\(?[^;]{0,200}(?:b64decode|base64|decode_base64|unhexlify|fromhex|hex2bin|fromCharCode|atob|decompress|rot13|gzinflate|pack\s*\(|\bchr\()/ },
  { rule: 'code-removes-trees', class: 'destruction', risk: 'red', why: 'code that deletes a tree', code: /rmtree|rm_rf|remove_tree|fs\.rm(?:Sync|dirSync)?\([^)]{0,200}recursive/ },
  { rule: 'code-loads-libraries', class: 'library-load', risk: 'red', why: 'code that loads a library or calls the system below its language', code: /\bctypes\b|\bdlopen\b|\bcffi\b|\bFiddle\b|process\.dlopen|\bload\s+\S+\.so\b|load_module\s|LoadLibrary|\bmmap\b/ },
  { rule: 'code-changes-user', class: 'privilege', risk: 'red', why: 'code that changes its user', code: /\bset(?:res|re|e)?[ug]id\b|POSIX::setuid|cap_set/ },
  { rule: 'code-hides-code', class: 'inline-code', risk: 'red', why: 'code that builds code', code: /\b(?:eval|exec)\s*\(|__import__|\bcompile\s*\(|\beval\s+["'$`]/ },
];
