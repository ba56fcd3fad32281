# SPDX-License-Identifier: Apache-2.0
# Gives the BPF that libseccomp makes of an OCI profile, as crun asks for it. First line: system calls that it does not know.
import ctypes, json, os, sys

lib = ctypes.CDLL('libseccomp.so.2', use_errno=True)


class Compare(ctypes.Structure):
    _fields_ = [('arg', ctypes.c_uint), ('op', ctypes.c_int), ('a', ctypes.c_uint64), ('b', ctypes.c_uint64)]


ALLOW, MASKED_EQ = 0x7fff0000, 7
lib.seccomp_init.restype = ctypes.c_void_p
lib.seccomp_init.argtypes = [ctypes.c_uint32]
lib.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Compare)]
lib.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]


def action(rule):
    return ALLOW if rule['action'] == 'SCMP_ACT_ALLOW' else 0x00050000 | rule['errnoRet']


profile = json.load(open(sys.argv[1]))
assert profile['architectures'] == ['SCMP_ARCH_X86_64'] and profile['defaultAction'] == 'SCMP_ACT_ERRNO'
context = lib.seccomp_init(0x00050000 | profile['defaultErrnoRet'])
unknown = []
for rule in profile['syscalls']:
    for name in rule['names']:
        number = lib.seccomp_syscall_resolve_name(name.encode())
        # Numbers below -1 stand for calls of other architectures.
        if number < 0:
            unknown.append(name)
            continue
        given = rule.get('args', [])
        compare = (Compare * max(1, len(given)))(*[Compare(arg['index'], MASKED_EQ, arg['value'], arg['valueTwo']) for arg in given])
        result = lib.seccomp_rule_add_array(context, action(rule), number, len(given), compare)
        if result != 0:
            sys.exit(f'{rule}: {os.strerror(-result)}')
print(' '.join(unknown), flush=True)
if lib.seccomp_export_bpf(context, 1) != 0:
    sys.exit('cannot export')
