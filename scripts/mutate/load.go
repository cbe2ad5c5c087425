package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// A pkg is a package as it is and with its mutants.
type pkg struct {
	dir, path string
	module    string
	files     []string // absolute
	mutants   []*mutant
	overlay   map[string]string // what go is to compile instead of each file
}

type listed struct {
	Dir, ImportPath, Export string
	GoFiles                 []string
	Module                  *struct{ Dir, Path string }
}

func list(args ...string) ([]listed, error) {
	cmd := exec.Command("go", append([]string{"list", "-e", "-json=Dir,ImportPath,Export,GoFiles,Module"},
		args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
}

// load parses and type-checks a package against what the compiler has exported of the others.
func load(name string) (*pkg, error) {
	all, err := list("-export", "-deps", name)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for _, l := range all {
		exports[l.ImportPath] = l.Export
	}
	self := all[len(all)-1]
	if len(self.GoFiles) == 0 || self.Module == nil {
		return nil, fmt.Errorf("%s: no Go files; name a package of this module", name)
	}
	p := &pkg{dir: self.Dir, path: self.ImportPath, module: self.Module.Path, overlay: map[string]string{}}
	fset := token.NewFileSet()
	var files []*ast.File
	var src [][]byte
	for _, g := range self.GoFiles {
		file := filepath.Join(self.Dir, g)
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		parsed, err := parser.ParseFile(fset, file, data, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return nil, err
		}
		p.files, files, src = append(p.files, file), append(files, parsed), append(src, data)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})}
	checked, err := conf.Check(self.ImportPath, fset, files, info)
	if err != nil {
		return nil, err
	}
	next := 0
	for i, file := range files {
		rel, err := filepath.Rel(self.Module.Dir, p.files[i])
		if err != nil {
			return nil, err
		}
		f := &finder{fset: fset, file: fset.File(file.Pos()), name: rel, src: src[i], info: info, pkg: checked,
			imports: imported(file, checked), next: &next, seen: map[ast.Node]bool{}, same: map[ast.Expr]int{}}
		for _, d := range file.Decls {
			f.fn = ""
			ast.Walk(f, d)
		}
		p.mutants = append(p.mutants, f.mutants...)
		p.overlay[p.files[i]] = string(f.render())
	}
	p.overlay[filepath.Join(p.dir, "mutate_switch.go")] = fmt.Sprintf(switchSource, checked.Name())
	return p, nil
}

// imported returns what the file calls the packages that it imports, by path.
func imported(f *ast.File, p *types.Package) map[string]string {
	names := map[string]string{}
	for _, i := range p.Imports() {
		names[i.Path()] = i.Name()
	}
	mine := map[string]string{}
	for _, s := range f.Imports {
		path, err := strconv.Unquote(s.Path.Value)
		if err != nil {
			continue
		}
		mine[path] = names[path]
		if s.Name != nil {
			mine[path] = s.Name.Name
		}
	}
	return mine
}

// switchSource calls a mutant by its number, or marks which ones are come by: in a mapped file, one byte for each,
// since a test may watch each call of the kernel, and may be killed at any. A test that starts itself with another
// environment is still told, by the file beside its program.
const switchSource = `package %s

import (
	"os"
	"strconv"
	"syscall"
)

var (
	mutateID   int
	mutateSeen []byte
	_          = mutateStart()
)

func mutateStart() bool {
	what := os.Getenv("MUTATE")
	if exe, err := os.Executable(); what == "" && err == nil {
		data, _ := os.ReadFile(exe + ".mutate")
		what = string(data)
	}
	if id, err := strconv.Atoi(what); err == nil {
		mutateID = id
	} else if f, err := os.OpenFile(what, os.O_RDWR, 0); err == nil {
		if info, err := f.Stat(); err == nil {
			mutateSeen, _ = syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ|syscall.PROT_WRITE,
				syscall.MAP_SHARED)
		}
		f.Close()
	}
	return true
}

func mutateOn(id int) bool {
	if id < len(mutateSeen) {
		mutateSeen[id] = 1
	}
	return id == mutateID
}

func mutateBy(id int) int {
	if mutateOn(id) {
		return 1
	}
	return 0
}
`

// write puts the package with its mutants into dir and returns the overlay's file.
func (p *pkg) write(dir string) (string, error) {
	replace := map[string]string{}
	for file, text := range p.overlay {
		to := filepath.Join(dir, filepath.Base(file))
		if err := os.WriteFile(to, []byte(text), 0o644); err != nil {
			return "", err
		}
		replace[file] = to
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	to := filepath.Join(dir, "overlay.json")
	return to, os.WriteFile(to, data, 0o644)
}

// compile builds the test program of a package with the mutants of p in it; false means that it has no tests.
func compile(tests, overlay, to string) (bool, error) {
	out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", to, tests).CombinedOutput()
	if err != nil {
		return false, fmt.Errorf("%s with its mutants: %w\n%s", tests, err, strings.TrimSpace(string(out)))
	}
	_, err = os.Stat(to)
	return err == nil, nil
}
