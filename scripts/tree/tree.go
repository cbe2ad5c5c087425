// Package tree tells of the files of a directory what tests compare.
package tree

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Of tells of each file below root, or below some folders of root, its mode, its owner and what it holds.
func Of(t testing.TB, root string, folders ...string) map[string]string {
	t.Helper()
	return of(t, root, false, folders)
}

// Touched is Of with each file's inode and times too, which tell that something was written and is as before.
func Touched(t testing.TB, root string) map[string]string {
	t.Helper()
	return of(t, root, true, nil)
}

func of(t testing.TB, root string, times bool, folders []string) map[string]string {
	t.Helper()
	if len(folders) == 0 {
		folders = []string{"."}
	}
	all := map[string]string{}
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			all[strings.TrimPrefix(path, root)], err = file(path, d, times)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func file(path string, d fs.DirEntry, times bool) (string, error) {
	info, err := d.Info()
	if err != nil {
		return "", err
	}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return "", err
	}
	text := fmt.Sprintf("%v %d:%d", info.Mode(), st.Uid, st.Gid)
	if times {
		text += fmt.Sprintf(" inode %d, %v %v", st.Ino, st.Mtim, st.Ctim)
	}
	var content string
	switch {
	case d.Type().IsRegular():
		data, err := os.ReadFile(path)
		return text + "\n" + string(data), err
	case d.Type()&fs.ModeSymlink != 0:
		content, err = os.Readlink(path)
	}
	return text + "\n" + content, err
}
