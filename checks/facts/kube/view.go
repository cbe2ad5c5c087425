package kube

import (
	"path"
	"slices"

	"example.com/harden/checks/facts"
)

// Views returns the host once for each static pod that starts a program which another starts too, so that each is
// judged by itself: the kubelet runs every manifest that it finds. In each view a program has one pod; the first view
// is of those that run, or are named as is usual, and Extra tells of the others. There is none where no program has
// two.
func Views(h *facts.Host) []View {
	n, err := NodeOf(h)
	if err != nil {
		return nil
	}
	views, _ := facts.OncePer(h, "views", n, facts.Anew,
		func(*facts.Host, *Node) ([]View, error) { return n.findViews(), nil })
	return views
}

func (n *Node) findViews() []View {
	h := n.host
	first := *n
	var others []View
	for _, name := range Programs {
		all := n.starting(name)
		if len(all) < 2 {
			continue
		}
		main := n.main(name, all)
		first.pods = besides(first.pods, all, main)
		for _, p := range all {
			if p != main {
				others = append(others, View{Extra: p.File, Program: name, pod: p})
			}
		}
	}
	if len(others) == 0 {
		return nil
	}
	views := []View{{Host: seeing(h, &first)}}
	rest := map[string][]StaticPod{} // of the first view, without any of the program
	for _, v := range others {
		if rest[v.Program] == nil {
			rest[v.Program] = slices.Clip(besides(first.pods, n.starting(v.Program), &StaticPod{}))
		}
		only := first
		only.pods = append(rest[v.Program], *v.pod)
		v.Host = seeing(h, &only)
		views = append(views, v)
	}
	return views
}

// A View is a host as it is with one of several static pods that start a program.
type View struct {
	Host    *facts.Host
	Program string // which program; empty in the first view
	Extra   string // the manifest of the pod; empty in the first view

	pod *StaticPod
}

// starting are the pods that surely start a program.
func (n *Node) starting(name string) (all []*StaticPod) {
	for i := range n.pods {
		if _, sure := n.pods[i].starts(name); sure == surely {
			all = append(all, &n.pods[i])
		}
	}
	return all
}

// main is the pod whose process runs; else the one in a file that is called after the program; else the last.
func (n *Node) main(name string, all []*StaticPod) *StaticPod {
	named := all[len(all)-1]
	for _, p := range slices.Backward(all) {
		if file := path.Base(p.File); file == name+".yaml" || file == name+".yml" || file == name+".json" {
			named = p
		}
	}
	ps, _ := running(n.host, name)
	best, most := named, 0
	for _, p := range append([]*StaticPod{named}, all...) {
		if run := n.pick(ps, &Component{Name: name, Pod: p}, surely); run != nil {
			if same := alike(run.Args, p.Argv); same > most {
				best, most = p, same
			}
		}
	}
	return best
}

// besides are pods without some of them, one of which may be kept.
func besides(pods []StaticPod, all []*StaticPod, keep *StaticPod) []StaticPod {
	type place struct{ file, container string }
	gone := map[place]bool{}
	for _, p := range all {
		gone[place{p.File, p.Container}] = p.File != keep.File || p.Container != keep.Container
	}
	return slices.DeleteFunc(slices.Clone(pods), func(p StaticPod) bool { return gone[place{p.File, p.Container}] })
}

// seeing is the host with another look at its node.
func seeing(h *facts.Host, n *Node) *facts.Host {
	n.host = facts.Instead(h, nodeFact, n)
	return n.host
}

// Twin returns another manifest of a pod with the same name as that of a manifest; empty where there is none. Of two
// the kubelet runs one, and which one may differ after each change.
func (n *Node) Twin(manifest string) string {
	for _, p := range n.all {
		if p.File != manifest {
			continue
		}
		for _, other := range n.all {
			if other.File != manifest && other.Name == p.Name && other.Container == p.Container {
				return other.File
			}
		}
	}
	return ""
}
