package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"example.com/harden/remediate/report"
)

// scoreSchema names the shape of a score as it is kept.
const scoreSchema = "harden-score/v1"

// A keptScore is what a run or a scheduled audit leaves for the next report to compare with.
type keptScore struct {
	Schema string    `json:"schema"`
	Time   time.Time `json:"time"`
	Root   string    `json:"root"`
	Checks string    `json:"checks"` // hash of the checks and editions that were asked for
	Score  int       `json:"score"`
}

// scoreFile is where the last score is kept, beside the journals of the runs.
func (c *Config) scoreFile() string { return filepath.Join(c.State, "score.json") }

// asked tells one selection of checks from another.
func asked(r *report.Report) string {
	h := sha256.New()
	fmt.Fprintln(h, strings.Join(r.Benchmarks, " "))
	for i := range r.Results {
		fmt.Fprintln(h, r.Results[i].ID)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// keepScore keeps a report's score. That it cannot be kept is told, and no reason to fail.
func (s *session) keepScore(r *report.Report) {
	if r.Score == nil || len(s.Sources) > 0 {
		return
	}
	kept := keptScore{scoreSchema, r.Time, s.Root, asked(r), *r.Score}
	if err := writeJSON(s.scoreFile(), hide(s.redactor, kept)); err != nil {
		complain("the score is not kept: %v", err)
	}
}

// previous is the score to compare a report's with; nil where none is kept of the same checks on this host, or where it
// is not for this user to read.
func (s *session) previous(r *report.Report) *report.Scored {
	data, err := readTrusted(s.scoreFile())
	if err != nil {
		return nil
	}
	var kept keptScore
	if json.Unmarshal(data, &kept) != nil || kept.Schema != scoreSchema || kept.Root != s.Root ||
		kept.Checks != asked(r) || kept.Score < 0 || kept.Score > 100 {
		return nil
	}
	return &report.Scored{Score: kept.Score, Time: kept.Time}
}
