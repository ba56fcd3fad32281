// SPDX-License-Identifier: Apache-2.0
import type { ProgramRule } from './tables.ts';

/** A systemctl or service verb that takes something away from the machine. */
const STOPS = /^(?:stop|disable|mask|kill|off|isolate|reboot|poweroff|halt|suspend|hibernate|emergency|rescue)$/;
const SHORT_S = /^(?:0?[2467][0-7]{3}|[ugo]*a?[+=][rwxXt]*s[rwxXst]*)$/;

export const PROGRAM_RULES: readonly ProgramRule[] = [
  // Privilege
  { rule: 'asks-for-root', class: 'privilege', risk: 'yellow', why: 'asks for the rights of another user', names: 'sudo doas pkexec run0 gksudo' },
  { rule: 'root-shell', class: 'privilege', risk: 'red', why: 'asks for a shell of another user', names: 'sudo doas run0 gksudo', bare: true, none: /^-[lLvkKVhe]$|^--(?:list|validate|version)$/ },
  { rule: 'other-user', class: 'privilege', risk: 'red', why: 'becomes another user', names: 'su ksu runuser sg newgrp sux dzdo' },
  { rule: 'sets-suid', class: 'privilege', risk: 'red', why: 'gives a file the rights of its owner when it runs', names: 'chmod install mkdir', some: SHORT_S },
  { rule: 'sets-suid-mode', class: 'privilege', risk: 'red', why: 'gives a file the rights of its owner when it runs', names: 'install mkdir', some: /^(?:-m|--mode)=?0?[2467][0-7]{3}$/ },
  { rule: 'sets-capabilities', class: 'privilege', risk: 'red', why: 'gives a file capabilities or an access list of its own', names: 'setcap setfacl capsh' },
  { rule: 'owned-by-root', class: 'privilege', risk: 'red', why: 'makes root the owner of a file', names: 'chown', first: /^(?:root|0)(?:[:.]|$)/ },
  { rule: 'seeks-suid', class: 'discovery', risk: 'red', why: 'looks for files that run with the rights of another', names: 'find', some: /^[-/]?(?:0?[246]000|[ug]=s|[ug]\+s)$/ },
  { rule: 'unpacks-modes', class: 'privilege', risk: 'red', why: 'unpacks files with the rights that the archive says', names: 'unzip', some: /^-[a-zA-Z]*K/ },
  { rule: 'immutable', class: 'privilege', risk: 'red', why: 'makes a file unchangeable, or changeable again', names: 'chattr', some: /^[+=-][a-zA-Z]*[ia]/ },
  { rule: 'asks-account-secrets', class: 'credentials', risk: 'red', why: 'asks for the table of password hashes', names: 'getent', some: /^g?shadow$/ },

  { rule: 'installs-file', class: 'privilege', risk: 'red', why: 'installs a package from a file, whose scripts run as root', names: 'rpm dpkg yum dnf dnf5 zypper apt apt-get pkg apk snap pacman gdebi', some: /\.(?:rpm|deb|txz|apk|snap|pkg\.tar\.\w+)$/, none: /^-[a-z]*[qlcIxeK]|^--(?:query|info|contents|list|checksig|extract)/ },

  // Accounts
  { rule: 'changes-accounts', class: 'accounts', risk: 'red', why: 'changes users, groups or passwords', names: 'useradd usermod userdel addgroup adduser delgroup deluser groupadd groupmod groupdel gpasswd passwd chpasswd chgpasswd newusers chsh chfn chage vipw vigr pw visudo smbpasswd ldapadd ldapmodify ldapdelete ldappasswd samba-tool', none: /^(?:--help|--version|-S|--status|-l|--list)$/ },
  { rule: 'ssh-keys-out', class: 'accounts', risk: 'red', why: 'puts a key where it opens an account', names: 'ssh-copy-id' },

  // What keeps the machine safe
  { rule: 'stops-service', class: 'defences', risk: 'red', why: 'stops a service or keeps it from starting', names: 'systemctl service initctl rc-service sv svcadm chkconfig update-rc.d rc-update sysrc', some: STOPS },
  { rule: 'disables-service', class: 'defences', risk: 'red', why: 'takes a service out of the start', names: 'chkconfig update-rc.d rc-update sysrc', some: /^(?:off|remove|del|delete|--del)$|="?NO"?$/i },
  { rule: 'changes-firewall', class: 'defences', risk: 'red', why: 'changes the firewall', names: 'iptables ip6tables ebtables arptables nft ufw firewall-cmd pfctl ipset iptables-restore ip6tables-restore', none: /^(?:-L|-S|--list[a-z-]*|-nvL|-vnL|-nL|-Ln|list|status|show|version|-V|--version|--help|--state|--get-[a-z-]+|--query-[a-z-]+)$/ },
  { rule: 'changes-confinement', class: 'defences', risk: 'red', why: 'weakens how programs are confined', names: 'setenforce aa-disable aa-complain aa-teardown aa-remove-unknown apparmor_parser setsebool semanage semodule', none: /^(?:-l|--list(?:=.*)?|-S|--skip-.*|-N|--names|extract|export)$/ },
  { rule: 'changes-audit', class: 'defences', risk: 'red', why: 'changes what the kernel records', names: 'auditctl', none: /^-[sl]$/ },
  { rule: 'no-swap', class: 'defences', risk: 'red', why: 'takes swap away or gives it', names: 'swapoff swapon', none: /^(?:--show|-s|--summary)/, some: /./ },

  // Staying
  { rule: 'scheduled', class: 'persistence', risk: 'red', why: 'starts something later or again and again', names: 'at batch', none: /^(?:-l|-V)$/ },
  { rule: 'crontab', class: 'persistence', risk: 'red', why: 'changes what runs again and again', names: 'crontab', none: /^-l$/ },
  { rule: 'transient-unit', class: 'persistence', risk: 'red', why: 'has the service manager run something, outside of this call', names: 'systemd-run' },
  { rule: 'installs-unit', class: 'persistence', risk: 'red', why: 'changes what the service manager starts', names: 'systemctl', some: /^(?:enable|reenable|link|edit|set-default|set-environment|set-property|add-wants|add-requires|preset|preset-all|import-environment|revert|bind|mount-image)$/ },
  { rule: 'lingers', class: 'persistence', risk: 'red', why: 'lets processes of a user outlive the login', names: 'loginctl', some: /^enable-linger$/ },
  { rule: 'trusts-authority', class: 'persistence', risk: 'red', why: 'changes whose certificates are believed', names: 'update-ca-certificates update-ca-trust certutil', none: /^-[LKVO]$/ },
  { rule: 'replaces-programs', class: 'persistence', risk: 'red', why: 'changes which program a name stands for', names: 'update-alternatives dpkg-divert alternatives', some: /^--(?:install|set|add|force|divert|rename|auto|config|remove)$/ },

  // Traces
  { rule: 'clears-history', class: 'traces', risk: 'red', why: 'removes what the shell remembers', names: 'history', some: /^-[a-z]*[cdw]/ },
  { rule: 'stops-history', class: 'traces', risk: 'red', why: 'keeps the shell from remembering', names: 'set', some: /^\+o$/, first: /^history$/ },
  { rule: 'forgets-history', class: 'traces', risk: 'red', why: 'keeps the shell from remembering', names: 'unset', some: /^HIST[A-Z]+$/ },
  { rule: 'removes-journal', class: 'traces', risk: 'red', why: 'removes records of the journal', names: 'journalctl', some: /^--(?:vacuum-[a-z]+|rotate|flush|relinquish-var)/ },
  { rule: 'false-times', class: 'traces', risk: 'red', why: 'gives a file the time of another or one that was made up', names: 'touch', some: /^(?:-[a-z]*[tdr]|--date(?:=.*)?|--reference(?:=.*)?)$/ },
  { rule: 'misleading-name', class: 'obfuscation', risk: 'red', why: 'gives a file a name that looks like another', names: 'mkdir cp mv touch chmod ln tee', some: /\S\s+$|\/\.{3,}(?:\/|$)/ },
  { rule: 'overwrites-files', class: 'traces', risk: 'red', why: 'overwrites a file so that nobody reads it again', names: 'shred srm wipe sfill' },
  { rule: 'sets-clock', class: 'traces', risk: 'red', why: 'sets the clock', names: 'date', some: /^(?:-s.*|--set(?:=.*)?|\d{8}(?:\d{2}){0,2}(?:\.\d\d)?)$/ },
  { rule: 'sets-clock-otherwise', class: 'traces', risk: 'red', why: 'sets the clock', names: 'timedatectl hwclock ntpdate', some: /^(?:set-[a-z-]+|--(?:set|hctosys|systohc)|-[swub].*)$/ },
  { rule: 'records-typing', class: 'traces', risk: 'red', why: 'has the shell report each command', names: 'trap', some: /^DEBUG$/ },

  // Kernel and machine
  { rule: 'loads-module', class: 'kernel', risk: 'red', why: 'changes what the kernel has loaded', names: 'insmod modprobe rmmod kldload kldunload kexec bpftool bpftrace dkms', none: /^(?:-n|--dry-run|--show.*|-D|-c|--showconfig|list|show|status|-l)$/ },
  { rule: 'sets-kernel-value', class: 'kernel', risk: 'red', why: 'sets a value of the kernel', names: 'sysctl', some: /^(?:-w|--write|-p.*|--load.*|--system)$|^[\w./*-]+=/ },
  { rule: 'reads-by-sysctl', class: 'outside', risk: 'red', why: 'reads a file through the names of kernel values', names: 'sysctl', some: /\.\.\// },
  { rule: 'ends-machine', class: 'kernel', risk: 'red', why: 'stops or restarts the machine', names: 'shutdown reboot halt poweroff telinit', none: /^--(?:help|version)$/ },
  { rule: 'changes-runlevel', class: 'kernel', risk: 'red', why: 'stops or restarts the machine', names: 'init', first: /^[0-6sS]$/ },
  { rule: 'changes-mounts', class: 'kernel', risk: 'red', why: 'changes what is mounted or which root is seen', names: 'mount umount pivot_root switch_root chroot unshare nsenter mknod losetup sshfs fusermount', some: /^[^-]/, none: /^(?:-V|-l|--list|-a|--all)$/ },
  { rule: 'wide-container', class: 'kernel', risk: 'red', why: 'a container with the rights or the files of the machine', names: 'docker podman nerdctl lxc incus ctr', some: /^--privileged(?:$|=true)|^--(?:pid|ipc|userns|cgroupns|network|net|uts)=host$|^(?:.*=)?\/:|^source=\/$|^security\.privileged=true$|(?:src|source)=\/(?:,|$)/ },

  // Destruction
  { rule: 'makes-filesystem', class: 'destruction', risk: 'red', why: 'overwrites a disk or what holds its parts', names: 'mkfs* mke2fs mkswap wipefs blkdiscard sgdisk sfdisk fdisk cfdisk gdisk parted', some: /^\/dev\/|\0/, none: /^(?:-l|--list|-p|--print|--dump|-d|print|--verify|-v|-n|--no-act|--check|-i|--info.*)$/ },
  { rule: 'removes-volumes', class: 'destruction', risk: 'red', why: 'removes volumes with all that they hold', names: 'lvremove vgremove pvremove zpool zfs btrfs mdadm dmsetup cryptsetup', some: /^(?:destroy|remove|delete|erase|luksErase|luksFormat|--zero-superblock)$/ },
  { rule: 'removes-volume', class: 'destruction', risk: 'red', why: 'removes volumes with all that they hold', names: 'lvremove vgremove pvremove' },
  { rule: 'deletes-found', class: 'destruction', risk: 'red', why: 'deletes whatever it finds below a wide place', names: 'find', some: /^-delete$/, first: /^(?:\/|~|\.\.)[^/]*\/?$/ },

  // Other processes
  { rule: 'enters-process', class: 'injection', risk: 'red', why: 'reads or changes a running process', names: 'gdb strace ltrace reptyr lldb rr frida perf', some: /^(?:-[a-z]*p\d*|--pid(?:=.*)?|--attach.*|--batch-pid)$|^attach/ },
  { rule: 'dumps-process', class: 'injection', risk: 'red', why: 'writes the memory of a process to a file', names: 'gcore procdump scanmem gameconqueror jmap', none: /^--help$/ },

  // Library
  { rule: 'loads-builtin', class: 'library-load', risk: 'red', why: 'loads a library into the shell', names: 'enable zmodload', some: /^-[a-z]*f|^zsh\/net|^zsh\/system/ },
  { rule: 'foreign-loader', class: 'shell-escape', risk: 'red', why: 'runs a program through the loader of libraries', names: 'ld.so ld-linux* ld-musl*' },

  // Network
  { rule: 'raw-connection', class: 'remote-shell', risk: 'red', why: 'joins a program, or a port that listens, to a connection', names: 'nc ncat netcat nc.traditional nc.openbsd busybox socket', some: /^-[a-zA-Z]*[lecp]|^--(?:exec|sh-exec|listen)/ },
  { rule: 'feeds-connection', class: 'exfiltration', risk: 'red', why: 'sends what is piped into it over a connection', names: 'nc ncat netcat socat telnet', piped: true },
  { rule: 'feeds-tls', class: 'exfiltration', risk: 'red', why: 'sends what is piped into it over a connection', names: 'openssl', some: /^s_client$/, piped: true },
  { rule: 'socat-program', class: 'remote-shell', risk: 'red', why: 'joins a program, or a port that listens, to a connection', names: 'socat', some: /^(?:exec|system|shell|[a-z0-9-]+-listen|[a-z0-9-]+-l):/i },
  { rule: 'serves-files', class: 'exfiltration', risk: 'red', why: 'serves files to the network', names: 'python* busybox php* ruby* tailscale', some: /^(?:http\.server|SimpleHTTPServer|pyftpdlib|httpd|serve)$/ },
  { rule: 'uploads', class: 'exfiltration', risk: 'red', why: 'sends a file away', names: 'curl', some: /^-[a-zA-Z]*T$|^--upload-file|^(?:--data[a-z-]*=?)?@|^[\w.-]+=[@<]|^gopher:/ },
  { rule: 'uploads-post', class: 'exfiltration', risk: 'red', why: 'sends data away', names: 'wget', some: /^--(?:post|body)-(?:file|data)/ },
  { rule: 'copies-to-host', class: 'exfiltration', risk: 'red', why: 'copies files from or to another machine', names: 'scp rsync rcp sftp mosh rlogin rsh psftp pscp smbclient', some: /^[\w.+-]+@[\w.+-]+|^\w[\w.-]*:(?!\/\/)|^rsync:\/\/|^-l$|^\\\\|^m?put / },
  { rule: 'tunnels', class: 'exfiltration', risk: 'red', why: 'joins a port here with one elsewhere', names: 'ssh autossh dbclient', some: /^-[A-Za-z]*[RLDw](?:\S*:\S*|\d+)?$/ },
  { rule: 'feeds-host', class: 'exfiltration', risk: 'red', why: 'sends a file away', names: 'ab finger cancel lp tftp', some: /^-p$|@|^-h$/ },
  { rule: 'names-as-channel', class: 'exfiltration', risk: 'red', why: 'puts what a command prints into a name that is asked for', names: 'dig nslookup host drill ping whois finger', some: /\0\.|^\0$/ },
  { rule: 'prints-into-address', class: 'exfiltration', risk: 'red', why: 'puts what a command prints into an address', names: 'curl wget', some: /^(?:https?:\/\/)?[^/]*\0\./ },
  { rule: 'asks-foreign-server', class: 'download', risk: 'red', why: 'takes what it gets from a server of somebody else', names: 'whois', some: /^-h$/ },

  // Looking around
  { rule: 'scans', class: 'discovery', risk: 'red', why: 'looks for machines and ports', names: 'nmap masscan zmap arp-scan netdiscover nbtscan fping unicornscan rustscan' },
  { rule: 'listens-in', class: 'discovery', risk: 'red', why: 'reads what passes on the network', names: 'tcpdump tshark dumpcap wireshark ettercap dsniff', none: /^(?:-D|--list-interfaces|--version|-h|--help|-r|--read-file)$/ },
  { rule: 'looks-at-neighbours', class: 'discovery', risk: 'yellow', why: 'asks for sockets, routes and who answers', names: 'ip ss lsof ping traceroute showmount rpcinfo' },
  { rule: 'asks-for-neighbours', class: 'discovery', risk: 'red', why: 'asks which machines and connections are around', names: 'arp netstat sockstat' },
  { rule: 'asks-for-routes', class: 'discovery', risk: 'red', why: 'asks which machines and networks are around', names: 'ip route', some: /^(?:n|nei|neigh|neighbou?r|route|r|-n)$/, none: /^(?:add|del|delete|replace|change|flush|get)$/ },
  { rule: 'sweeps', class: 'discovery', risk: 'red', why: 'asks one address after the other', names: 'ping ping6 nc ncat telnet curl', some: /^(?:\d{1,3}\.){2,3}\0$/ },
  { rule: 'seeks-guards', class: 'discovery', risk: 'red', why: 'looks for programs that watch over the machine', names: 'grep egrep rg pgrep pidof which systemctl service ps rpm dpkg', some: /falcon|crowdstrike|nessus|cb(?:agent|daemon)|carbon.?black|osquery|ossec|wazuh|(?:packet|file|audit)beat|auditd\b|clam(?:d|av)|sysmon|td-agent|mdatp|falco\b/i },
  { rule: 'seeks-machine-kind', class: 'discovery', risk: 'red', why: 'looks for signs that it is in a virtual machine', names: 'systemd-detect-virt virt-what dmidecode' },
  { rule: 'seeks-passwords', class: 'credentials', risk: 'red', why: 'searches wide places for passwords and keys', names: 'grep egrep rg ag', first: /pass(?:w|\b|phrase)|secret|credential|private.?key|api.?key|BEGIN /i, some: /^(?:\/|~\/?|\/(?:home|etc|root|var|opt|srv|Users)(?:\/.*)?)$/ },
  { rule: 'reads-clipboard', class: 'discovery', risk: 'red', why: 'reads what a person has copied', names: 'xclip xsel wl-paste pbpaste', some: /^-o(?:ut)?$|^--output$/ },
  { rule: 'asks-directory', class: 'discovery', risk: 'red', why: 'asks a directory for accounts', names: 'ldapsearch rpcclient enum4linux' },
  { rule: 'seeks-sandbox', class: 'discovery', risk: 'red', why: 'looks for signs that it is watched or in a virtual machine', names: 'grep egrep rg', some: /vbox|virtualbox|vmware|vmw_|vmx?net|vmm\b|qemu|hyper-?v|hv_|xen-|bochs|parallels/i },
  { rule: 'looks-at-accounts', class: 'discovery', risk: 'yellow', why: 'asks who is there', names: 'who w last lastlog users id groups whoami finger getent logname' },
  { rule: 'looks-at-machine', class: 'discovery', risk: 'yellow', why: 'asks what machine this is', names: 'uname hostname hostnamectl lsb_release lscpu lspci lsusb' },
  { rule: 'looks-at-environment', class: 'discovery', risk: 'yellow', why: 'prints the environment, where programs may have put secrets', names: 'env printenv set locale', bare: true, none: /^[-+][A-Za-z]/ },
  { rule: 'looks-at-kernel', class: 'discovery', risk: 'red', why: 'asks what the kernel has loaded', names: 'lsmod kldstat kmod modinfo' },
  { rule: 'screen-taken', class: 'discovery', risk: 'red', why: 'takes a picture of the screen', names: 'import xwd scrot gnome-screenshot grim maim', some: /^root$|^-root$/ },

  // Shell escapes of programs that are no shells
  { rule: 'editor-command', class: 'shell-escape', risk: 'red', why: 'has an editor run a command', names: 'vi vim nvim ex view vimdiff rvim gvim less more most emacs', some: /^\+?:?!|:!|:(?:shell|terminal|py3?|python3?|lua|ruby|perl|set shell)\b|shell-command|call-process/ },
  { rule: 'sed-runs', class: 'shell-escape', risk: 'red', why: 'has sed run a command or write another file', names: 'sed gsed', some: /(?:^|[;{\d$/}])e(?:\s|$)|\/[gip0-9]*e[gip0-9]*$|(?:^|[;/g\d])w\s+[/~]/ },
  { rule: 'sql-runs', class: 'shell-escape', risk: 'red', why: 'has a database tool run a command or write a file', names: 'sqlite3 psql mysql mariadb', some: /^\s*[.\\](?:shell|system|!|output|once|load)|\\!|\binto\s+(?:out|dump)file\b|\bcopy\b[^;]{0,200}\bprogram\b/i },
  { rule: 'runs-directory', class: 'shell-escape', risk: 'red', why: 'runs whatever lies in a directory', names: 'run-parts' },
  { rule: 'own-hooks', class: 'shell-escape', risk: 'red', why: 'gives an account of rules that start programs', names: 'fail2ban-client', some: /^(?:action[a-z]*|addaction)$/ },
  { rule: 'console-attached', class: 'shell-escape', risk: 'red', why: 'attaches to a session that somebody else may have opened', names: 'tmux screen', some: /^-[a-zA-Z]*[Sxr]$/ },
  { rule: 'bare-terminal', class: 'hidden-command', risk: 'red', why: 'opens a terminal whose commands nobody has seen', names: 'screen script openvt xterm', bare: true },
  { rule: 'bare-interpreter', class: 'hidden-command', risk: 'red', why: 'opens an interpreter whose commands nobody has seen', names: 'python python2 python3 ipython irb node nodejs php lua luajit julia R ghci erl iex jshell jjs tclsh wish scala sqlite3 gdb cpan perl ruby pdb msfconsole psql', bare: true, none: /^(?:-V|-v|-m|-c|-e|-[a-z]*e|--version|--help|-h|-l|--list)$/ },
];
