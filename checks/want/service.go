package want

// A Service wants a running service to take up the configuration that it already has on disk: nothing to write,
// only something to activate.
type Service struct {
	Unit   string
	Key    string // what has not been taken up yet
	Reload bool   // in place, by the service's own reload; otherwise by a restart
}

func (w Service) Class() Class {
	if w.Reload {
		return Reload
	}
	return Restart
}

// Entitled: there is no path to it.
func (Service) Entitled() Warrant { return Mine }

// Text is what it asks for.
func (w Service) Text() string {
	if w.Reload {
		return "reload " + w.Unit
	}
	return "restart " + w.Unit
}

// Claim is nothing: two fixes may want the same restart.
func (Service) Claim() (place, value string) { return "", "" }

func (Service) want() {}
