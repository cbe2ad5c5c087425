package facts

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// OneLine returns errs as one error whose text fits a line of a report, each cause once; nil when there are none.
func OneLine(errs ...error) error {
	all := new(multierror.Error)
	for _, err := range errs {
		if err != nil {
			all = multierror.Append(all, err)
		}
	}
	all.ErrorFormat = func(errs []error) string {
		var texts []string
		for _, err := range errs {
			if !slices.Contains(texts, err.Error()) {
				texts = append(texts, err.Error())
			}
		}
		return strings.Join(texts, "; ")
	}
	return all.ErrorOrNil()
}

// Bare is an error without the path that its text begins with, for where that path stands before it anyway.
func Bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
