package report

import (
	"fmt"
	"strings"

	"example.com/harden/remediate/guide"
)

// GuideSchema names the shape of a Guide as JSON.
const GuideSchema = "harden-guide/v1"

// A Guide is a guided move: what there is to move, in which order, and how far it has come.
type Guide struct {
	Schema     string           `json:"schema"`
	Version    string           `json:"version"` // harden's own
	Move       string           `json:"move"`    // what it is about: "userns-remap"
	State      string           `json:"state"`   // "planned", "unfinished", "going-back", "done", "back" or "nothing"
	Why        string           `json:"why,omitempty"`
	ID         string           `json:"id,omitempty"`
	From       string           `json:"from,omitempty"` // the data root
	Images     []GuideImage     `json:"images"`
	Networks   []string         `json:"networks"`
	Volumes    []GuideVolume    `json:"volumes"`
	Containers []GuideContainer `json:"containers"`
	Space      *GuideSpace      `json:"space,omitempty"`
	Steps      []GuideStep      `json:"steps"`
	Left       []GuideLeft      `json:"left"`     // what does not come along, and what works differently
	Refusals   []string         `json:"refusals"` // why it can't be done
	Back       string           `json:"back,omitempty"`
}

// A GuideImage is an image that comes along.
type GuideImage struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	How   string `json:"how"` // "archive" or "pull"
}

// A GuideVolume is a volume that comes along.
type GuideVolume struct {
	Name    string `json:"name"`
	How     string `json:"how"` // "copy" or "made again"
	Files   int64  `json:"files"`
	Bytes   int64  `json:"bytes"`
	SetID   int64  `json:"set_id_files,omitempty"`
	HostIDs bool   `json:"host_ids,omitempty"` // its owners stay
}

// A GuideContainer is a container that is made again.
type GuideContainer struct {
	Name    string `json:"name"`
	Running bool   `json:"running"`
	HostIDs bool   `json:"userns_host"`
}

// GuideSpace is what the move needs, in bytes.
type GuideSpace struct {
	Archive int64 `json:"archive"`
	Images  int64 `json:"images"`
	Volumes int64 `json:"volumes"`
	Need    int64 `json:"need"`
	Free    int64 `json:"free"`
	Room    bool  `json:"room"`
}

// A GuideStep is one step.
type GuideStep struct {
	Step  string `json:"step"`
	Does  string `json:"does"`
	State string `json:"state,omitempty"` // "", "begun" or "done"
}

// A GuideLeft is something that does not come along or works differently.
type GuideLeft struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// text is what there is to move, or how far a move has come.
func (g *Guide) text(p *page) {
	p.line(p.paint(bold, guideTitles[g.State]))
	if g.Why != "" {
		p.block("  ", 2, "", g.Why)
	}
	if g.State == "planned" {
		p.moves(g)
	}
	if len(g.Steps) > 0 {
		p.title("Steps")
		for n, step := range g.Steps {
			mark := "    "
			if step.State == "done" {
				mark = "done"
			} else if step.State != "" {
				mark = "part"
			}
			head := fmt.Sprintf("  %d %s  ", n+1, mark)
			p.block(head, len(head), "", step.Does)
		}
	}
	if g.Back != "" {
		p.title("Rollback")
		p.block("  ", 2, "", g.Back)
	}
	if len(g.Left) > 0 {
		p.title("Not moved, or different after the move")
		for _, l := range g.Left {
			p.block("  ", 2, yellow, Clean(l.What)+": "+l.Why)
		}
	}
	if len(g.Refusals) > 0 {
		p.title("Why it can't be done now")
		for _, r := range g.Refusals {
			p.block("  ", 2, red, r)
		}
	}
}

var guideTitles = map[string]string{
	"planned": "Moving this host to userns-remap", "unfinished": "The move to userns-remap is unfinished",
	"going-back": "The rollback of userns-remap is unfinished", "done": "The move to userns-remap is done",
	"back": "Everything is as it was before the move", "nothing": "Nothing to move",
}

// moves lists what there is to move, and the room for it.
func (p *page) moves(g *Guide) {
	p.title(fmt.Sprintf("Images (%d)", len(g.Images)))
	for _, i := range g.Images {
		p.block("  ", 2, "", fmt.Sprintf("%s  %s, by %s", Clean(i.Name), guide.Size(i.Bytes), i.How))
	}
	if len(g.Networks) > 0 {
		p.title(fmt.Sprintf("Networks (%d)", len(g.Networks)))
		for _, n := range g.Networks {
			p.block("  ", 2, "", n)
		}
	}
	p.title(fmt.Sprintf("Volumes (%d)", len(g.Volumes)))
	for _, v := range g.Volumes {
		var more []string
		if v.How == "copy" {
			more = append(more, fmt.Sprintf("%d files, %s", v.Files, guide.Size(v.Bytes)))
		} else {
			more = append(more, "recreated; its content is elsewhere")
		}
		if v.SetID > 0 {
			more = append(more, fmt.Sprintf("%d set-user-ID or set-group-ID files keep the bit, for their new owner",
				v.SetID))
		}
		if v.HostIDs {
			more = append(more, "owners stay")
		}
		p.block("  ", 2, "", Clean(v.Name)+"  "+strings.Join(more, "; "))
	}
	p.title(fmt.Sprintf("Containers (%d)", len(g.Containers)))
	for _, c := range g.Containers {
		text := Clean(c.Name) + "  stopped"
		if c.Running {
			text = Clean(c.Name) + "  runs"
		}
		if c.HostIDs {
			text += "; stays in the host's user namespace (--userns=host)"
		}
		p.block("  ", 2, "", text)
	}
	if sp := g.Space; sp != nil {
		p.title("Room")
		enough := "enough"
		if !sp.Room {
			enough = "not enough"
		}
		p.block("  ", 2, "", fmt.Sprintf("needed at %s: %s (images %s, archive until they are loaded %s, volumes "+
			"%s); free: %s; %s",
			Clean(g.From), guide.Size(sp.Need), guide.Size(sp.Images), guide.Size(sp.Archive),
			guide.Size(sp.Volumes), guide.Size(sp.Free), enough))
	}
}
