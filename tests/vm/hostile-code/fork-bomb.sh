f() { f | f & }
f
for i in $(seq 2000); do sleep 100 & done
