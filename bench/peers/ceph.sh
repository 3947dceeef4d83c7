#!/bin/bash
# One-node Ceph with an S3 gateway, on loopback, without services or systemd: one monitor, one manager, one BlueStore
# OSD on a sparse file, one radosgw.
#   ceph.sh DIR S3_PORT MON_PORT ACCESS_KEY SECRET
# Needs the Debian packages ceph-mon ceph-mgr ceph-osd radosgw ceph-common. Pids end up in DIR/run/*.pid.
set -euo pipefail

dir=$(mkdir -p "$1" && cd "$1" && pwd)
s3_port=$2 mon_port=$3 access_key=$4 secret=$5
conf=$dir/ceph.conf
admin=$dir/client.admin.keyring
cluster=$(cat /proc/sys/kernel/random/uuid)
mkdir -p "$dir"/{mon,mgr,osd,rgw,log,run}

cat > "$conf" <<END
[global]
fsid = $cluster
mon host = v2:127.0.0.1:$mon_port
mon initial members = a
public network = 127.0.0.0/8
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
ms bind msgr1 = false
keyring = $dir/\$type.\$id.keyring
run dir = $dir/run
pid file = $dir/run/\$name.pid
admin socket = $dir/run/\$name.asok
log file = $dir/log/\$name.log
crash dir = $dir/crash
# One copy on one disk: what our server promises too.
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
mon data avail warn = 2
debug ms = 0/0
[mon.a]
mon data = $dir/mon/a
mon cluster log file = $dir/log/cluster.log
debug mon = 0/0
debug paxos = 0/0
[mgr.x]
mgr data = $dir/mgr/x
debug mgr = 0/0
[osd.0]
osd data = $dir/osd/0
osd objectstore = bluestore
bluestore block create = true
bluestore block size = 21474836480
osd memory target = 3221225472
debug osd = 0/0
debug bluestore = 0/0
debug bluefs = 0/0
debug rocksdb = 0/0
[client.rgw.a]
# Without tcp_nodelay small answers on kept connections wait about 40 ms for an acknowledgement.
rgw frontends = beast endpoint=127.0.0.1:$s3_port tcp_nodelay=1
rgw data = $dir/rgw
rgw dns name = localhost
rgw thread pool size = 128
rgw enable usage log = false
rgw enable ops log = false
debug rgw = 0/0
END

ceph() { timeout 60 /usr/bin/ceph -c "$conf" --keyring "$admin" "$@"; }

ceph-authtool --create-keyring "$dir/mon.keyring" --gen-key -n mon. --cap mon 'allow *'
ceph-authtool --create-keyring "$admin" --gen-key -n client.admin \
  --cap mon 'allow *' --cap osd 'allow *' --cap mds 'allow *' --cap mgr 'allow *'
ceph-authtool "$dir/mon.keyring" --import-keyring "$admin"
monmaptool --create --fsid "$cluster" --addv a "[v2:127.0.0.1:$mon_port]" "$dir/monmap"
ceph-mon --mkfs -i a --monmap "$dir/monmap" --keyring "$dir/mon.keyring" -c "$conf"
ceph-mon -i a -c "$conf"

ceph auth get-or-create mgr.x mon 'allow profile mgr' osd 'allow *' mds 'allow *' -o "$dir/mgr.x.keyring"
ceph-mgr -i x -c "$conf"

# The OSD boots only if its store carries the id that the monitor was told.
osd=$(cat /proc/sys/kernel/random/uuid)
ceph osd new "$osd" 0
mkdir -p "$dir/osd/0"
ceph auth get-or-create osd.0 mon 'allow profile osd' mgr 'allow profile osd' osd 'allow *' -o "$dir/osd.0.keyring"
ceph-osd -i 0 --mkfs --osd-uuid "$osd" -c "$conf"
ceph-osd -i 0 -c "$conf"

ceph auth get-or-create client.rgw.a mon 'allow rw' osd 'allow rwx' mgr 'allow rw' -o "$dir/client.rgw.a.keyring"
radosgw -n client.rgw.a -c "$conf"
for _ in $(seq 120); do
  curl -s -o /dev/null "http://127.0.0.1:$s3_port/" && break
  sleep 0.5
done
timeout 60 radosgw-admin -c "$conf" --keyring "$admin" user create --uid=bench --display-name=bench \
  --access-key="$access_key" --secret-key="$secret"
