// Package saytest holds a package that speaks to its catalogue; nothing but tests.
package saytest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"moot/internal/say"
)

// form is that of an id.
var form = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// Config says how a package speaks.
type Config struct {
	// Files are patterns of the files that speak; zero means those of the package.
	Files []string
	// Least is how many sentences are said at the least, by which it is seen that the test looks at anything.
	Least int
	// Says are the functions that say a message, by their names, with the place of its id among their arguments; all slots
	// follow it. Say, say, Plain and sorry (which has the speaker first) need not be named.
	Says map[string]int
	// Adds are those of Says of whose slots some may come from elsewhere.
	Adds []string
	// Slots are functions that make a slot, and the name that it has.
	Slots map[string]string
	// Made are beginnings of ids that the code makes up of pieces.
	Made []string
}

// Check checks that the catalogue says the same in all languages, that what the code says is in it, with the slots that the code
// fills, and that nothing else is.
func Check(t *testing.T, catalogue *say.Catalogue, c Config) {
	t.Helper()
	if err := catalogue.Check(); err != nil {
		t.Error(err)
	}
	speaker := catalogue.In(say.English)
	says := map[string]int{"Say": 0, "say": 0, "Plain": 0, "sorry": 1}
	for name, at := range c.Says {
		says[name] = at
	}
	if len(c.Files) == 0 {
		c.Files = []string{"*.go"}
	}
	texts, calls := map[string]bool{}, 0
	for _, name := range files(t, c.Files) {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if text, ok := literal(n); ok {
				texts[text] = true
			}
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			at, speaks := says[called(call.Fun)]
			if !speaks || len(call.Args) <= at {
				return true
			}
			id, ok := literal(call.Args[at])
			if !ok || !form.MatchString(id) || called(call.Fun) == "Plain" && len(call.Args) == 1 && !speaker.Has(id) {
				return true // another function of that name, such as protocol.Plain
			}
			if !speaker.Has(id) {
				t.Errorf("%s: %q is in no catalogue", name, id)
				return true
			}
			given, all := c.filled(call.Args[at+1:])
			for _, slot := range catalogue.Slots(id) {
				if all && !slices.Contains(c.Adds, called(call.Fun)) && !slices.Contains(given, slot) {
					t.Errorf("%s: %q is said without %s", name, id, slot)
				}
			}
			calls++
			return true
		})
	}
	if calls < max(1, c.Least) {
		t.Errorf("only %d sentences are looked at", calls)
	}
	// The first two are internal/say's, and the others are what commands say of themselves: the test of the tree looks at those.
	made := append([]string{"span-", "list-", "command-", "detail-", "param-", "name-", "label-", "value-", "menu-"}, c.Made...)
	for _, id := range catalogue.IDs() {
		used := texts[id] || slices.ContainsFunc(made, func(begin string) bool { return strings.HasPrefix(id, begin) })
		for i := range id {
			used = used || id[i] == '-' && (texts[id[:i+1]] || texts[id[:i]] && texts[id[i:]])
		}
		if !used {
			t.Errorf("nobody says %q", id)
		}
	}
}

func files(t *testing.T, patterns []string) (all []string) {
	t.Helper()
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return slices.DeleteFunc(all, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
}

func literal(n ast.Node) (string, bool) {
	lit, ok := n.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

func called(f ast.Expr) string {
	switch f := f.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// filled returns the names of the slots that arguments fill, and whether all of them can be told.
func (c Config) filled(args []ast.Expr) (names []string, all bool) {
	for _, arg := range args {
		call, ok := arg.(*ast.CallExpr)
		if !ok {
			return nil, false
		}
		if name, known := c.Slots[called(call.Fun)]; known {
			names = append(names, name)
		} else if len(call.Args) == 0 {
			return nil, false
		} else if name, ok := literal(call.Args[0]); ok {
			names = append(names, name)
		} else {
			return nil, false
		}
	}
	return names, true
}
