package vm

const emulator = "qemu-system-x86_64"

// hardware describes the machine to the emulator. A snapshot fits only the very machine that it was taken of, so
// that a change here makes a new image. The files it names without a folder are made where the emulator runs.
func hardware(kernel, initrd, disk string) []string {
	return []string{
		"-accel", "tcg,thread=multi", "-smp", "2", "-m", "1536", "-nodefaults", "-nic", "none", "-display", "none",
		"-no-reboot",
		"-kernel", kernel, "-initrd", initrd, "-append", "root=/dev/vda rw console=ttyS0 quiet",
		// the page cache outside stands for a disk that keeps what it was given: what a power cut loses is what the
		// guest had not yet handed over
		"-drive", "file=" + disk + ",format=qcow2,if=virtio,cache=writeback,discard=unmap",
		"-chardev", "file,id=console,append=on,path=console.log", "-serial", "chardev:console",
		"-device", "virtio-serial", "-chardev", "socket,id=agent,path=agent,server=on,wait=off",
		"-device", "virtserialport,chardev=agent,name=agent",
		"-qmp", "unix:qmp,server=on,wait=off",
	}
}
