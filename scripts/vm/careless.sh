# Makes the test host as careless as hosts are: defaults everywhere, two files of root's in a user's hands, containers at work.
# store names where the Engine keeps its images; empty leaves that to it.
set -euo pipefail

useradd --create-home developer
touch /etc/environment
mkdir -p /etc/docker
case $store in
containerd) features=',\n\t"features": {"containerd-snapshotter": true}' ;;
overlay2) features=',\n\t"features": {"containerd-snapshotter": false}' ;;
*) features= ;;
esac
printf '{\n\t"max-concurrent-downloads": 4,\n\t"labels": ["rack=7"]'"$features"'\n}\n' >/etc/docker/daemon.json
chown developer:developer /etc/docker/daemon.json
chmod 666 /etc/docker/daemon.json /etc/default/docker
setfattr -n user.ticket -v INC-1234 /etc/docker/daemon.json
setfacl -m u:developer:r /etc/environment
auditctl -D >/dev/null
systemctl restart docker

root=$(mktemp -d)
mkdir "$root/bin"
cp /bin/busybox "$root/bin/"
tar -C "$root" -c . | docker import - sleeper >/dev/null
rm -r "$root"
docker run -d --name early sleeper /bin/busybox sleep 1000000 >/dev/null
docker run -d --name web -p 127.0.0.1:8080:80 sleeper /bin/busybox httpd -f -h /bin >/dev/null
