import glob
for p in glob.glob("/proc/[0-9]*"):
    for f in ("environ", "mem", "maps", "cmdline", "root/etc/shadow", "cwd", "fd/0"):
        try: open(f"{p}/{f}", "rb").read(100)
        except OSError: pass
    for f in ("oom_score_adj", "attr/current", "attr/exec", "setgroups", "uid_map", "loginuid", "mem", "clear_refs"):
        try: open(f"{p}/{f}", "w").write("0")
        except OSError: pass
