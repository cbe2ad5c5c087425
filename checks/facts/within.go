package facts

import "example.com/harden/checks/budget"

// FileWithin returns a file with its content, where a budget has its bytes and lines left.
func FileWithin(h *Host, b *budget.Budget, path string) (File, error) {
	f, err := fileOf(h, b, path)
	if err != nil {
		return f, err
	}
	return f, b.Lines(f.Data)
}

// Added returns a file that an ADD takes. All of them together are held to the budget of the sources.
func Added(h *Host, file string) (File, error) { return OncePer(h, "added", file, Anew, readAdded) }

func readAdded(h *Host, file string) (File, error) { return fileOf(h, budget.New(file, h.spent), file) }

// fileOf reads a file whose bytes a budget has left.
func fileOf(h *Host, b *budget.Budget, path string) (File, error) {
	info, err := h.Info(path)
	if err != nil {
		return File{}, err
	}
	if err := b.Spend(budget.Bytes, int(info.Size), 0); err != nil {
		return File{Info: info}, err
	}
	return h.File(path)
}
