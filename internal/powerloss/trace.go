package powerloss

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Kind is what an Op does.
type Kind int

// The kinds. Names are paths relative to the folder that was watched.
const (
	Write   Kind = iota // Data at Offset of File
	Resize              // File is Size bytes long
	Reserve             // File has blocks of its own up to Size; neither length nor contents change
	Sync                // File is durable up to here
	SyncDir             // so are the names in the folder Name
	Create              // Name is the new, empty File
	MakeDir             // Name is a new folder
	Link                // Name is File too
	Rename              // Name, which was File, is now To
	Remove              // Name is nothing any more
	Mark                // Text was said to the outside
)

func (k Kind) String() string {
	return [...]string{"write", "resize", "reserve", "sync", "sync folder", "create", "mkdir", "link", "rename", "remove", "mark"}[k]
}

// Op is one thing that a program did to the disk, or said.
type Op struct {
	Kind Kind
	// Begin and End are the instants between which it happened. Ops of several threads overlap. An even instant is the
	// beginning of a line of the recording, the odd one behind it its end.
	Begin, End int
	File       int // counted from 1, also over names; zero where there is none
	Name, To   string
	Offset     int64
	Size       int64
	Data       []byte
	Text       string
	DataOnly   bool // of a sync: fdatasync
}

func (o *Op) String() string {
	switch o.Kind {
	case Write:
		return fmt.Sprintf("write file %d, %d bytes at %d", o.File, len(o.Data), o.Offset)
	case Resize, Reserve:
		return fmt.Sprintf("%s file %d to %d", o.Kind, o.File, o.Size)
	case Sync:
		return fmt.Sprintf("sync file %d", o.File)
	case Rename:
		return fmt.Sprintf("rename %s to %s", o.Name, o.To)
	case Mark:
		return fmt.Sprintf("say %q", o.Text)
	case Create, Link:
		return fmt.Sprintf("%s %s, file %d", o.Kind, o.Name, o.File)
	default:
		return fmt.Sprintf("%s %s", o.Kind, o.Name)
	}
}

// names reports whether the op changes what is in a folder.
func (o *Op) names() bool { return o.Kind >= Create && o.Kind <= Remove }

// dir is the folder whose entries the op changes: for a rename that of the new name.
func (o *Op) dir() string {
	if o.Kind == Rename {
		return path.Dir(o.To)
	}
	return path.Dir(o.Name)
}

// Trace is what a program did to a folder.
type Trace struct {
	// Before is what was there, all durable: File n is the n-th of its files in the order of their names.
	Before State
	Ops    []Op // in the order in which they ended
}

// Length is the number of instants: a power failure can come at each from 0 to Length.
func (t *Trace) Length() int {
	if len(t.Ops) == 0 {
		return 0
	}
	return t.Ops[len(t.Ops)-1].End
}

// Said returns what was said to the outside before a power failure at the instant could stop it.
func (t *Trace) Said(at int) (said []string) {
	for i := range t.Ops {
		if o := &t.Ops[i]; o.Kind == Mark && o.Begin <= at {
			said = append(said, o.Text)
		}
	}
	return said
}

// Around returns the ops near an instant, for people.
func (t *Trace) Around(at, n int) string {
	i, _ := slices.BinarySearchFunc(t.Ops, at, func(o Op, at int) int { return o.End - at })
	var b strings.Builder
	for j := max(0, i-n); j < min(len(t.Ops), i+2); j++ {
		o := &t.Ops[j]
		mark := "  "
		if o.Begin <= at && at < o.End {
			mark = "⚡"
		}
		fmt.Fprintf(&b, "%s %6d–%d %s\n", mark, o.Begin, o.End, o)
	}
	return b.String()
}

// Covers returns what the sync Ops[i] makes durable that no sync has before.
func (t *Trace) Covers(i int) (covered []*Op) {
	sync := &t.Ops[i]
	before := -1 // when the sync before it began
	for j := range t.Ops[:i] {
		switch o := &t.Ops[j]; {
		case o.Kind == sync.Kind && o.File == sync.File && o.Name == sync.Name:
			before = o.Begin
		case o.End >= sync.Begin:
		case sync.Kind == Sync && (o.Kind == Write || o.Kind == Resize) && o.File == sync.File,
			sync.Kind == SyncDir && o.names() && o.dir() == sync.Name:
			covered = append(covered, o)
		}
	}
	return slices.DeleteFunc(covered, func(o *Op) bool { return o.End < before })
}

// NameOf returns the name that the file has at an instant: the last that it was given.
func (t *Trace) NameOf(file, at int) string {
	name := ""
	for i, was := range slices.Sorted(maps.Keys(t.Before.Files)) {
		if i+1 == file {
			name = was
		}
	}
	for i := range t.Ops {
		switch o := &t.Ops[i]; {
		case o.File != file || o.End > at:
		case o.Kind == Create || o.Kind == Link:
			name = o.Name
		case o.Kind == Rename:
			name = o.To
		}
	}
	return name
}

// Syncs reports whether the op makes something durable.
func (o *Op) Syncs() bool { return o.Kind == Sync || o.Kind == SyncDir }
