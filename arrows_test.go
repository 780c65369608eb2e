package moot

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// reading is the order in which the files of packages are read, from the bottom up: each uses only
// what is declared in those before it. It is what keeps a package of many files from becoming one of
// a single large one.
var reading = map[string][]string{
	"store": {
		// a transaction
		"keys", "decoded", "layer", "seen", "outcome", "delivery", "decoding", "encoding", "tx",
		// a commit
		"checkpointer", "meta", "change", "state", "commit",
		"cursors", "index", "log", "timers", "outbox", "dead", "run",
		// the store
		"limits", "store", "checkpoint", "write", "turnback", "open", "follow", "compact",
	},
	"store/disk": {"disk", "again_linux", "space_linux", "flush_linux", "flushed", "folder", "links_unix", "unlink"},
	"store/wal":  {"segment", "log", "prepare", "append", "reader", "trim", "open"},
	"store/bolt": {"mapped_64", "verify", "tx", "file", "release_64", "view", "space", "update", "compact"},
	"store/seen": {
		"codec", "id", "record", "batch", "block", "filter", "run", "table", "state", "between",
		"limits", "build", "index", "records", "work", "check",
	},
	"events": {
		// one fact, and where it is
		"errors", "block", "state", "examine", "archive", "fact", "encode", "index", "reader",
		// what is asked, followed, published and retired
		"query", "follow", "kind", "publish", "shelved", "retire", "verify",
		"bus", "own",
	},
	"events/docbuf": {"codec", "errors", "frame", "buffer", "store", "open", "stack", "scan", "memory"},
	"events/people": {"people", "texts", "hold", "forget"},
	"outbox":        {"lanes", "send", "dispatch"},
	"replica":       {"log", "refused", "link", "lease", "node", "base", "keep", "stand"},
	"rooms":         {"words", "info", "member", "name", "applier", "putout", "fact", "direct", "list", "apply", "follow", "feature"},
	"sealed":        {"words", "sealed", "tell", "feature", "export", "trust"},
	"internal/bot": {
		// a step: what it is made of, what it goes through, itself
		"lanes", "feature", "clock", "meter", "input", "core", "restored", "turnback", "machine",
		"transaction", "late", "asks", "dead", "event", "reach", "retry", "sweep", "step",
		// what feeds it
		"network", "underway", "runner", "stop", "leap", "hold", "admit", "networks", "loop",
	},
}

// TestArrows: no arrow between the files of a package runs back up.
func TestArrows(t *testing.T) {
	for folder, order := range reading {
		var files []string
		all, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range all {
			name := strings.TrimSuffix(filepath.Base(path), ".go")
			if strings.HasSuffix(name, "_test") || name == "doc" || strings.HasSuffix(name, "_other") {
				continue
			}
			if files = append(files, name); !slices.Contains(order, name) {
				t.Errorf("%s has no place in the order of reading", path)
			}
		}
		for _, a := range arrows(t, folder, files) {
			if slices.Index(order, a.from) < slices.Index(order, a.to) {
				t.Errorf("%s/%s.go uses %s of %s.go, which comes after it", folder, a.from, a.name, a.to)
			}
		}
	}
}

type arrow struct{ from, to, name string }

// arrows returns what files use of one another. Other packages are not looked at.
func arrows(t *testing.T, folder string, names []string) (list []arrow) {
	t.Helper()
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(set, filepath.Join(folder, name+".go"), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	conf := types.Config{Importer: nobody{}, Error: func(error) {}}
	pkg, _ := conf.Check(folder, set, files, info)
	in := func(p token.Pos) string { return strings.TrimSuffix(filepath.Base(set.Position(p).Filename), ".go") }
	for id, of := range info.Uses {
		if of == nil || of.Pkg() != pkg || !of.Pos().IsValid() {
			continue
		}
		if a := (arrow{in(id.Pos()), in(of.Pos()), of.Name()}); a.from != a.to && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	if len(list) == 0 && len(names) > 3 {
		t.Fatalf("%s: no arrow was found", folder)
	}
	return list
}

// nobody imports empty packages.
type nobody struct{}

func (nobody) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, filepath.Base(path))
	p.MarkComplete()
	return p, nil
}
