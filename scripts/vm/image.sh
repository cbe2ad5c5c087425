#!/bin/bash
# Builds the disk of a test host: image.sh OUT AGENT MIRROR SUITE PACKAGES makes OUT/{disk.img,vmlinuz,initrd}. Needs root,
# debootstrap and e2fsprogs; takes about two minutes. Anything changed here builds a new image: its name is the hash of what goes into it.
set -euo pipefail
out=$1 agent=$2 mirror=$3 suite=$4 root=$1/root
packages=systemd,systemd-sysv,dbus,udev,kmod,procps,iproute2,linux-image-cloud-amd64,initramfs-tools,zstd,docker.io,apparmor,auditd
packages+=,busybox-static,jq,attr,acl,patch,strace,$5
mkdir "$root"

# the tools of the initial ram disk are chosen before the kernel's package makes it: what is not there need not be unpacked
# by an emulated processor
mkdir -p "$root/etc/initramfs-tools/conf.d"
echo MODULES=list >"$root/etc/initramfs-tools/conf.d/test-host"
printf '%s\n' virtio_pci virtio_blk ext4 >"$root/etc/initramfs-tools/modules"
# a half-made image is thrown away: dpkg need not wait for the disk after each file
mkdir -p "$root/etc/dpkg/dpkg.cfg.d"
echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/test-host"
debootstrap --variant=minbase --include="$packages" "$suite" "$root" "$mirror"
rm -rf "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*

install -m 755 "$agent" "$root/usr/local/sbin/agent"
cat >"$root/etc/systemd/system/agent.service" <<'U'
[Unit]
Description=Does what the test asks for
[Service]
ExecStart=/usr/local/sbin/agent
Restart=always
OOMScoreAdjust=-1000
[Install]
WantedBy=multi-user.target
U
echo test-host >"$root/etc/hostname"
echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
chroot "$root" systemctl enable agent.service
# nothing that starts by the clock, and no console that waits for a person
chroot "$root" systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
  fstrim.timer logrotate.timer man-db.timer serial-getty@ttyS0.service getty@tty1.service

cp "$root"/boot/vmlinuz-* "$out/vmlinuz"
cp "$root"/boot/initrd.img-* "$out/initrd"
truncate -s 6G "$out/disk.img"
rm "$root/etc/dpkg/dpkg.cfg.d/test-host"
mkfs.ext4 -q -d "$root" "$out/disk.img"
rm -rf "$root"
