package moot

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// directions says which packages of moot a package may import; the tests of a package may import more. A package that
// is not named here has no place in the house yet: give it one, together with its line in ARCHITECTURE.md.
var directions = map[string][]string{
	".":                     {},
	"protocol":              {},
	"protocol/console":      {"protocol", "protocol/console/wire"},
	"protocol/console/wire": {"protocol"},
	"protocol/protocoltest": {"protocol", "protocol/console/wire"},
	"store":                 {"internal/failpoint", "protocol"},
	"outbox":                {"protocol", "store"},
	"rooms":                 {"outbox", "protocol", "store"},
	"events":                {"events/docbuf", "internal/failpoint", "protocol", "store"},
	"events/docbuf":         {},
	"commands":              {"events", "outbox", "protocol", "rooms", "store"},
	"commands/standard":     {"commands", "events", "outbox", "protocol", "rooms", "store"},
	"activity":              {"events", "protocol", "rooms", "store"},
	"internal/bot":          {"events", "internal/failpoint", "outbox", "protocol", "rooms", "sealed", "store"},
	"internal/failpoint":    {},
	"internal/bot/sim":      {},
	"internal/config":       {".", "protocol"},
	"internal/inspect":      {"events", "outbox", "protocol", "rooms", "sealed", "store"},
	"internal/control":      {"events", "internal/inspect", "protocol", "store"},
	"internal/record":       {"protocol", "protocol/matrix", "rooms", "sealed", "store"},
	"cmd/bot":               {"*"},

	"protocol/discord":                    {"protocol", "protocol/discord/gateway", "protocol/discord/rest"},
	"protocol/discord/rest":               {},
	"protocol/discord/gateway":            {"protocol/discord/rest"},
	"protocol/discord/discordtest":        {"protocol/discord/discordtest/schema"},
	"protocol/discord/discordtest/schema": {},

	"protocol/matrix":            {"internal/failpoint", "protocol"},
	"protocol/matrix/account":    {"protocol"},
	"protocol/matrix/crypto":     {"protocol", "protocol/matrix", "protocol/matrix/account"},
	"protocol/matrix/survey":     {"protocol", "protocol/matrix/account", "protocol/matrix/crypto"},
	"sealed":                     {"outbox", "protocol", "rooms", "store"},
	"protocol/matrix/matrixtest": {},

	"votes":       {"commands", "events", "outbox", "protocol", "rooms", "store", "votes/tally"},
	"votes/tally": {},
	"invites":     {"commands", "events", "outbox", "protocol", "rooms", "store"},
	"enforce":     {"outbox", "protocol", "rooms", "store"},
	"challenges":  {"commands", "events", "outbox", "protocol", "rooms", "store"},
}

// outside says which packages alone may import a module of others.
var outside = map[string][]string{
	"go.etcd.io/bbolt":           {"store"},
	"github.com/tidwall/btree":   {"store"},
	"github.com/bits-and-blooms": {"store"},
	"github.com/BurntSushi/toml": {"internal/config"},
	"github.com/chzyer/readline": {"protocol/console"},
	"github.com/spf13/cobra":     {"cmd/bot"},
	"github.com/sahilm/fuzzy":    {"commands"},

	"github.com/bwmarrin/discordgo": {"protocol/discord", "protocol/discord/gateway"},
	"github.com/gorilla/websocket":  {"protocol/discord/gateway", "protocol/discord/discordtest"},
	"github.com/getkin/kin-openapi": {"protocol/discord/discordtest/schema"},

	"maunium.net/go/mautrix": {"protocol/matrix", "protocol/matrix/account", "protocol/matrix/crypto", "protocol/matrix/survey"},
	"go.mau.fi/util":         {"protocol/matrix", "protocol/matrix/account", "protocol/matrix/crypto"},
	"modernc.org/sqlite":     {"protocol/matrix/crypto"},
}

const module = "moot"

func TestImportsPointOneWay(t *testing.T) {
	seen := map[string]bool{}
	eachFile(t, func(dir, file string, imports []string, _ string) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		seen[dir] = true
		allowed, ok := directions[dir]
		if !ok {
			t.Errorf("%s: the package has no place in the house", dir)
			return
		}
		for _, imp := range imports {
			if rest, ours := strings.CutPrefix(imp+"/", module+"/"); ours {
				rest = strings.TrimSuffix(rest, "/")
				if rest == "" {
					rest = "."
				}
				if !slices.Contains(allowed, rest) && !slices.Contains(allowed, "*") {
					t.Errorf("%s: imports %s, which it must not know", path.Join(dir, file), rest)
				}
				continue
			}
			for mod, owners := range outside {
				if (imp == mod || strings.HasPrefix(imp, mod+"/")) && !slices.Contains(owners, dir) {
					t.Errorf("%s: imports %s, which only %v may", path.Join(dir, file), imp, owners)
				}
			}
			if dir == "protocol" && strings.Contains(strings.Split(imp, "/")[0], ".") {
				t.Errorf("%s: imports %s; the words import the standard library only", path.Join(dir, file), imp)
			}
		}
	})
	for dir := range directions {
		if !seen[dir] {
			t.Errorf("%s: named in directions, but not there", dir)
		}
	}
}

func TestEveryPackageSaysWhatItPromises(t *testing.T) {
	docs := map[string]string{}
	eachFile(t, func(dir, file string, _ []string, doc string) {
		if !strings.HasSuffix(file, "_test.go") {
			docs[dir] += doc
		}
	})
	if len(docs) < 5 {
		t.Fatalf("found only %d packages", len(docs))
	}
	for dir, doc := range docs {
		if len(strings.Fields(doc)) < 8 {
			t.Errorf("%s: has no package comment that says what it is for", dir)
		}
	}
}

func TestNoFileIsTwoNouns(t *testing.T) {
	eachFile(t, func(dir, file string, _ []string, _ string) {
		src, err := fs.ReadFile(osRoot(), path.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(src), "\n"); n > 600 {
			t.Errorf("%s: has %d lines", path.Join(dir, file), n)
		}
	})
}

// eachFile calls f for each Go file of the module: its folder, its name, what it imports, and its package comment.
func eachFile(t *testing.T, f func(dir, file string, imports []string, doc string)) {
	t.Helper()
	err := fs.WalkDir(osRoot(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || otherModule(name)):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(name), nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		var imports []string
		for _, i := range file.Imports {
			imports = append(imports, strings.Trim(i.Path.Value, `"`))
		}
		f(path.Dir(name), path.Base(name), imports, file.Doc.Text())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// osRoot is the root of the module, in which the tests of this package run.
func osRoot() fs.FS { return os.DirFS(".") }

func otherModule(dir string) bool {
	_, err := fs.Stat(osRoot(), path.Join(dir, "go.mod"))
	return err == nil
}
