package gate

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/schema"
	"example.com/harden/remediate"
)

// A pod is a static pod's manifest, as far as it is judged here.
type pod struct {
	Kind     string
	Metadata struct{ Name, Namespace string }
	Spec     struct{ Containers []podContainer }
}

type podContainer struct {
	Name, Image   string
	Command, Args []string
}

func (c podContainer) argv() []string { return slices.Concat(c.Command, c.Args) }

// validateKubernetes judges a document of Kubernetes as it would be. A manifest must still be the same pod, and each
// flag that it did not have before must be one that the component takes.
func validateKubernetes(c remediate.Change) error {
	if !c.Content() || c.Removed || !schema.Known(c.After.Data) && !schema.Known(c.Before.Data) {
		return nil
	}
	if err := schema.Document(c.After.Data, c.Before.Data); err != nil {
		return err
	}
	var was, is pod
	if err := budget.Unmarshal(c.After.Data, &is); err != nil {
		return err
	}
	if is.Kind == "EncryptionConfiguration" {
		return validateEncryption(c.Before.Data, c.After.Data)
	}
	if c.Created || is.Kind != "Pod" {
		return nil
	}
	if err := budget.Unmarshal(c.Before.Data, &was); err != nil {
		return err
	}
	if is.Metadata != was.Metadata || len(is.Spec.Containers) != len(was.Spec.Containers) {
		return errors.New("it would become a different pod")
	}
	for i, now := range is.Spec.Containers {
		before := was.Spec.Containers[i]
		if now.Name != before.Name {
			return errors.New("it would become a different pod")
		}
		argv := now.argv()
		if len(argv) == 0 {
			continue
		}
		for _, word := range argv[1:] {
			if slices.Contains(before.argv(), word) || !strings.HasPrefix(word, "-") {
				continue
			}
			name, value, ok := strings.Cut(strings.TrimLeft(word, "-"), "=")
			if !ok {
				value = "true"
				if i := slices.Index(argv, word); i+1 < len(argv) && !strings.HasPrefix(argv[i+1], "-") {
					value = argv[i+1]
				}
			}
			minor, _ := kube.MinorVersion(now.Image)
			if err := schema.Flag(path.Base(argv[0]), minor, strings.ReplaceAll(name, "_", "-"), value); err != nil {
				return fmt.Errorf("container %s: %w", now.Name, err)
			}
		}
	}
	return nil
}
