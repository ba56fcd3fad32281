# SPDX-License-Identifier: Apache-2.0
"""The image's firewall in a network namespace of this script's own: an appliance with one wire, and at its other end a network that answers.

Run as root in a new network namespace: unshare -n python3 -I probe.py FIREWALL RESOLVERS SOURCES. Prints a line a try: UID ACT RESULT.
On a machine whose firewall is loaded: python3 -I probe.py. The wire is added to what it has, and taken away again.
"""
import errno
import json
import os
import pwd
import socket
import subprocess
import sys

firewall, resolvers, sources = sys.argv[1:] or (None, None, None)
# `here` is the appliance; all others are at the wire's other end. 44.128.0.53 is the name server that the network gives.
HERE, RESOLVER, PUBLIC, PRIVATE, METADATA = '44.128.0.2', '44.128.0.53', '44.128.0.80', '10.9.9.9', '169.254.169.254'
THERE = (RESOLVER, PUBLIC, PRIVATE, METADATA, '44.128.0.1')
UIDS = [int(uid) for uid in os.environ['PROBE_UIDS'].split()]
# the user that the rules name
NETWORKD = pwd.getpwnam('systemd-network').pw_uid


SAID = ('OPER_STATE=routable\nDNS=10.0.2.3 1.2.3.4:53 8.8.8.8#dns.example 127.0.0.1 0.1.2.3 224.1.1.1 1.2.3 1.2.3.4.5 9.9.9.999 010.1.1.1 1..2.3 '
        '; add rule inet holdfast output accept $(id) * 2001:db8::1 9.9.9.9 192.0.2.7 7.7.7.7\nNTP=1.1.1.1\n')


SOURCES = ('10.9.9.9 443\n10.9.9.9 53\n10.9.9.9 853\n192.168.7.7 8200\n172.31.0.1 8200\n172.32.0.1 8200\n44.128.0.80 443\n169.254.169.254 443\n127.0.0.1 9\n100.64.0.1 443\n'
           '010.9.9.9 443\n10.9.9 443\n10.9.9.9\n10.9.9.9 0\n10.9.9.9 65536\n10.9.9.9 1-65535\n10.0.0.0/8 443\n10.9.9.9 443 x\n} ; flush ruleset ; { 1\n$(id) 1\n* 1\n')


def run(*words, text=None):
    subprocess.run(words, input=text, text=True, check=True, stdout=subprocess.DEVNULL)


SERVER = '''
import selectors, socket, sys
poll = selectors.DefaultSelector()
for address in sys.argv[1:]:
  for kind, port in ((socket.SOCK_STREAM, 443), (socket.SOCK_STREAM, 53), (socket.SOCK_STREAM, 853), (socket.SOCK_DGRAM, 53), (socket.SOCK_DGRAM, 443), (socket.SOCK_DGRAM, 67)):
    s = socket.socket(socket.AF_INET, kind)
    s.bind((address, port))
    if kind == socket.SOCK_STREAM: s.listen()
    poll.register(s, selectors.EVENT_READ)
print('ready', flush=True)
while True:
    for key, _ in poll.select():
        if key.fileobj.type == socket.SOCK_STREAM: key.fileobj.accept()[0].close()
        else: key.fileobj.sendto(b'x', key.fileobj.recvfrom(512)[1])
'''


def tried(uid, act):
    """The errno's name of an act as `uid`, or ok."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            if act is not raw:
                os.setuid(uid)
            act()
            said = 'ok'
        except TimeoutError:
            said = 'ETIMEDOUT'
        except OSError as fault:
            said = errno.errorcode[fault.errno]
        os.write(w, said.encode())
        os._exit(0)
    os.close(w)
    said = os.read(r, 64).decode()
    os.close(r)
    os.waitpid(pid, 0)
    return said


def tcp(where, port):
    def act():
        with socket.socket() as s:
            s.settimeout(3)
            s.connect((where, port))
    return act


def udp(where, port, own=0):
    def act():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(3)
            # systemd-networkd has the same port of an address of its own
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if own:
                s.bind(('0.0.0.0', own))
            s.connect((where, port))
            s.send(b'x')
            s.recv(16)
    return act


def raw():
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
        s.sendto(b'\x08\x00\xf7\xff\x00\x00\x00\x00', (PUBLIC, 0))


peer = subprocess.Popen(['unshare', '-n', 'sleep', '600'])
try:
    while os.readlink(f'/proc/{peer.pid}/ns/net') == os.readlink('/proc/self/ns/net'):
        pass
    run('ip', 'link', 'set', 'lo', 'up')
    run('ip', 'link', 'add', 'wire', 'type', 'veth', 'peer', 'name', 'far', 'netns', str(peer.pid))
    run('ip', 'address', 'add', f'{HERE}/24', 'dev', 'wire')
    run('ip', 'link', 'set', 'wire', 'up')
    there = ('nsenter', '-t', str(peer.pid), '-n')
    run(*there, 'ip', 'link', 'set', 'lo', 'up')
    run(*there, 'ip', 'link', 'set', 'far', 'up')
    for address in THERE:
        run(*there, 'ip', 'address', 'add', f'{address}/24', 'dev', 'far')
    for address in (PRIVATE, METADATA):
        run('ip', 'route', 'add', address, 'via', '44.128.0.1')
    server = subprocess.Popen([*there, sys.executable, '-I', '-c', SERVER, *THERE], stdout=subprocess.PIPE, text=True)
    server.stdout.readline()

    acts = {
        'tcp-public': tcp(PUBLIC, 443), 'tcp-private': tcp(PRIVATE, 443), 'tcp-metadata': tcp(METADATA, 443),
        'dns-resolver': udp(RESOLVER, 53), 'dns-tcp-resolver': tcp(RESOLVER, 53), 'dns-other': udp(PUBLIC, 53), 'dns-tcp-other': tcp(PUBLIC, 53),
        'dot': tcp(RESOLVER, 853), 'quic': udp(PUBLIC, 443), 'dhcp': udp('44.128.0.1', 67, own=68),
        # nobody listens: it comes as far as that
        'loopback': tcp('127.0.0.1', 9),
    }
    # The control: without rules all of them are answered.
    if firewall is not None:
        for name, act in acts.items():
            print('open', name, tried(0, act), flush=True)
        print('open', 'icmp', tried(0, raw), flush=True)
        run('nft', '-f', firewall)
    run('nft', '-f', '-', text=f'add element inet holdfast resolvers {{ {RESOLVER} }}\n')
    # so that whoever tries may have the port of DHCP's client
    run('sysctl', '-q', '-w', 'net.ipv4.ip_unprivileged_port_start=0')
    for uid in [*UIDS, NETWORKD]:
        who = 'networkd' if uid == NETWORKD else uid
        for name, act in acts.items():
            print(who, name, tried(uid, act), flush=True)
        print(who, 'icmp', tried(uid, raw), flush=True)

    # From the other end: ssh is answered, nothing else is, and what is answered is answered though its uid may not begin anything.
    inner = [socket.create_server(('0.0.0.0', port)) for port in ((22, 8080) if firewall else (8080,))]
    for port in (22, 8080):
        probe = f'import socket; s = socket.socket(); s.settimeout(3); s.connect(("{HERE}", {port}))'
        came = subprocess.run([*there, sys.executable, '-I', '-c', probe], stderr=subprocess.DEVNULL)
        print('in', f'tcp-{port}', 'ok' if came.returncode == 0 else 'refused', flush=True)
    ping = subprocess.run([*there, sys.executable, '-I', '-c', f'''
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
s.settimeout(1)
s.sendto(b"\\x08\\x00\\xf7\\xff\\x00\\x00\\x00\\x00", ("{HERE}", 0))
s.recv(64)'''], stderr=subprocess.DEVNULL)
    print('in', 'ping', 'ok' if ping.returncode == 0 else 'refused', flush=True)

    # Name servers as the network says them: plain addresses of other machines, three at most, and none once it says none.
    if firewall is None:
        sys.exit()
    os.makedirs('/run/systemd/netif')
    os.makedirs('/run/holdfast-resolvers')
    for n, said in enumerate((SAID, 'OPER_STATE=off\n')):
        with open('/run/systemd/netif/state', 'w') as f:
            f.write(said)
        run('dash', resolvers)
        with open('/run/holdfast-resolvers/resolv.conf') as f:
            print(f'resolv{n}', 'conf', ','.join(f.read().split()), flush=True)
        held = json.loads(subprocess.run(['nft', '-j', 'list', 'set', 'inet', 'holdfast', 'resolvers'], check=True, capture_output=True, text=True).stdout)
        print(f'resolv{n}', 'set', ','.join(sorted(held['nftables'][-1]['set'].get('elem', []))), flush=True)

    # Where sources of secrets are: exactly there, for holdfast-egress and for nobody else, and no more once that is not said.
    os.makedirs('/run/holdfast-sources')
    for n, said in enumerate((SOURCES, '')):
        with open('/run/holdfast-sources/addresses', 'w') as f:
            f.write(said)
        run('dash', sources)
        held = json.loads(subprocess.run(['nft', '-j', 'list', 'set', 'inet', 'holdfast', 'sources'], check=True, capture_output=True, text=True).stdout)
        print(f'source{n}', 'set', ','.join(sorted(':'.join(map(str, e['concat'])) for e in held['nftables'][-1]['set'].get('elem', []))), flush=True)
        for name, act in {'there': tcp(PRIVATE, 443), 'dns': udp(PRIVATE, 53), 'dns-tcp': tcp(PRIVATE, 53), 'dot': tcp(PRIVATE, 853), 'metadata': tcp(METADATA, 443), 'public': tcp(PUBLIC, 443)}.items():
            print(f'source{n}', name, tried(UIDS[0], act), flush=True)
        print(f'source{n}', 'others', tried(UIDS[1], tcp(PRIVATE, 443)), flush=True)
finally:
    if firewall is None:
        subprocess.run(['sysctl', '-q', '-w', 'net.ipv4.ip_unprivileged_port_start=1024'])
        subprocess.run(['ip', 'link', 'delete', 'wire'])
        subprocess.run(['systemctl', 'restart', 'holdfast-resolvers.service'])
    peer.kill()
    if 'server' in globals():
        server.kill()
