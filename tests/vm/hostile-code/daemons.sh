setsid nohup sleep 1000 >/dev/null 2>&1 &
(trap '' HUP TERM INT; while :; do sleep 1; done) &
nohup bash -c 'exec -a sshd sleep 999' &
disown -a
