import ctypes, mmap, os
fd = os.memfd_create("x", 0)
os.write(fd, open("/usr/bin/id", "rb").read())
if os.fork() == 0: os.execve(f"/proc/self/fd/{fd}", ["kworker"], {})
os.wait()
# reboot(2) in machine code, made and run in memory
code = bytes.fromhex("b8a9000000" "bfaddee1fe" "be69191228" "ba67452301" "0f05" "c3")
m = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
m.write(code)
ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()
