# SPDX-License-Identifier: Apache-2.0
# What a contained agent does with its own shell: dash /workspace/hands.sh
cd /workspace
echo one > "a file"
mkdir d
mv "a file" d/b
ln -s d/b l
ln d/b h
chmod 600 d/b
rm -r d
/usr/bin/printf 'x
y "q" subj=unconfined success=no' 'a=b c' 4142 >/dev/null
cat /etc/shadow
echo x >/etc/x
echo 'echo two > from-stdin' | sh
cp /usr/bin/true own
./own word
exec python3 -I -B -c '
import os
def child(run):
    if os.fork() == 0:
        try: run()
        except OSError as e: print(e)
        os._exit(1)
    os.wait()
m = os.memfd_create("m")
os.write(m, open("/usr/bin/true", "rb").read())
child(lambda: os.execve(m, ["[kworker/0:1]"], {}))
child(lambda: os.execv("/usr/bin/true", ["/usr/sbin/sshd", "-D"]))
child(lambda: os.execv("/lib64/ld-linux-x86-64.so.2", ["ld", "/usr/bin/true"]))
folder = os.open("/workspace", os.O_RDONLY)
os.close(os.open("odd\nname", os.O_RDONLY | os.O_CREAT, dir_fd=folder))
os.unlink("odd\nname", dir_fd=folder)
os.unlink("l")
os.close(os.open("/tmp/t", os.O_WRONLY | os.O_CREAT))
print("hands are done", flush=True)
'
