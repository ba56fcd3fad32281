// SPDX-License-Identifier: Apache-2.0
import type { ArgumentRule } from './tables.ts';

/** Programs that only look at, compare or print their arguments. */
export const ONLY_TALK = 'echo printf test [ [[ ls file stat readlink realpath dirname basename which type whereis man apropos whatis info help tldr grep egrep fgrep rg ag cat head tail wc diff cmp md5sum sha256sum alias : true false return exit';

/** Not the first line of a script, which only says who reads it. */
const SHELL_PATH = /(?<!#\\?!\s{0,4}|[\w.-])(?:\/usr)?\/bin\/(?:ba|da|z|k|mk|c|tc|fi|a|ya)?sh(?![\w.-])/;

export const ARGUMENT_RULES: readonly ArgumentRule[] = [
  { rule: 'shell-in-argument', class: 'shell-escape', risk: 'red', why: 'gives a shell to a program that runs what it is given', argument: SHELL_PATH, except: `${ONLY_TALK} chsh useradd usermod adduser` },
  { rule: 'socket-path', class: 'remote-shell', risk: 'red', why: 'opens a connection by a path of the shell or of awk', argument: /\/dev\/(?:tcp|udp)\/|\/inet6?\/(?:tcp|udp)\//, except: ONLY_TALK },
  { rule: 'option-runs-command', class: 'shell-escape', risk: 'red', why: 'an option that has a command run on an event', argument: /^--(?:checkpoint-action|to-command|info-script|new-volume-script|use-compress-program|rsh-command|rmt-command|upload-pack|receive-pack|unzip-command)\b/ },
  { rule: 'ssh-runs-command', class: 'shell-escape', risk: 'red', why: 'an option of ssh that runs a command here', argument: /^(?:-o\s*)?(?:ProxyCommand|LocalCommand|PermitLocalCommand|KnownHostsCommand|PKCS11Provider|SecurityKeyProvider|ssh_command)[=\s]/i },
  { rule: 'configuration-runs-command', class: 'shell-escape', risk: 'red', why: 'a setting whose value is a program to run', argument: /^(?:-c|--config=?)?(?:core\.(?:sshCommand|pager|editor|fsmonitor|hooksPath|gitProxy|askpass)|credential\.helper|diff\.external|sequence\.editor|alias\.[\w-]+|pager\.\w+|filter\.[\w-]+\.\w+|gpg\.program)=/i },
  { rule: 'hook-runs-command', class: 'shell-escape', risk: 'red', why: 'a setting whose value is a program to run', argument: /^[\w:.-]*(?:Pre|Post)-(?:Invoke|Install-Pkgs)[\w-]*::?=/ },
  { rule: 'key-runs-command', class: 'shell-escape', risk: 'red', why: 'binds a key or an event to a command', argument: /\b(?:execute|execute-silent|become)\(/ },
  { rule: 'macro-runs-code', class: 'shell-escape', risk: 'red', why: 'code within a macro', argument: /^%\{lua:|%\(|\\directlua|\\write18|^-?-shell-escape$|%\{lua:/ },
  { rule: 'tex-files', class: 'outside', risk: 'red', why: 'has a typesetter open files by name', argument: /\\(?:verbatiminput|openout|openin|immediate|lstinputlisting)\b/ },
  { rule: 'metadata-address', class: 'credentials', risk: 'red', why: 'asks the cloud for the keys of this machine', argument: /169\.254\.169\.254|fd00:ec2::254|metadata\.google\.internal/, except: ONLY_TALK },
  { rule: 'engine-library', class: 'library-load', risk: 'red', why: 'has a program load a library that the line names', argument: /^(?:[\w-]+=)*(?:\.{0,2}\/|~\/)?(?:[\w.@+-]+\/)*[\w.+-]+\.(?:so|dylib)(?:\.\d+)*$/, except: 'gcc cc g++ clang clang++ ld ls file nm objdump readelf ldd strip cp mv rm ln install stat chmod rpm dpkg dpkg-query patchelf size strings cat find elfedit ltrace echo printf test [' },
  { rule: 'seeks-credentials', class: 'credentials', risk: 'red', why: 'names files that hold keys, passwords or cookies', argument: /(?:^|[/*])(?:id_(?:rsa|dsa|ecdsa|ed25519)|\.netrc|\.gnupg|\.git-credentials|\.pgpass|\.aws|\.kube|\.oci|places\.sqlite|key4\.db|logins\.json|cookies\.sqlite|Login Data|Bookmarks|\.htpasswd|shadow|\.?[\w-]*_history|kcpassword|wallet\.dat|\.password-store|\.docker\/config\.json)(?:$|[/*])/, except: 'echo printf man tldr ssh-keygen' },
  { rule: 'asks-for-secrets-tree', class: 'credentials', risk: 'red', why: 'searches the whole machine for tokens and passwords', argument: /\.oci\/sessions|\.azure\/|\.config\/gcloud|\/proc\/(?:[^/]+)\/(?:environ|mem|map|maps|pagemap|root)(?:\/|$)/, except: 'echo printf man tldr' },
  { rule: 'climbs-out', class: 'outside', risk: 'red', why: 'climbs out of where it is', argument: /(?:\.\.\/){3}/, except: 'echo printf' },
  { rule: 'foreign-address', class: 'shell-escape', risk: 'red', why: 'has a bus or a program started by its address', argument: /unixexec:/ },
];
