#!/bin/sh
# The first process of the guest. $1: the directory of this run on the machine, which becomes /run/out, writable.
# In it: settings (variables of this script), job.sh (what is to be run), and at the end rc (how that ended).
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/home LANG=C.UTF-8 TERM=dumb
up() { read -r now _ </proc/uptime; echo "[guest $now] $*"; }

mount -t proc proc /proc
mount -t sysfs sys /sys
[ -e /dev/null ] || mount -t devtmpfs dev /dev
. "$1/settings"
# What would be covered by the next mounts is opened first.
for name in $COVERED; do mkdir -p "/dev/covered/$name" && mount --bind "/$name" "/dev/covered/$name"; done
# /var/lib: bluetoothd keeps its bonds there.
for place in /run /var/lib; do mount -t tmpfs -o mode=755 tmpfs $place; done
for name in $COVERED; do mkdir -p "/$name" && mount --bind "/dev/covered/$name" "/$name"; done
mkdir -p /dev/pts /dev/shm /run/dbus /run/home /run/tmp /run/out /run/bin
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t configfs configfs /sys/kernel/config
mkdir -m 700 /var/lib/bluetooth
mount -t hostfs -o "$1" none /run/out
export TMPDIR=/run/tmp
"$TREE_BUSYBOX" --install -s /run/bin
PATH=$PATH:/run/bin
ifconfig lo 127.0.0.1 up

# The libraries belong to these programs alone: with them, the machine's own ones might not start.
beside() { LD_LIBRARY_PATH=$TREE_LIBRARIES "$@"; }
beside "$TREE_DBUS_DAEMON" --config-file=/run/out/dbus.conf --fork --nopidfile
beside "$TREE_BLUETOOTHD" -n -f "$TREE_SETTINGS" >/run/out/bluetoothd.log 2>&1 &
tries=0
until beside "$TREE_DBUS_SEND" --system --print-reply --dest=org.freedesktop.DBus / \
    org.freedesktop.DBus.GetNameOwner string:org.bluez >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -gt 200 ] && up "bluetoothd does not start" && break
    sleep 0.05
done
up "ready"
if [ -n "$CAPTURE" ]; then beside "$TREE_BTMON" -w /run/out/hci.btsnoop >/dev/null 2>&1 & fi
timeout "$LIMIT_S" sh /run/out/job.sh
code=$?
up "ended with $code"
echo $code >/run/out/rc
sync
"$TREE_BUSYBOX" poweroff -f
