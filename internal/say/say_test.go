package say

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	written "moot/internal/span"
	"moot/protocol"
)

func catalogueOf(en, de string) *Catalogue {
	return New(fstest.MapFS{"en.toml": {Data: []byte(en)}, "de.toml": {Data: []byte(de)}})
}

// TestSay: slots are filled, plurals chosen, and what stands between marks has its style.
func TestSay(t *testing.T) {
	c := catalogueOf(`
hello = "**Vote {{number .Vote}}** by {{person .Who}}: 2 * 3, say `+"`yes`"+`"
ballots = { one = "one ballot of {{number .Size}}", other = "{{count .N}} ballots of {{number .Size}}" }
takes = "{{span .Long}}"
`, `
hello = "**Abstimmung {{number .Vote}}** von {{person .Who}}: 2 * 3, sag `+"`yes`"+`"
ballots = { one = "eine Stimme von {{number .Size}}", other = "{{count .N}} Stimmen von {{number .Size}}" }
takes = "{{span .Long}}"
`)
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	ann := protocol.Person("console:ann", "Ann")
	got := c.In(German).Say("hello", Number("Vote", 3), Person("Who", ann))
	want := protocol.Text{
		{Style: protocol.StrongStyle, Text: "Abstimmung 3"}, {Text: " von "}, ann[0], {Text: ": 2 * 3, sag "},
		{Style: protocol.CodeStyle, Text: "yes"},
	}
	if len(got) != len(want) || got.Plain() != want.Plain() {
		t.Fatalf("got %+v", got)
	}
	for i := range want {
		if want[i].Style != got[i].Style || want[i].Ref != got[i].Ref {
			t.Errorf("piece %d is %+v, not %+v", i, got[i], want[i])
		}
	}
	for n, want := range map[int]string{0: "0 ballots of 2,5", 1: "one ballot of 2,5", 2: "2 ballots of 2,5"} {
		if got := c.In("en").Plain("ballots", Count("N", n), Number("Size", "2,5")); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
	if got := c.In(German).Plain("ballots", Count("N", 1), Number("Size", "2.5")); got != "eine Stimme von 2,5" {
		t.Errorf("got %q", got)
	}
	if got := c.In("fr").Plain("takes", Span("Long", 90*time.Minute)); got != "1 hour and 30 minutes" {
		t.Errorf("in a language that is not there: %q", got)
	}
	if got := c.In(German).Plain("takes", Span("Long", 49*time.Hour)); got != "2 Tage und 1 Stunde" {
		t.Errorf("got %q", got)
	}
	pseudo := c.In(Pseudo).Plain("hello", Number("Vote", 3), Person("Who", ann))
	if pseudo != "Ṽööţéé ⟦3⟧ ƀý ⟦Ann⟧: 2 * 3, šååý ⟦yes⟧" {
		t.Errorf("in disguise: %q", pseudo)
	}
	undo := Disguise()
	if got := c.In(German).Language(); got != Pseudo {
		t.Errorf("in disguise %s is spoken", got)
	}
	undo()
	if got := c.In(German).Language(); got != German {
		t.Errorf("out of it %s is spoken", got)
	}
}

// TestLengths: in English a length of time is said as everywhere else.
func TestLengths(t *testing.T) {
	c := catalogueOf("", "")
	for _, d := range []time.Duration{0, time.Second, 61 * time.Second, 59 * time.Minute, 61 * time.Minute, 2 * time.Hour, 25 * time.Hour,
		60 * 24 * time.Hour, 49*time.Hour + 59*time.Minute} {
		if got := c.In(English).Length(d).Plain(); got != written.Words(d) {
			t.Errorf("%s is %q, not %q", d, got, written.Words(d))
		}
	}
}

// TestCheck: a catalogue whose languages do not go together is found out.
func TestCheck(t *testing.T) {
	for _, one := range []struct{ en, de, want string }{
		{`a = "x"`, ``, `"a" is missing`},
		{``, `a = "x"`, "is not in English"},
		{`a = "{{person .Who}}"`, `a = "{{words .Who}}"`, "has the slots"},
		{`a = "{{person .Who}}"`, `a = "x"`, "has the slots"},
		{`a = "{{count .N}}"`, `a = "{{count .N}}"`, "goes with a plural"},
		{`a = { one = "{{count .N}}", other = "{{count .N}} {{words .W}}" }`, `a = { one = "{{words .W}}", other = "{{count .N}} {{words .W}}" }`, "lacks W"},
		{`a = "{{thing .Who}}"`, `a = "x"`, "no kind of slot"},
		{`a = "{person .Who}"`, `a = "x"`, "no slot"},
		{`a = "**x"`, `a = "x"`, "no end"},
	} {
		if err := catalogueOf(one.en, one.de).Check(); err == nil || !strings.Contains(err.Error(), one.want) {
			t.Errorf("%s and %s: %v", one.en, one.de, err)
		}
	}
}

func TestParse(t *testing.T) {
	for word, want := range map[string]Language{"de": German, "Deutsch": German, "de-AT": German, "de_CH": German, "en-GB": English, "english": English} {
		if l, ok := Parse(word); l != want || !ok {
			t.Errorf("%s is %s, %t", word, l, ok)
		}
	}
	for _, word := range []string{"", "fr", "klingon", "d", "qps"} {
		if _, ok := Parse(word); ok {
			t.Errorf("%q is a language", word)
		}
	}
}

// TestEnvironment: who starts a program says by its environment what they speak.
func TestEnvironment(t *testing.T) {
	for _, one := range []struct {
		env  map[string]string
		want Language
	}{
		{nil, English},
		{map[string]string{"LANG": "de_DE.UTF-8"}, German},
		{map[string]string{"LANG": "de_DE.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, English},
		{map[string]string{"LANG": "en_US.UTF-8", "LC_ALL": "de_AT"}, German},
		{map[string]string{"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, English},
		{map[string]string{"LANG": "fr_FR.UTF-8"}, English},
	} {
		if got := Environment(func(name string) string { return one.env[name] }); got != one.want {
			t.Errorf("with %v it is %s", one.env, got)
		}
	}
}

// TestReadsWhatIsAsked: a language is read when something is said in it, and what commands say of themselves apart from the rest, so
// that a start does not read everything.
func TestReadsWhatIsAsked(t *testing.T) {
	files := fstest.MapFS{
		"en.toml": {Data: []byte("hello = ")}, "commands.en.toml": {Data: []byte(`command-roll = "rolls dice"`)},
		"de.toml": {Data: []byte(`hello = "Hallo"`)}, "commands.de.toml": {Data: []byte("command-roll = ")},
	}
	c := New(files)
	if got := c.In(English).Plain("command-roll"); got != "rolls dice" {
		t.Errorf("got %q", got)
	}
	if got := c.In(German).Plain("hello"); got != "Hallo" {
		t.Errorf("got %q", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a file that is wrong was never read")
		}
	}()
	c.In(English).Has("hello")
}

// TestMessageInTheWrongFile: what is in another file than that in which it is looked for is found by Check.
func TestMessageInTheWrongFile(t *testing.T) {
	data := []byte(`command-roll = "rolls"`)
	none := &fstest.MapFile{Data: []byte(`hello = "x"`)}
	c := New(fstest.MapFS{"en.toml": {Data: data}, "de.toml": {Data: data}, "commands.en.toml": none, "commands.de.toml": none})
	err := c.Check()
	if err == nil || strings.Count(err.Error(), "does not stand in the file in which it is looked for") != 4 {
		t.Errorf("it finds %v", err)
	}
}
