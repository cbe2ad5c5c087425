package apply

import (
	"context"

	"example.com/harden/remediate"
)

// A static pod's manifest is taken up by the kubelet as soon as it has its name, so that writing it is the beginning of
// its roll-out. It is written after everything else, and after the roll-out before it has ended well; taking back goes
// the other way round. What has been written is told by content all the same: the order is all that differs.

// rollOuts are the roll-outs among activations that are to be done, by the path of the manifest.
func rollOuts(as []Activated) map[string]int {
	all := map[string]int{}
	for n, a := range as {
		if a.Kind == remediate.RollOut && wanted(a) {
			all[a.Unit] = n
		}
	}
	return all
}

// rollOut writes the manifests one by one, and waits for each pod to be well. Then the cluster is told to keep it.
func (e execution) rollOut(ctx context.Context, files map[int]*staged) error {
	as, _ := e.tx.activations()
	for n, a := range as {
		if a.Kind != remediate.RollOut && a.Kind != remediate.RecordInCluster || !wanted(a) {
			continue
		}
		for i := range e.tx.Items {
			if e.tx.Items[i].path() != a.Unit {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := e.write(i, files[i]); err != nil {
				return err
			}
		}
		if err := e.do(ctx, n, a, false); err != nil {
			return err
		}
	}
	return nil
}

// rollBack waits for the pod whose manifest, item i, has been put back. Nothing stops it but the end of the wait: the
// manifests of the others must go back too.
func (e execution) rollBack(ctx context.Context, i int) error {
	as, _ := e.tx.activations()
	n, ok := rollOuts(as)[e.tx.Items[i].path()]
	if !ok {
		return nil
	}
	return e.do(ctx, n, as[n], true)
}

// begunPath reports whether the run may have written the file at a path.
func (t *txn) begunPath(path string) bool {
	for i := range t.Items {
		if t.Items[i].path() == path && t.begun(i) {
			return true
		}
	}
	return false
}
