package main

import (
	"fmt"
	"sync"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/remediate/report"
)

// An imageProgress is the line that tells how far --deep is.
type imageProgress struct {
	mu    sync.Mutex
	line  *progress
	sizes map[string]int64 // of images by ID, about as large as their archives
	names map[string]string
	seen  map[string]bool
}

// reading shows that so many bytes of an image have been read.
func (s *session) reading(image string, read int64) {
	p := &s.images
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line == nil {
		p.sizes, p.names, p.seen = map[string]int64{}, map[string]string{}, map[string]bool{}
		all, _ := docker.Images(s.host)
		for i := range all {
			p.names[all[i].ID] = all[i].ShortName()
			for _, l := range all[i].History {
				p.sizes[all[i].ID] += l.Size
			}
		}
		p.line = newProgress(len(all))
	}
	name := p.names[image]
	if name == "" {
		name = facts.ShortID(image)
	}
	name = report.Clean(name)
	if !p.seen[image] {
		p.seen[image] = true
		p.line.next("reading image " + name)
		return
	}
	if size := p.sizes[image]; size > 0 {
		p.line.say(fmt.Sprintf("reading image %s: %d%% of %d MB", name, min(100, read*100/size), size/1e6))
	} else {
		p.line.say(fmt.Sprintf("reading image %s: %d MB", name, read/1e6))
	}
}

// read takes the line away.
func (s *session) read() {
	s.images.mu.Lock()
	defer s.images.mu.Unlock()
	if s.images.line != nil {
		s.images.line.end()
		s.images.line = nil
	}
}
