echo '* * * * * /tmp/x' | crontab -
echo '* * * * * root /tmp/x' >/etc/cron.d/x
printf '[Service]\nExecStart=/tmp/x\n' >/run/systemd/system/x.service
systemctl daemon-reload; systemctl enable --now x
systemd-run /bin/true
