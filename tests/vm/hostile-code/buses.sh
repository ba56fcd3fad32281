for s in /run/dbus/system_bus_socket /run/systemd/private /run/docker.sock /run/holdfast/operator.sock \
  /run/holdfast-ledger/append.sock /run/holdfast/agents/laptop/mcp.sock; do
  python3 -c 'import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.send(b"{}\n")' $s
done
busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager Reboot
docker run -v /:/h alpine
holdfast grant laptop 'process:run:*' 1h x
