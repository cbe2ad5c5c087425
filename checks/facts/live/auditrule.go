//go:build linux && !portable

package live

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The parts of the kernel's struct audit_rule_data, in 32-bit words. Source: include/uapi/linux/audit.h.
const (
	ruleFlags      = 0
	ruleAction     = 1
	ruleCount      = 2
	ruleMask       = 3
	ruleFields     = ruleMask + unix.AUDIT_BITMASK_SIZE
	ruleValues     = ruleFields + unix.AUDIT_MAX_FIELDS
	ruleFieldFlags = ruleValues + unix.AUDIT_MAX_FIELDS
	ruleBufferSize = ruleFieldFlags + unix.AUDIT_MAX_FIELDS
	ruleBuffer     = ruleBufferSize + 1
)

// ruleText spells a loaded rule as auditctl takes it. Watches come out in the spelling that tells a path from a
// directory (path= and dir=), which -w does not; system calls by their number.
func ruleText(data []byte) (string, error) {
	if len(data) < 4*ruleBuffer {
		return "", fmt.Errorf("rule of %d bytes", len(data))
	}
	word := func(i int) uint32 { return binary.NativeEndian.Uint32(data[4*i:]) }
	buffer := data[4*ruleBuffer:]
	if n := word(ruleBufferSize); int(n) <= len(buffer) {
		buffer = buffer[:n]
	}
	text := []string{"-a", actions[word(ruleAction)] + "," + lists[word(ruleFlags)&^unix.AUDIT_FILTER_PREPEND]}
	var fields []string
	for i := range min(int(word(ruleCount)), unix.AUDIT_MAX_FIELDS) {
		field, value := word(ruleFields+i), word(ruleValues+i)
		name, op := fieldNames[field], operators[word(ruleFieldFlags+i)&unix.AUDIT_OPERATORS]
		if name == "" {
			name = "field" + strconv.Itoa(int(field))
		}
		if field == unix.AUDIT_ARCH { // auditctl wants it before the system calls that it gives a meaning
			text = append(text, "-F", name+op+architecture(value))
			continue
		}
		shown := strconv.FormatInt(int64(int32(value)), 10)
		switch {
		case stringFields[field]:
			if int(value) > len(buffer) {
				return "", fmt.Errorf("rule whose %s has %d of %d bytes", name, value, len(buffer))
			}
			shown, buffer = string(buffer[:value]), buffer[value:]
			if field == unix.AUDIT_FILTERKEY {
				shown = strings.ReplaceAll(shown, "\x01", ",") // several keys in one
			}
			shown = quoteRule(shown)
		case field == unix.AUDIT_PERM:
			shown = permissions(value)
		case (field == unix.AUDIT_LOGINUID || field == unix.AUDIT_SESSIONID) && value == ^uint32(0):
			shown = "unset"
		}
		fields = append(fields, "-F", name+op+shown)
	}
	if calls := systemCalls(word); calls != "" {
		text = append(text, "-S", calls)
	}
	return strings.Join(append(text, fields...), " "), nil
}

// quoteRule keeps a name with blanks, quotes or backslashes one word.
func quoteRule(s string) string {
	if !strings.ContainsAny(s, " \t\n\"'\\") {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// systemCalls lists what the rule's mask selects; empty for the lists that know no system calls.
func systemCalls(word func(int) uint32) string {
	if list := word(ruleFlags) &^ unix.AUDIT_FILTER_PREPEND; list != unix.AUDIT_FILTER_EXIT {
		return ""
	}
	var calls []string
	all := true
	for i := range unix.AUDIT_BITMASK_SIZE {
		bits := word(ruleMask + i)
		all = all && (bits == ^uint32(0) || i == unix.AUDIT_BITMASK_SIZE-1) // auditctl leaves the last word's classes out
		for b := range 32 {
			if bits&(1<<b) != 0 {
				calls = append(calls, strconv.Itoa(32*i+b))
			}
		}
	}
	if all {
		return "all"
	}
	return strings.Join(calls, ",")
}

func permissions(mask uint32) string {
	var s string
	for _, p := range []struct {
		bit  uint32
		name string
	}{{unix.AUDIT_PERM_READ, "r"}, {unix.AUDIT_PERM_WRITE, "w"}, {unix.AUDIT_PERM_EXEC, "x"},
		{unix.AUDIT_PERM_ATTR, "a"}} {
		if mask&p.bit != 0 {
			s += p.name
		}
	}
	return s
}

// architecture names 64-bit and 32-bit alike for every processor: the kernel's number says it in one bit.
func architecture(value uint32) string {
	const is64Bit = 0x80000000
	if value&is64Bit != 0 {
		return "b64"
	}
	return "b32"
}

var (
	actions = map[uint32]string{unix.AUDIT_NEVER: "never", unix.AUDIT_POSSIBLE: "possible", unix.AUDIT_ALWAYS: "always"}
	lists   = map[uint32]string{
		unix.AUDIT_FILTER_USER: "user", unix.AUDIT_FILTER_TASK: "task", unix.AUDIT_FILTER_ENTRY: "entry",
		unix.AUDIT_FILTER_WATCH: "watch", unix.AUDIT_FILTER_EXIT: "exit", unix.AUDIT_FILTER_EXCLUDE: "exclude",
		unix.AUDIT_FILTER_FS: "filesystem", unix.AUDIT_FILTER_URING_EXIT: "io_uring",
	}
	operators = map[uint32]string{
		unix.AUDIT_EQUAL: "=", unix.AUDIT_NOT_EQUAL: "!=", unix.AUDIT_LESS_THAN: "<", unix.AUDIT_GREATER_THAN: ">",
		unix.AUDIT_LESS_THAN_OR_EQUAL: "<=", unix.AUDIT_GREATER_THAN_OR_EQUAL: ">=", unix.AUDIT_BIT_MASK: "&",
		unix.AUDIT_BIT_TEST: "&=", 0: "=",
	}
	fieldNames = map[uint32]string{
		unix.AUDIT_PID: "pid", unix.AUDIT_UID: "uid", unix.AUDIT_EUID: "euid", unix.AUDIT_SUID: "suid",
		unix.AUDIT_FSUID: "fsuid",
		unix.AUDIT_GID:   "gid", unix.AUDIT_EGID: "egid", unix.AUDIT_SGID: "sgid", unix.AUDIT_FSGID: "fsgid",
		unix.AUDIT_LOGINUID: "auid", unix.AUDIT_PERS: "pers", unix.AUDIT_ARCH: "arch", unix.AUDIT_MSGTYPE: "msgtype",
		unix.AUDIT_SUBJ_USER: "subj_user", unix.AUDIT_SUBJ_ROLE: "subj_role", unix.AUDIT_SUBJ_TYPE: "subj_type",
		unix.AUDIT_PPID: "ppid", unix.AUDIT_OBJ_USER: "obj_user", unix.AUDIT_OBJ_ROLE: "obj_role",
		unix.AUDIT_OBJ_TYPE:     "obj_type",
		unix.AUDIT_LOGINUID_SET: "auid_set", unix.AUDIT_SESSIONID: "sessionid", unix.AUDIT_FSTYPE: "fstype",
		unix.AUDIT_DEVMAJOR: "devmajor", unix.AUDIT_DEVMINOR: "devminor", unix.AUDIT_INODE: "inode", unix.AUDIT_EXIT: "exit",
		unix.AUDIT_SUCCESS: "success", unix.AUDIT_WATCH: "path", unix.AUDIT_PERM: "perm", unix.AUDIT_DIR: "dir",
		unix.AUDIT_FILETYPE: "filetype", unix.AUDIT_OBJ_UID: "obj_uid", unix.AUDIT_OBJ_GID: "obj_gid",
		unix.AUDIT_FIELD_COMPARE: "field_compare", unix.AUDIT_EXE: "exe", unix.AUDIT_FILTERKEY: "key",
	}
	// stringFields have their value in the rule's buffer, and its length where others have the value.
	stringFields = map[uint32]bool{
		unix.AUDIT_WATCH: true, unix.AUDIT_DIR: true, unix.AUDIT_FILTERKEY: true, unix.AUDIT_EXE: true,
		unix.AUDIT_SUBJ_USER: true, unix.AUDIT_SUBJ_ROLE: true, unix.AUDIT_SUBJ_TYPE: true, unix.AUDIT_SUBJ_SEN: true,
		unix.AUDIT_SUBJ_CLR: true, unix.AUDIT_OBJ_USER: true, unix.AUDIT_OBJ_ROLE: true, unix.AUDIT_OBJ_TYPE: true,
		unix.AUDIT_OBJ_LEV_LOW: true, unix.AUDIT_OBJ_LEV_HIGH: true,
	}
)
