package apply

// Remark writes to the history what somebody does who holds the lock and has a journal of his own, such as a guided
// move.
func Remark(o Options, what string) error {
	o, err := o.defaults()
	if err != nil {
		return err
	}
	s, err := openStore(o, true)
	if err != nil {
		return err
	}
	defer s.close()
	h := newHistory(s)
	if err := h.open(); err != nil {
		return err
	}
	who := actor()
	return h.append(record{Event: hiRemark, What: what, Actor: &who, By: o.Version})
}
