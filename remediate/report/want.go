package report

import (
	"encoding/json"
	"fmt"
	"strings"

	"example.com/harden/checks/want"
)

// Describe says in one line what a want asks for.
func Describe(w want.Want) string {
	switch w := w.(type) {
	case want.Key:
		key := strings.Join(w.Key, ".")
		if w.Value == nil {
			return fmt.Sprintf("take %s out of %s", key, w.File)
		}
		value, err := json.Marshal(w.Value)
		if err != nil {
			return fmt.Sprintf("set %s in %s", key, w.File)
		}
		return fmt.Sprintf("set %s to %s in %s", key, value, w.File)
	case want.Flag:
		if w.Gone {
			return fmt.Sprintf("start %s without --%s", w.Unit, w.Name)
		}
		return fmt.Sprintf("start %s with --%s=%s", w.Unit, w.Name, w.Value)
	case want.Field:
		field := strings.Join(w.Field, ".")
		if w.Value == nil {
			return fmt.Sprintf("take %s out of %s", field, w.File)
		}
		value, err := json.Marshal(w.Value)
		if err != nil {
			return fmt.Sprintf("set %s in %s", field, w.File)
		}
		return fmt.Sprintf("set %s to %s in %s", field, value, w.File)
	case want.PodFlag:
		return podFlag(w)
	case want.Content:
		return "make " + w.File
	case want.Setting:
		return fmt.Sprintf("set %s=%s in [%s] of %s", w.Key, w.Value, w.Section, w.Unit)
	case want.Mode:
		return fmt.Sprintf("set the mode of %s to %04o", w.File, w.Mode)
	case want.Owner:
		return fmt.Sprintf("give %s to %s", w.File, w.Owner)
	case want.AuditRule:
		if w.Dir {
			return fmt.Sprintf("record changes of %s and all below it", w.Path)
		}
		return fmt.Sprintf("record changes of %s", w.Path)
	case want.Env:
		return fmt.Sprintf("set %s=%s in %s", w.Name, w.Value, w.File)
	case want.Container:
		return fmt.Sprintf("update %s of the container %s in place", strings.Join(limits(w.Limits), ", "), Clean(w.Name))
	case want.Compose:
		key := strings.Join(w.Key, ".")
		if key == "" {
			return fmt.Sprintf("make the containers of service %s of %s again from %s", w.Service, w.Project, w.File)
		}
		if w.Value == nil {
			return fmt.Sprintf("take %s out of service %s in %s", key, w.Service, w.File)
		}
		return fmt.Sprintf("set %s to %v for service %s in %s", key, w.Value, w.Service, w.File)
	case want.Instruction:
		return fmt.Sprintf("make %s of the %s in line %d of %s", w.To, w.From, w.Line, w.File)
	case want.Service:
		if w.Reload {
			return "reload " + w.Unit
		}
		return "restart " + w.Unit
	}
	return fmt.Sprintf("%+v", w)
}

func podFlag(w want.PodFlag) string {
	var parts []string
	if len(w.Add) > 0 {
		parts = append(parts, fmt.Sprintf("add %s to --%s", strings.Join(w.Add, ","), w.Name))
	}
	if len(w.Drop) > 0 {
		parts = append(parts, fmt.Sprintf("take %s out of --%s", strings.Join(w.Drop, ","), w.Name))
	}
	switch {
	case w.Gone:
		parts = append(parts, "start it without --"+w.Name)
	case len(parts) == 0:
		parts = append(parts, fmt.Sprintf("start it with --%s=%s", w.Name, w.Value))
	}
	for _, m := range w.Mounts {
		parts = append(parts, "show it "+m.Path)
	}
	return fmt.Sprintf("%s: %s", w.Container, strings.Join(parts, ", "))
}

// limits spells what is wanted of a container as `docker update` takes it.
func limits(l want.Limits) (options []string) {
	add := func(name string, n int64) {
		if n != 0 {
			options = append(options, fmt.Sprintf("--%s=%d", name, n))
		}
	}
	add("memory", l.Memory)
	add("memory-swap", l.MemorySwap)
	add("cpu-shares", l.CPUShares)
	add("pids-limit", l.PIDs)
	if l.Restart != "" {
		options = append(options, "--restart="+l.Restart)
	}
	return options
}
