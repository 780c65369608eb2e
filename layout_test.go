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
	"protocol/console":      {"internal/alike", "internal/files", "internal/near", "internal/say", "protocol", "protocol/remote/wire"},
	"protocol/remote/wire":  {"protocol"},
	"protocol/protocoltest": {"protocol", "protocol/remote/wire"},
	"store":                 {"internal/failpoint", "protocol", "store/bolt", "store/disk", "store/seen", "store/wal"},
	"store/bolt":            {"internal/failpoint", "store/disk"},
	"store/disk":            {"internal/files"},
	"store/seen":            {"protocol", "store/disk"},
	"store/wal":             {"internal/failpoint", "store/disk"},
	"outbox":                {"internal/pause", "protocol", "store"},
	"rooms":                 {"events", "internal/alike", "internal/say", "outbox", "protocol", "store"},
	"events":                {"events/docbuf", "events/people", "internal/failpoint", "internal/say", "protocol", "store", "store/disk"},
	"events/docbuf":         {},
	"events/people":         {"protocol", "store"},
	"commands":              {"events", "internal/alike", "internal/languages", "internal/near", "internal/say", "internal/span", "outbox", "protocol", "rooms", "store"},
	"commands/standard":     {"commands", "events", "internal/alike", "internal/languages", "internal/say", "internal/span", "outbox", "protocol", "rooms", "store"},
	"activity":              {"events", "internal/languages", "internal/say", "protocol", "rooms", "store"},
	"internal/bot":          {"events", "internal/clock", "internal/failpoint", "internal/languages", "internal/pause", "internal/say", "outbox", "protocol", "rooms", "sealed", "store"},
	"internal/files":        {},
	"internal/generation":   {},
	"internal/fit":          {},
	"internal/near":         {},
	"internal/hide":         {"protocol"},
	"internal/pause":        {},
	"internal/span":         {},
	"internal/say":          {"protocol"},
	"internal/say/saytest":  {"internal/say"},
	"internal/languages":    {"internal/say", "protocol", "rooms", "store"},
	"internal/failpoint":    {},
	"internal/finding":      {},
	"internal/powerloss":    {},
	"internal/effort":       {},
	"internal/ptytest":      {},
	"internal/bot/bottest":  {"events", "internal/bot", "internal/files", "outbox", "protocol", "sealed", "store"},
	"internal/alike":        {"protocol"},
	"internal/bot/sim":      {},
	"internal/clock":        {},
	"internal/parts":        {"events", "internal/files", "protocol/console", "protocol/matrix/account", "protocol/matrix/crypto", "protocol/matrix/keys", "store"},
	"internal/config":       {".", "internal/files", "internal/near", "internal/span", "protocol", "protocol/service/schedule"},
	"internal/inspect":      {"events", "internal/alike", "internal/files", "internal/finding", "internal/say", "outbox", "protocol", "rooms", "sealed", "store"},
	"backup":                {"events", "internal/failpoint", "internal/files", "internal/parts", "protocol", "protocol/console", "protocol/matrix/account", "protocol/matrix/crypto", "protocol/matrix/keys", "store", "store/disk"},
	"internal/control":      {"backup", "events", "internal/bot", "internal/finding", "internal/inspect", "internal/pause", "protocol", "services", "store"},
	"internal/watch":        {"internal/bot", "internal/files", "internal/site", "protocol", "sealed", "store"},
	"internal/setup":        {"internal/config", "internal/files", "internal/finding", "internal/fit", "protocol", "protocol/discord", "protocol/matrix/account"},
	"internal/site":         {},
	"internal/page":         {"backup", "events", "internal/bot", "internal/files", "internal/inspect", "internal/site", "outbox", "protocol", "rooms", "sealed", "services", "store", "votes", "votes/tally"},
	"internal/record":       {"activity", "internal/languages", "protocol", "protocol/discord", "protocol/matrix", "rooms", "sealed", "store"},
	"cmd/bot":               {"*"},
	"docs/extending":        {"commands", "events", "internal/say", "outbox", "protocol", "store"},

	"protocol/remote":         {"internal/pause", "protocol", "protocol/remote/wire"},
	"protocol/console/apart":  {"internal/alike", "internal/say", "protocol", "protocol/console", "protocol/remote", "protocol/remote/wire"},
	"protocol/console/screen": {"internal/alike", "internal/say", "protocol", "protocol/console"},

	"protocol/discord":                    {"internal/alike", "internal/finding", "internal/generation", "internal/pause", "internal/say", "protocol", "protocol/discord/gateway", "protocol/discord/rest"},
	"protocol/discord/rest":               {"internal/pause"},
	"protocol/discord/dial":               {},
	"protocol/discord/gateway":            {"internal/pause", "protocol/discord/dial", "protocol/discord/rest"},
	"protocol/discord/node":               {"protocol", "protocol/discord", "protocol/discord/gateway", "protocol/discord/rest", "protocol/remote"},
	"protocol/discord/discordtest":        {"protocol/discord/discordtest/schema"},
	"protocol/discord/discordtest/schema": {},

	"protocol/matrix":            {"internal/alike", "internal/failpoint", "internal/generation", "internal/pause", "protocol"},
	"protocol/matrix/account":    {"internal/files", "internal/pause", "protocol"},
	"protocol/matrix/keys":       {"protocol", "store"},
	"protocol/matrix/crypto":     {"internal/failpoint", "internal/files", "protocol", "protocol/matrix", "protocol/matrix/account", "protocol/matrix/keys", "store"},
	"protocol/matrix/survey":     {"internal/finding", "internal/generation", "protocol", "protocol/matrix", "protocol/matrix/account", "protocol/matrix/crypto"},
	"sealed":                     {"internal/languages", "internal/say", "outbox", "protocol", "rooms", "store"},
	"protocol/matrix/matrixtest": {},

	"protocol/service":             {"internal/hide", "internal/pause", "protocol", "protocol/service/result"},
	"protocol/service/call":        {"protocol", "protocol/service/result"},
	"protocol/service/cannon":      {"internal/pause", "protocol", "protocol/service"},
	"protocol/service/exec":        {"protocol", "protocol/service/result"},
	"protocol/service/feed":        {"internal/pause", "protocol", "protocol/service"},
	"protocol/service/hook":        {"protocol"},
	"protocol/service/program":     {"internal/pause", "protocol", "protocol/service", "protocol/service/exec", "protocol/service/result"},
	"protocol/service/result":      {"protocol"},
	"protocol/service/schedule":    {},
	"protocol/service/servicetest": {"protocol/service"},
	"protocol/service/tail":        {"internal/pause", "protocol", "protocol/service"},
	"protocol/service/wasm":        {"internal/pause", "protocol", "protocol/service/result"},
	"services":                     {"commands", "internal/alike", "internal/hide", "internal/languages", "internal/say", "outbox", "protocol", "rooms", "store"},
	"examples/services/filter":     {},

	"cluster":           {"cluster/channel", "cluster/fleet", "cluster/process", "cluster/settings", "cluster/web", "internal/clock", "internal/site"},
	"cluster/channel":   {},
	"cluster/fleet":     {},
	"cluster/member":    {"cluster/channel"},
	"cluster/process":   {},
	"cluster/redistest": {},
	"cluster/settings":  {"internal/near"},
	"cluster/web":       {"cluster/fleet", "internal/site"},

	"replica":                       {"backup", "events", "internal/clock", "internal/finding", "internal/parts", "internal/pause", "store", "store/disk"},
	"replica/postgres":              {"internal/finding", "replica", "store"},
	"replica/postgres/postgrestest": {},
	"replica/redis":                 {"internal/finding", "replica", "store"},
	"replica/replicatest":           {"internal/finding", "protocol", "replica", "store"},

	"votes":         {"commands", "events", "internal/alike", "internal/languages", "internal/say", "internal/span", "outbox", "protocol", "rooms", "store", "votes/picture", "votes/tally", "votes/words"},
	"votes/picture": {},
	"votes/tally":   {},
	"votes/words":   {"internal/say", "protocol", "votes/tally"},
	"invites":       {"commands", "events", "internal/languages", "internal/say", "outbox", "protocol", "rooms", "store"},
	"enforce":       {"internal/languages", "internal/say", "outbox", "protocol", "rooms", "store"},
	"challenges":    {"commands", "events", "internal/languages", "internal/say", "outbox", "protocol", "rooms", "store"},
}

// outside says which packages alone may import a module of others.
var outside = map[string][]string{
	"go.etcd.io/bbolt":           {"store/bolt", "store/seen"},
	"github.com/dchest/siphash":  {"store/seen"},
	"github.com/tidwall/btree":   {"store"},
	"github.com/BurntSushi/toml": {"internal/config", "internal/say"},
	"github.com/spf13/cobra":     {"cmd/bot"},

	"github.com/prometheus/client_golang": {"internal/watch"},
	"github.com/coreos/go-systemd":        {"cmd/bot"},

	"github.com/mmcdole/gofeed":     {"protocol/service/feed"},
	"github.com/robfig/cron/v3":     {"protocol/service/schedule"},
	"github.com/tetratelabs/wazero": {"protocol/service/wasm"},

	"github.com/redis/go-redis/v9": {"cluster/channel", "cluster/redistest", "protocol/service/cannon", "replica/redis"},
	"github.com/jackc/pgx/v5":      {"replica/postgres", "replica/postgres/postgrestest"},
	"go.yaml.in/yaml/v3":           {"cluster/settings"},
	"github.com/joho/godotenv":     {"cluster"},

	"filippo.io/age":                {"backup", "cmd/bot"},
	"github.com/klauspost/compress": {"backup", "replica"},
	"github.com/sahilm/fuzzy":       {"commands"},

	"charm.land/bubbletea/v2":               {"protocol/console/screen"},
	"charm.land/huh/v2":                     {"internal/setup"},
	"charm.land/lipgloss/v2":                {"protocol/console/screen"},
	"github.com/charmbracelet/colorprofile": {"internal/setup"},
	"github.com/charmbracelet/x":            {"internal/fit", "internal/ptytest", "internal/setup", "protocol/console/screen"},
	"github.com/charmbracelet/ultraviolet":  {"internal/ptytest"},
	"github.com/creack/pty":                 {"internal/ptytest"},

	"github.com/mtibben/confusables": {"internal/alike"},
	"golang.org/x/text":              {"internal/alike", "internal/say", "votes/picture"},
	"golang.org/x/image":             {"votes/picture"},
	"github.com/nicksnyder/go-i18n":  {"internal/say"},

	"github.com/bwmarrin/discordgo": {"protocol/discord"},
	"github.com/gorilla/websocket":  {"protocol/discord/dial", "protocol/discord/gateway", "protocol/discord/discordtest"},
	"github.com/getkin/kin-openapi": {"protocol/discord/discordtest/schema"},

	"maunium.net/go/mautrix": {"protocol/matrix", "protocol/matrix/account", "protocol/matrix/keys", "protocol/matrix/crypto", "protocol/matrix/survey"},
	"go.mau.fi/util":         {"protocol/matrix", "protocol/matrix/account", "protocol/matrix/keys", "protocol/matrix/crypto"},
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

// TestTheGatewayIsSmall: at most a thousand lines that can be read in one go, because a session with Discord lives or dies by
// each of them.
func TestTheGatewayIsSmall(t *testing.T) {
	lines := 0
	eachFile(t, func(dir, file string, _ []string, _ string) {
		if dir != "protocol/discord/gateway" || strings.HasSuffix(file, "_test.go") {
			return
		}
		src, err := fs.ReadFile(osRoot(), path.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		lines += strings.Count(string(src), "\n")
	})
	if lines == 0 || lines > 1000 {
		t.Errorf("it has %d lines", lines)
	}
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
