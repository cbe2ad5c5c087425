# Makes the test host the one node of a cluster: the images and /usr/bin/{kubeadm,kubectl,kubelet} are there, /root/kubeadm.yaml
# says what kubeadm is to make. The control plane starts in the background, as the unit kubeadm-init.
set -euo pipefail

systemctl disable -q --now docker.socket docker.service auditd.service
hostnamectl set-hostname node1
printf '127.0.0.1 localhost\n192.0.2.10 node1\n' >/etc/hosts

# no network card: the node's address is the machine's own
cat >/etc/systemd/system/address.service <<'U'
[Unit]
Description=The node's address
Before=kubelet.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/ip address replace 192.0.2.10/32 dev lo
[Install]
WantedBy=multi-user.target
U

# pods are on the host's network, all of them: a configured network is what makes the node ready, and nobody uses it
mkdir -p /etc/cni/net.d /etc/containerd
cat >/etc/cni/net.d/10-none.conflist <<'C'
{"cniVersion": "0.4.0", "name": "none", "plugins": [{"type": "loopback"}]}
C
cat >/etc/containerd/config.toml <<C
version = 2
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$(ctr -n k8s.io images ls -q | grep /pause:)"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = true
C

# as the package of kubeadm has it: four sources of flags, in this order
mkdir -p /usr/lib/systemd/system/kubelet.service.d
cat >/usr/lib/systemd/system/kubelet.service <<'U'
[Unit]
Description=The node's agent
Wants=containerd.service address.service
After=containerd.service address.service
[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10
[Install]
WantedBy=multi-user.target
U
cat >/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf <<'U'
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
U
systemctl daemon-reload
systemctl restart containerd
systemctl enable -q --now address.service
systemctl enable -q kubelet.service

# kubectl finds it there, whoever starts it
mkdir -p /root/.kube
ln -s /etc/kubernetes/admin.conf /root/.kube/config

systemd-run -q --unit kubeadm-init --remain-after-exit -p Environment=HOME=/root \
  kubeadm init --config /root/kubeadm.yaml --skip-phases=preflight,addon
