cd /workspace
mkdir -p "$(printf 'a\nb')"
touch ./-rf "$(printf '\033[31m')" ';reboot' '$(reboot)'
for i in $(seq 300); do mkdir d && cd d || break; done
