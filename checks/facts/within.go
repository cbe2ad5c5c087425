package facts

import "example.com/harden/checks/budget"

// FileWithin returns a file with its content, where a budget has its bytes and lines left.
func FileWithin(h *Host, b *budget.Budget, path string) (File, error) {
	info, err := h.Info(path)
	if err != nil {
		return File{}, err
	}
	if err := b.Spend(budget.Bytes, int(info.Size), 0); err != nil {
		return File{Info: info}, err
	}
	f, err := h.File(path)
	if err != nil {
		return f, err
	}
	return f, b.Lines(f.Data)
}

// Added returns a file that an ADD takes. All of them together are held to the budget of the sources.
func Added(h *Host, file string) (File, error) { return OncePer(h, "added", file, Anew, readAdded) }

func readAdded(h *Host, file string) (File, error) {
	info, err := h.Info(file)
	if err != nil {
		return File{}, err
	}
	if err := budget.New(file, h.spent).Spend(budget.Bytes, int(info.Size), 0); err != nil {
		return File{Info: info}, err
	}
	return h.File(file)
}
