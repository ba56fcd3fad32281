// SPDX-License-Identifier: Apache-2.0
import type { PlaceRule } from './tables.ts';

export const PLACE_RULES: readonly PlaceRule[] = [
  { rule: 'password-hashes', class: 'credentials', risk: 'red', why: 'the table of password hashes, or who may become root', when: 'any', path: /^\/etc\/(?:g?shadow|master\.passwd|security\/(?:passwd|opasswd)|sudoers|krb5\.keytab)(?:[-~.]|\.d\b|$|\/)/ },
  { rule: 'account-list', class: 'accounts', risk: 'red', why: 'the list of accounts', when: 'any', path: /^\/etc\/(?:passwd|group)-?$/ },
  { rule: 'private-keys', class: 'credentials', risk: 'red', why: 'keys that open other machines', when: 'any', path: /\/\.ssh(?:\/(?:id_|.*key|identity|config|rc|environment|\*|$)|$)|^\/etc\/ssh\/.*key|\/\.gnupg(?:\/|$)|\.(?:kdbx|keytab|jks)$/ },
  { rule: 'stored-tokens', class: 'credentials', risk: 'red', why: 'passwords and tokens that programs keep', when: 'any', path: /\/(?:\.netrc|\.git-credentials|\.pgpass|\.my\.cnf|\.aws\/(?:credentials|sso|cli)|\.azure|\.config\/gcloud|\.kube\/config|\.docker\/config\.json|\.vault-token|\.password-store|\.mozilla|\.config\/(?:chromium|google-chrome)|\.local\/share\/keyrings|\.oci)(?:\/|$)/ },
  { rule: 'shell-history', class: 'traces', risk: 'red', why: 'what was typed, which often holds passwords', when: 'any', path: /\/\.(?:\w+_)?history$/ },
  { rule: 'process-memory', class: 'injection', risk: 'red', why: 'memory and environment of processes', when: 'any', path: /^\/proc\/(?:[^/]+\/(?:mem|environ|maps?|pagemap|root|cwd|fd)(?:\/|$)|kcore|kallsyms|kmem)|^\/dev\/(?:k?mem|port)$/ },
  { rule: 'container-socket', class: 'privilege', risk: 'red', why: 'the socket of a service that can do all', when: 'any', path: /\/(?:docker|podman|containerd|crio)\.sock$|^\/run\/(?:systemd\/private|dbus\/system_bus_socket)/ },

  { rule: 'runs-at-login', class: 'persistence', risk: 'red', why: 'a file that shells read when they start or end', when: 'write', path: /^\/etc\/(?:profile|bash\.?bashrc|bashrc|zsh|environment|skel|motd|shells|update-motd\.d|xdg\/autostart|X11)|\/\.(?:bashrc|bash_profile|bash_login|bash_logout|profile|zshrc|zshenv|zprofile|zlogin|kshrc|cshrc|tcshrc|login|logout|xinitrc|xsession|xprofile|inputrc|pam_environment)$|\/\.config\/(?:autostart|fish|environment\.d|procps)/ },
  { rule: 'runs-on-schedule', class: 'persistence', risk: 'red', why: 'what the machine starts again and again', when: 'write', path: /^\/etc\/(?:cron|anacrontab|at\.)|^\/var\/spool\/(?:cron|at|anacron)/ },
  { rule: 'runs-at-boot', class: 'persistence', risk: 'red', why: 'what the machine starts when it boots', when: 'write', path: /\/systemd\/(?:system|user|system-generators|user-generators)(?:\/|$)|^\/etc\/(?:init\.d|init|rc\d?\.d|rc\.local|rc\.d|inittab|modules|modules-load\.d|modprobe\.d|udev|NetworkManager\/dispatcher\.d|network\/if-|dbus-1|polkit-1|apt\/apt\.conf\.d|ufw|logrotate\.d|sysctl)|\/rc\.d\/|^\/boot\// },
  { rule: 'opens-logins', class: 'persistence', risk: 'red', why: 'who may log in, and how that is checked', when: 'write', path: /\/\.ssh(?:\/|$)|^\/etc\/(?:ssh\/|pam\.d|pam\.conf|security\/|nsswitch|hosts\.(?:allow|equiv|deny)|login\.defs|subuid|subgid)|\/\.rhosts$/ },
  { rule: 'login-checks', class: 'discovery', risk: 'red', why: 'how logins are checked', when: 'read', path: /^\/etc\/(?:pam\.d|login\.defs|security)/ },
  { rule: 'kernel-modules', class: 'discovery', risk: 'red', why: 'what the kernel has loaded or could load', when: 'read', path: /^\/(?:usr\/)?lib\/modules(?:\/|$)|^\/proc\/modules$/ },
  { rule: 'preloaded', class: 'persistence', risk: 'red', why: 'libraries that every program loads', when: 'write', path: /^\/etc\/ld\.so|^\/(?:usr\/)?lib(?:64)?\// },
  { rule: 'interpreter-startup', class: 'persistence', risk: 'red', why: 'code that an interpreter runs whenever it starts', when: 'write', path: /(?:sitecustomize|usercustomize)\.py$|\.pth$|\/\.pythonrc|\/\.(?:vimrc|exrc|gdbinit|perldb|irbrc|Rprofile|npmrc|gitconfig|config\/git)/ },
  { rule: 'repository-hooks', class: 'persistence', risk: 'red', why: 'a program that git runs by itself', when: 'write', path: /(?:^|\/)\.git\/(?:hooks\/|config$)/ },
  { rule: 'logs', class: 'traces', risk: 'red', why: 'records of what happened', when: 'write', path: /^\/var\/(?:log|adm|audit|spool\/mail|mail|account)(?:\/|$)|^\/(?:var\/)?run\/utmp$/ },
  { rule: 'login-records', class: 'traces', risk: 'red', why: 'records of logins', when: 'any', path: /\/(?:[wub]tmpx?|lastlog|faillog)$/ },
  { rule: 'kernel-values', class: 'kernel', risk: 'red', why: 'values of the kernel', when: 'write', path: /^\/proc\/(?:sys|sysrq-trigger|acpi|scsi|irq)|^\/sys\// },
  { rule: 'disks', class: 'destruction', risk: 'red', why: 'a whole disk, or a part of one', when: 'write', path: /^\/dev\/(?:[shv]d[a-zX]|nvme|mmcblk|dm-|mapper\/|disk\/|loop|md|xvd|sr\d|zvol)/ },
  { rule: 'system-files', class: 'outside', risk: 'red', why: 'files of the machine', when: 'write', path: /^\/(?:etc|usr|bin|sbin|lib\w*|boot)(?:\/|$)/ },
];
