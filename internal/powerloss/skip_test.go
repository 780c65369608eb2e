package powerloss_test

import (
	"bytes"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"moot/internal/effort"
	"moot/internal/powerloss"
)

// site is a place in the program that makes something durable, told apart by what it is that it makes durable.
type site struct {
	name string
	file string // the name of the file or folder matches this pattern
	// covers is what has been done to it since the last sync.
	covers string
	// harmless says why nothing is lost without the sync; zero means that something is.
	harmless string
}

// What a sync covers: see covers.
const (
	pagesOf  = "pages"  // of a bbolt file: others than the two first
	metaOf   = "meta"   // one of the two first pages, and nothing else
	growthOf = "growth" // a length, and nothing else
	bytesOf  = "bytes"  // of a file of ours
	zerosOf  = "zeros"  // in such a file, and nothing else, by fdatasync
	cutOf    = "a cut"  // the same by fsync
	nothing  = "nothing"
	// Of a folder it is the last change, as "create facts.archive".
)

const laterSync = "a later sync covers the same before anything depends on it"

var sites = []site{
	{"the first pages of a new database", "moot.db.new*", pagesOf, laterSync},
	{"the first transaction in a new database", "moot.db.new*", metaOf, ""},
	{"the length of a new database", "moot.db.new*", growthOf, laterSync},
	{"the name of a new database", ".", "link moot.db", laterSync},
	{"the pages of a checkpoint", "moot.db", pagesOf, ""},
	{"the meta page of a checkpoint", "moot.db", metaOf, ""},
	{"the length of the database", "moot.db", growthOf, laterSync},
	{"a database that has not changed", "moot.db", nothing, "it covers nothing"},
	{"a compacted database", "moot.db.compact", pagesOf, ""},
	{"the length of a compacted database", "moot.db.compact", growthOf, laterSync},
	{"the name of a compacted database", ".", "rename moot.db", ""},
	{"the log's folder", ".", "mkdir moot.wal", ""},
	{"a new segment", "moot.wal/*.wal.new", bytesOf, ""},
	{"the name of a new segment", "moot.wal", "rename moot.wal/*.wal", ""},
	{"the record of a commit", "moot.wal/*.wal", bytesOf, ""},
	{"zeros ahead of records", "moot.wal/*.wal", zerosOf, "the sync of a record covers them too"},
	{"the cut of a torn record", "moot.wal/*.wal", cutOf, "the sync of a record covers it too, and until then it is cut again"},
	{"a segment that has not changed", "moot.wal/*.wal", nothing, "it covers nothing"},
	{"the end of a trimmed segment", "moot.wal", "remove moot.wal/*", "one that comes back holds what the database holds too"},
	{"the passing name of a new segment", "moot.wal", "create moot.wal/*.new", "a file under such a name is ignored"},
	{"the archive", "facts.archive", bytesOf, ""},
	{"the name of a new archive", ".", "create facts.archive", ""},
	{"a folder in which nothing is new", "*", nothing, "it covers nothing"},
	{"the end of a temporary name", ".", "remove moot.db.*", "a file under such a name is ignored"},
}

// covers returns what a sync covers.
func covers(t *powerloss.Trace, i int, name string) string {
	const page = 4096
	what := nothing
	for _, o := range t.Covers(i) {
		switch o.Kind {
		case powerloss.Resize:
			if what == nothing {
				what = growthOf
			}
		case powerloss.Rename:
			what = fmt.Sprintf("%s %s", o.Kind, o.To)
		case powerloss.Create, powerloss.Link, powerloss.MakeDir, powerloss.Remove:
			passing := o.Kind == powerloss.Remove || strings.Contains(path.Base(o.Name), ".new")
			if !passing || what == nothing {
				what = fmt.Sprintf("%s %s", o.Kind, o.Name)
			}
		case powerloss.Write:
			switch database := strings.HasPrefix(name, "moot.db"); {
			case database && o.Offset+int64(len(o.Data)) > 2*page:
				return pagesOf
			case database:
				what = metaOf
			case len(bytes.Trim(o.Data, "\x00")) > 0:
				return bytesOf
			case t.Ops[i].DataOnly:
				what = zerosOf
			default:
				what = cutOf
			}
		}
	}
	return what
}

// matching returns the rows of the table that a sync belongs to.
func matching(t *powerloss.Trace, i int) (rows []int) {
	o := &t.Ops[i]
	name := o.Name
	if o.Kind == powerloss.Sync {
		name = t.NameOf(o.File, o.Begin)
	}
	what := covers(t, i, name)
	for row, s := range sites {
		of, _ := path.Match(s.file, name)
		if fits, _ := path.Match(s.covers, what); of && fits && (s.covers != nothing || o.Kind == powerloss.SyncDir == (s.file == "*")) {
			rows = append(rows, row)
		}
	}
	return rows
}

// during reports whether a sync of that site runs at the instant.
func (s *story) during(at int, name string) bool {
	for i := range s.Ops {
		if o := &s.Ops[i]; o.Syncs() && o.Begin <= at && at < o.End {
			return slices.ContainsFunc(matching(s.Trace, i), func(row int) bool { return sites[row].name == name })
		}
	}
	return false
}

// TestSkippedSyncs: the model notices where a program does not sync. Each kind of sync is taken for nothing in turn; where
// that loses something, it is found within some hundred histories.
func TestSkippedSyncs(t *testing.T) {
	effort.Slow(t)
	if !inTagged(t) {
		return
	}
	lives := []*story{record(t, powerloss.State{}, 0, "", reference(t))}
	for seed := uint64(0); len(lives) < 5; seed++ {
		// Some syncs are made only by a life that begins after a failure: here after one in the middle of a commit.
		if f := lives[0].Choose(seed, nil); lives[0].during(f.At, "the record of a commit") {
			lives = append(lives, lives[0].afterFailure(t, seed))
		}
	}
	of := map[*powerloss.Op]int{}
	counts := make([][]int, len(lives)) // by life and site
	unknown := map[string]bool{}
	for l, s := range lives {
		counts[l] = make([]int, len(sites))
		for i := range s.Ops {
			o := &s.Ops[i]
			if !o.Syncs() {
				continue
			}
			rows := matching(s.Trace, i)
			if len(rows) != 1 {
				name := s.NameOf(o.File, o.Begin)
				unknown[fmt.Sprintf("%s of %s%s, which covers %s, has %d rows in the table of sites", o.Kind, o.Name, name, covers(s.Trace, i, name), len(rows))] = true
				continue
			}
			of[o] = rows[0]
			counts[l][rows[0]]++
		}
	}
	for what := range unknown {
		t.Error(what)
	}
	for row, site := range sites {
		t.Run(site.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(scratch(t), "data")
			l := slices.IndexFunc(counts, func(c []int) bool { return c[row] > 0 })
			if l < 0 {
				if site.harmless == "" {
					t.Fatal("nobody comes by")
				}
				return
			}
			s, count := lives[l], counts[l][row]
			skip := func(o *powerloss.Op) bool { r, ok := of[o]; return ok && r == row }
			limit := 400
			if site.harmless != "" {
				limit = *histories / 2
			}
			for seed := range uint64(limit) {
				f := s.Choose(seed, skip)
				switch _, err := s.try(t.Context(), dir, f); {
				case err != nil && site.harmless != "":
					t.Fatalf("%s; yet in history %d: %v\n%s", site.harmless, seed, err, s.Around(f.At, 8))
				case err != nil:
					tell("without syncing %-38s %4d times: noticed in history %d", site.name, count, seed+1)
					return
				}
			}
			if site.harmless == "" {
				t.Fatalf("without its %d syncs nothing was lost in %d histories", count, limit)
			}
			tell("without syncing %-38s %4d times: no matter, as %s", site.name, count, site.harmless)
		})
	}
}
