package child

import "runtime"

// The first thread of a process cannot end, and /proc/self tells of it: one that went into a container's namespaces
// would show the container's files to the rest of the tests. It stays the main goroutine's, which changes nothing.
func init() { runtime.LockOSThread() }

// Thread has do run on a thread of its own, which ends with it: do may change what the kernel holds of a thread, such
// as its user, its namespaces or its filter of system calls.
func Thread(do func()) {
	go func() {
		runtime.LockOSThread() // and never unlocked
		do()
	}()
}
