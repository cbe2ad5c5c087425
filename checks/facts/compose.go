package facts

type Compose struct{ SourceFile }

func (h *Host) composeOf(f *SourceFile) *Compose { return &Compose{*f} }
func withOverrides(c []*Compose) []*Compose      { return c }
