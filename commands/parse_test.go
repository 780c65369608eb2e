package commands

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"moot/internal/span"
	"moot/protocol"
)

func TestWords(t *testing.T) {
	for line, want := range map[string][]string{
		"":                      nil,
		"  a  b\tc\nd ":         {"a", "b", "c", "d"},
		`"a b" c`:               {"a b", "c"},
		`“a b” „c d“ „e f” «g»`: {"a b", "c d", "e f", "g"},
		`a\ b \"c\" d\\`:        {"a b", `"c"`, `d\`},
		`"a \"b\" c"`:           {`a "b" c`},
		`""`:                    {""},
		`don"t it's`:            {`don"t`, "it's"},
		`\`:                     {`\`},
		"<@matrix:@a:b> x":      {"<@matrix:@a:b>", "x"},
		"<@matrix:@a:b>: x":     {"<@matrix:@a:b>", "x"},
		"<@matrix:@a:b>,":       {"<@matrix:@a:b>"},
		"<@matrix:@a:b>x":       {"<@matrix:@a:b>", "x"},
		"<@nobody> <@":          {"<@nobody>", "<@"},
		// What keyboards of other languages set, and what they mix up.
		"»a b« ‚c d‘ ‘e f’ ‹g h›": {"a b", "c d", "e f", "g h"},
		"”a b” c ”d e”":           {"a b", "c", "d e"},
		"＂a b＂ 「c d」 『e f』":       {"a b", "c d", "e f"},
		"'a b' ’c d’":             {"a b", "c d"},
		`"a b” c`:                 {"a b", "c"},
		`“a b" c`:                 {"a b", "c"},
		`"a “b” c" d`:             {"a “b” c", "d"},
		`“a "b" c” d`:             {`a "b" c`, "d"},
		"'tis ’90s rock’n’roll":   {"'tis", "’90s", "rock’n’roll"},
		"» a ” b":                 {"»", "a", "”", "b"},
	} {
		var got []string
		s := scanner{s: line}
		for s.space() {
			w, err := s.word()
			if err != nil {
				t.Errorf("%q: %v", line, err)
				break
			}
			got = append(got, w)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q is read as %q, not %q", line, got, want)
		}
	}
	for _, line := range []string{`"a`, "“a", "«a", `"a \"`, "„a"} {
		s := scanner{s: line}
		if w, err := s.word(); err == nil {
			t.Errorf("%q does not end and is read as %q", line, w)
		}
	}
}

func TestTextIsTakenAsItStands(t *testing.T) {
	for text, want := range map[string]string{
		`he said "no"`:      `he said "no"`,
		`"all of it"`:       "all of it",
		`"one" and "two"`:   `"one" and "two"`,
		` "open`:            `"open`,
		"«a\nb»":            "a\nb",
		`a \" b`:            `a \" b`,
		`"say \"no\" here"`: `say "no" here`,
	} {
		if got := unquoted(text); got != want {
			t.Errorf("%q is taken as %q", text, got)
		}
	}
}

func TestDurations(t *testing.T) {
	const day = 24 * time.Hour
	for s, want := range map[string]time.Duration{
		"90m": 90 * time.Minute, "2h30m": 150 * time.Minute, "3d": 3 * day, "1w": 7 * day, "1W 2d": 9 * day, "３d": 3 * day, "0s": 0,
		"1.5h": 90 * time.Minute, "0,5 d": 12 * time.Hour, "2 days": 2 * day, "1 hour 30 minutes": 90 * time.Minute, "90min": 90 * time.Minute,
		"1w1d1h1m1s": 8*day + time.Hour + time.Minute + time.Second,
	} {
		if got, ok := ParseDuration(s); !ok || got != want {
			t.Errorf("%q is %v, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "1", "h", "m1", "1h1h", "1m1h", ".5h", "1.h", "1.5", "1 parsec", "-1h", "+1h", "1y", "99999999999999999999h", "999999999d", "1h "} {
		if got, ok := ParseDuration(s); ok && s != "1h " {
			t.Errorf("%q is taken for %v", s, got)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0s", 90 * time.Minute: "1h30m", 8 * day: "8d", -time.Minute: "-1m", time.Microsecond: "0s",
	} {
		if got := span.Format(d); got != want {
			t.Errorf("%v is written %q", d, got)
		}
	}
	span.Format(math.MinInt64)
	if d, ok := ParseDuration(span.Format(math.MaxInt64)); !ok || d != time.Duration(math.MaxInt64).Truncate(time.Millisecond) {
		t.Errorf("the longest time comes back as %v", d)
	}
}

func TestFolding(t *testing.T) {
	for _, same := range [][]string{
		{"Ann  Lee", "ANN LEE", " ann lee\t"},
		{"Élodie", "élodie", "ÉLODIE"},
		{"ΣΊΣΥΦΟΣ", "σίσυφος"},
		{"K", "k", "K"}, // the last is the Kelvin sign
		{"a\u202eb", "ab"},
	} {
		for _, s := range same {
			if fold(s) != fold(same[0]) {
				t.Errorf("%q and %q are not the same", s, same[0])
			}
		}
	}
	if fold("ann") == fold("anne") || fold("é") == fold("e") {
		t.Error("different names are the same")
	}
}

func TestNearest(t *testing.T) {
	names := []string{"ping", "members", "rooms", "room", "lobby", "The Garden", "use"}
	for word, want := range map[string]string{
		"pnig": "ping", "PING": "ping", "meber": "members", "loby": "lobby", "lboby": "lobby", "garden": "The Garden",
		"roms": "rooms", "mem": "members", "tgdn": "The Garden", "xyzzy": "", "": "", "q": "",
		strings.Repeat("x", 1000): "",
	} {
		var got []string
		for _, i := range nearest(word, names, 2) {
			got = append(got, names[i])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("near to %q are %q", word, got)
		}
	}
}

func TestClip(t *testing.T) {
	long := protocol.Text{}
	for range 100 {
		long = append(long, protocol.Join(protocol.Strong("forty characters of a line that is long "), "\n")...)
	}
	got := (&manner{}).clip(long, 1000).Plain()
	if n := utf8.RuneCountInString(got); n > 1000 || n < 900 {
		t.Errorf("it has %d characters", n)
	}
	lines := strings.Split(got, "\n")
	if want := "… 78 more"; lines[len(lines)-1] != want || len(lines) != 24 {
		t.Errorf("%d lines, the last is %q", len(lines), lines[len(lines)-1])
	}
	if got := (&manner{}).clip(protocol.Plain(strings.Repeat("x", 5000)), 1000).Plain(); utf8.RuneCountInString(got) > 1000 || !strings.HasSuffix(got, "…") {
		t.Errorf("one long line becomes %d characters", len(got))
	}
	short := protocol.Lines(protocol.Plain("a"), protocol.Strong("b"))
	if got := (&manner{}).clip(short, 1000); len(got) != len(short) {
		t.Error("what fits is not left alone")
	}
}

func TestReadable(t *testing.T) {
	for s, want := range map[string]string{
		"<@matrix:@a:b.org> and <@discord:12>": "@a:b.org and @12",
		"<@<@console:ann>":                     "@ann",
		"<@nobody> <@ <@console:x":             "<@nobody> <@ <@console:x",
		"":                                     "",
	} {
		if got := readable(s); got != want {
			t.Errorf("%q is shown as %q", s, got)
		}
	}
}

// FuzzParse takes apart anything that can be typed.
func FuzzParse(f *testing.F) {
	tree := parseTree(f)
	for _, seed := range []string{
		"", "greet ann hello", `greet "Ann Lee" --warm “and so on”`, "poll \"q?\" a b c --for 3d", "poll q a --for=90m -- --b",
		"greet —warm ann", "greet <@matrix:@a:b>, you", "poll --", "poll --=", "poll --for=", `poll \`, "greet --in \"x", "greet --help",
		"\u202e!moot \x00 \xff", "count -5", "count +-5 6", "«", "a\u00a0b", "poll x " + strings.Repeat("y ", 40),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		line = protocol.Clean(line)
		n, stray, rest := tree.find(line)
		if len(rest) > len(line) {
			t.Fatalf("more is left than there was: %q", rest)
		}
		if stray == "" && len(n.subs) == 0 {
			given, m := (&manner{private: len(line)%2 == 0}).parseLine(n, rest)
			if (given == nil) == (m == nil) && m == nil {
				t.Fatal("neither values nor a mistake")
			}
			total := 0
			for _, values := range given {
				for _, v := range values {
					total += len(v)
				}
			}
			if total > len(line)+64 {
				t.Fatalf("%d bytes became %d", len(line), total)
			}
			if m != nil && len(m.Text.Mentions()) > 0 {
				t.Fatal("a mistake mentions somebody")
			}
		}
		for w := range strings.FieldsSeq(line) {
			s := scanner{s: quoted(w) + " after"}
			if got, err := s.word(); err != nil || got != w {
				t.Fatalf("%q, quoted as %q, is read as %q, %v", w, quoted(w), got, err)
			}
		}
		s := scanner{s: quoted(line)}
		if got, err := s.word(); err != nil || got != line || s.space() {
			t.Fatalf("%q, quoted as %q, is read as %q, %v", line, quoted(line), got, err)
		}
		if d, ok := ParseDuration(line); ok {
			if again, ok := ParseDuration(span.Format(d)); !ok || again != d.Truncate(time.Millisecond) {
				t.Fatalf("%v comes back as %v", d, again)
			}
		}
		lastWord(line)
		readable(line)
	})
}

func parseTree(t testing.TB) *Commands {
	none := func(*Call) error { return nil }
	c, err := New(Config{Prefixes: []string{"!moot", "!"}},
		&Command{Name: "greet", Summary: "greets", Where: NeedsRoom, Run: none, Params: []Param{
			{Name: "person", Kind: Person, Summary: "who"},
			{Name: "words", Kind: Text, Optional: true, Summary: "what"},
			{Name: "warm", Kind: Switch, Summary: "how"},
		}},
		&Command{Name: "poll", Summary: "asks", Run: none, Params: []Param{
			{Name: "question", Summary: "what"},
			{Name: "option", Summary: "of which", Repeat: 10, Listed: true},
			{Name: "for", Kind: Duration, Flag: true, Summary: "how long"},
		}},
		&Command{Name: "count", Summary: "counts", Run: none, Params: []Param{
			{Name: "from", Kind: Integer, Summary: "where to begin"}, {Name: "to", Kind: Integer, Optional: true, Summary: "where to end"},
		}},
		&Command{Name: "go", Summary: "goes", Run: none, Params: []Param{{Name: "room", Kind: Room, Summary: "where to"}}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParseLine(t *testing.T) {
	tree := parseTree(t)
	for line, want := range map[string]string{
		"greet ann":                               "person=ann",
		"greet ann hello  there":                  "person=ann words=hello  there",
		"greet ann hello --warm":                  "person=ann warm=yes words=hello",
		"greet ann hello -warm":                   "person=ann warm=yes words=hello",
		"greet ann hello [--warm]":                "person=ann warm=yes words=hello",
		"greet [--warm] ann hello":                "person=ann warm=yes words=hello",
		"greet ann hello ——warm":                  "person=ann warm=yes words=hello",
		"greet ann ―warm hello":                   "person=ann warm=yes words=hello",
		"greet ann −−warm hello":                  "person=ann warm=yes words=hello",
		"greet ann ‐‐warm hello":                  "person=ann warm=yes words=hello",
		"greet ann hello --help":                  "help=yes person=ann words=hello",
		"greet ann hello --warm you":              "! a flag within the text",
		"greet ann hello –warm you":               "! a flag within the text",
		"greet ann hello --warm --warm":           "! a flag within the text",
		`greet ann "hello --warm you"`:            "person=ann words=hello --warm you",
		`greet ann "hello --warm"`:                "person=ann words=hello --warm",
		"greet ann hello --later":                 "person=ann words=hello --later",
		"greet ann hello-warm":                    "person=ann words=hello-warm",
		`poll q a ——for 3d b`:                     "for=3d option=a|b question=q",
		`poll q a [--for 3d] b`:                   "for=3d option=a|b question=q",
		`poll q a -for b`:                         "option=a|-for|b question=q",
		"greet --warm ann hello":                  "person=ann warm=yes words=hello",
		"greet ann --warm hello":                  "person=ann warm=yes words=hello",
		"greet ann --warm=no":                     "person=ann warm=no",
		"greet —warm ann":                         "person=ann warm=yes",
		"greet ann —later":                        "person=ann words=—later",
		"greet ann -- --warm":                     "person=ann words=--warm",
		"greet -- --warm x":                       "person=--warm words=x",
		"greet --in “the lobby” ann":              "in=the lobby person=ann",
		"greet --help":                            "help=yes",
		"GREET ann":                               "person=ann",
		`poll "to be?" yes "not at all" --for 3d`: "for=3d option=yes|not at all question=to be?",
		`poll q a --for="2h 30m" b`:               "for=2h 30m option=a|b question=q",
		"count -5 7":                              "from=-5 to=7",
		"go The Big Room":                         "room=The Big Room",
		"greet":                                   "! something is missing",
		"greet --warm=":                           "! something is missing",
		"poll q":                                  "! something is missing",
		"poll q " + strings.Repeat("o ", 11):      "! too many words",
		"poll q a --for":                          "! a flag without its value",
		"poll q a --for --x":                      "! a flag without its value",
		"poll q a --for 1d --for 2d":              "! a flag is given twice",
		"poll q a --fro 1d":                       "! an unknown flag",
		`poll "q a`:                               "! a quotation does not end",
		`poll q --for "1d`:                        "! a quotation does not end",
		"count 1 2 3":                             "! too many words",
		`go "The" Room`:                           "! too many words",
		"go <@console:a> Room":                    "! too many words",
	} {
		n, stray, rest := tree.find(line)
		if stray != "" {
			t.Errorf("%q: %q leads nowhere", line, stray)
			continue
		}
		given, m := (&manner{}).parseLine(n, rest)
		if got := shown(given, m); got != want {
			t.Errorf("%q is taken as %q, not %q", line, got, want)
		}
	}
}

// The room, as every flag, may also stand behind what takes all the rest.
func TestTheRoomAtTheEnd(t *testing.T) {
	tree := parseTree(t)
	for line, want := range map[string]string{
		"greet ann hello --in lobby":           "in=lobby person=ann words=hello",
		"greet ann hello there --in=lobby ":    "in=lobby person=ann words=hello there",
		`greet ann "hello  there" —in "a b"`:   "in=a b person=ann words=hello  there",
		"greet ann hello --warm --in lobby":    "in=lobby person=ann warm=yes words=hello",
		"greet ann hello --in lobby and then":  "! a flag within the text",
		"greet ann hello --in":                 "! a flag within the text",
		"greet ann hello --inside lobby":       "person=ann words=hello --inside lobby",
		"greet ann hello--in lobby":            "person=ann words=hello--in lobby",
		"greet --in hall ann hello --in lobby": "! a flag within the text",
		"greet ann -- hello --in lobby":        "person=ann words=hello --in lobby",
		"greet ann --in lobby":                 "in=lobby person=ann",
		`greet ann hello --in "lobby`:          "! a flag within the text",
	} {
		n, _, rest := tree.find(line)
		given, m := (&manner{private: true}).parseLine(n, rest)
		if got := shown(given, m); got != want {
			t.Errorf("%q is taken as %q, not %q", line, got, want)
		}
	}
	n, _, rest := tree.find("greet ann hello --in lobby")
	given, m := (&manner{}).parseLine(n, rest)
	if got := shown(given, m); got != "in=lobby person=ann words=hello" { // which is then refused
		t.Errorf("in a room it is taken as %q", got)
	}
}

func TestParseArgs(t *testing.T) {
	tree := parseTree(t)
	for _, test := range []struct {
		path string
		args map[string]string
		want string
	}{
		{"greet", map[string]string{"person": " ann ", "words": "a\nb\u202e"}, "person=ann words=a\nb"},
		{"poll", map[string]string{"question": "q", "option": "a", "option-3": "c", "for": "3d"}, "for=3d option=a|c question=q"},
		{"poll", map[string]string{"question": "q"}, "! something is missing"},
		{"poll", map[string]string{"question": "q", "option": "", "option-2": " "}, "! something is missing"},
		{"poll", map[string]string{"question": "q", "option": "a", "colour": "red"}, "! an unknown flag"},
		{"greet", map[string]string{"help": "yes"}, "help=yes"},
		{"greet", map[string]string{"person": "ann", "words": "hello --warm"}, "! a flag within a field"},
		{"greet", map[string]string{"person": "ann", "words": "hello —warm"}, "! a flag within a field"},
		{"greet", map[string]string{"person": "ann", "in": "lobby"}, "in=lobby person=ann"},
	} {
		n, _ := tree.Find(test.path)
		given, m := (&manner{}).parseArgs(n, test.args)
		if got := shown(given, m); got != test.want {
			t.Errorf("%v is taken as %q, not %q", test.args, got, test.want)
		}
	}
}

// shown writes what was given in the order of the names, or why it is a mistake.
func shown(g given, m *Mistake) string {
	if m != nil {
		return "! " + m.why
	}
	var out []string
	for name, values := range g {
		if name != loosely {
			out = append(out, name+"="+strings.Join(values, "|"))
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestAddressing(t *testing.T) {
	c, err := New(Config{Prefixes: []string{"!Moot", "!", "bot:", "мут"}})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"!moot ping":                       "ping",
		"  !MOOT\n ping ":                  "ping",
		"!moot":                            "",
		"!mootping":                        "?mootping",
		"!ping":                            "?ping",
		"! ping":                           "?ping",
		"bot:ping":                         "ping",
		"Bot: ping":                        "ping",
		"МУТ ping":                         "ping",
		"мутping":                          "-",
		"ping":                             "-",
		"say !moot ping":                   "-",
		"\u202e!moot ping":                 "ping",
		"!m\x00oot \xff":                   "\uFFFD",
		"":                                 "-",
		strings.Repeat(" ", 300) + "!ping": "-",
	} {
		line, how := c.addressed(protocol.Event{}, protocol.Message{Text: text})
		switch how {
		case notAddressed:
			line = "-"
		case perhaps:
			line = "?" + line
		}
		if line != want {
			t.Errorf("%q is taken as %q, not %q", text, line, want)
		}
	}
	if line, how := c.addressed(protocol.Event{}, protocol.Message{Text: "!moot ping", Addressed: true}); line != "ping" || how != addressed {
		t.Errorf("behind its name and a prefix: %q", line)
	}
	if line, how := c.addressed(protocol.Event{Private: true}, protocol.Message{Text: " ping "}); line != "ping" || how != addressed {
		t.Errorf("in private: %q", line)
	}
}
