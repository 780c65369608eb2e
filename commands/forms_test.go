package commands

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"moot/protocol"
)

// takes holds the parser to what lines are taken as.
func takes(t *testing.T, lines map[string]string) {
	t.Helper()
	tree := parseTree(t)
	for line, want := range lines {
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

// TestFlagsInEveryForm: a flag is one wherever it stands, whatever a keyboard, a sentence or a quotation made of it, or the
// command is refused. It never becomes words for all to read.
func TestFlagsInEveryForm(t *testing.T) {
	for _, flag := range []string{
		"--warm", "—warm", "–warm", "-warm", "‐‐warm", "－－warm", "--WARM", "--ｗarm", "--warm,", "--warm.", "--warm:", "—warm;", "[--warm]", "(--warm)", "{—warm}",
		"[--warm],", `"--warm"`, "“--warm”", "”--warm”", "'--warm'", "‘—warm’", "«--warm»", "＂--warm＂", `"-warm"`, `"--warm",`, "--warm=yes",
		"`--warm`", "*--warm*", "`—warm`", "`--warm`.",
	} {
		takes(t, map[string]string{
			"greet " + flag + " ann hello there": "person=ann warm=yes words=hello there",
			"greet ann " + flag + " hello there": "person=ann warm=yes words=hello there",
			"greet ann hello there " + flag:      "person=ann warm=yes words=hello there",
			"greet ann hello " + flag + " there": "! a flag within the text",
		})
	}
	for _, flag := range []string{"--for 3d", "–for 3d", "—for 3d", "-for 3d", "--for=3d", "—for=3d", "--for: 3d", "—for:3d", "[--for 3d]", "--for 3d,", `"--for 3d"`, "“--for=3d”", "--for, 3d"} {
		takes(t, map[string]string{
			"poll " + flag + " q a b": "for=3d option=a|b question=q",
			"poll q a " + flag + " b": "for=3d option=a|b question=q",
			"poll q a b " + flag:      "for=3d option=a|b question=q",
		})
	}
	takes(t, map[string]string{
		"greet ann -- warm hello":   "! a flag apart from its hyphens",
		"greet ann — warm hello":    "! a flag apart from its hyphens",
		"greet ann -- hello":        "person=ann words=hello",
		"greet ann - warm hello":    "person=ann words=- warm hello",
		"greet ann — hello":         "person=ann words=— hello",
		`greet ann "--warm hello"`:  "person=ann words=--warm hello",
		`greet ann "\--warm"`:       "person=ann words=--warm",
		`greet ann "-- warm hello"`: "person=ann words=-- warm hello",
		"greet ann -later":          "person=ann words=-later",
		"greet ann hello --wram":    "! an unknown flag",
		"greet ann hello --wаrm":    "! an unknown flag", // with a Cyrillic letter
		"greet ann hello --there":   "person=ann words=hello --there",
		`greet ann "hello --wram"`:  "person=ann words=hello --wram",
		"poll q -for example":       "option=-for|example question=q",
		"poll q -- for example":     "option=for|example question=q",
	})
}

// TestListsAsPeopleWriteThem: one item a line, with any mark or none, or between bars.
func TestListsAsPeopleWriteThem(t *testing.T) {
	const want = "option=Monday|any other day question=Which day?"
	for _, line := range []string{
		"poll \"Which day?\"\nMonday\nany other day", "poll Which day?\nMonday\nany other day", "poll\nWhich day?\n\nMonday\n  any other day\n",
		"poll Which day?\n- Monday\n- any other day", "poll Which day?\n* Monday\n• any other day", "poll Which day?\n1. Monday\n2. any other day",
		"poll Which day?\n1) Monday\n(2) any other day", "poll Which day?\na) Monday\nb) any other day", "poll Which day?\n1️⃣ Monday\n2️⃣ any other day",
		"poll Which day?\n- \"Monday\"\n- “any other day”", "poll Which day? | Monday | any other day", "poll \"Which day?\" | Monday | any other day |",
		"poll Which day?｜Monday｜any other day", "poll Which day?\r\n– Monday\r\n— any other day",
	} {
		takes(t, map[string]string{protocol.Clean(line): want})
	}
	takes(t, map[string]string{
		"poll --for 3d Which day?\nMonday\nany other day":  "for=3d " + want,
		"poll Which day? —for 3d\nMonday\nany other day":   "for=3d " + want,
		"poll Which day?\nMonday\nany other day --for 3d":  "for=3d " + want,
		"poll Which day?\nMonday\nany other day\n--for 3d": "for=3d " + want,
		"poll --for 3d\nWhich day?\nMonday\nany other day": "for=3d " + want,
		"poll Who said \"yes\"?\nann\nben":                 "option=ann|ben question=Who said \"yes\"?",
		"poll \"Which day?\" Monday\n\"any other day\"":    want,
		"poll \"Which | day?\" Monday \"a\nb\"":            "option=Monday|a\nb question=Which | day?",
		"poll Which day?\n-5\n1.5h\n3.":                    "option=-5|1.5h|3. question=Which day?",
		"greet ann hello\n- you\n- and you":                "person=ann words=hello\n- you\n- and you",
	})
}

// TestADashIsReadAsItIsQuoted: what is quoted for a suggestion is read as the same words and as no flag, whatever it is.
func TestADashIsReadAsItIsQuoted(t *testing.T) {
	tree := parseTree(t)
	pieces := rapid.SampledFrom([]string{"--for", "-for", "—warm", "--", "-", "3d", "|", "\n", " ", `"`, "“", "”", "'", "’", "«", "»", `\`, "[", "]", "(", ")", ",", ":", "=",
		"<@console:a>", "a", "É", "？", "!", "\u00a0", "1.", "—", "or", "`", "*"})
	rapid.Check(t, func(t *rapid.T) {
		word := func(label string) string {
			return protocol.OneLine(strings.Join(rapid.SliceOfN(pieces, 1, 6).Draw(t, label), ""))
		}
		question, options := word("question"), []string{word("option"), word("option")}
		if question == "" || options[0] == "" || options[1] == "" {
			return
		}
		line := "poll " + escapedWord(question) + " " + quoted(options[0]) + " " + quoted(options[1])
		n, _, rest := tree.find(line)
		given, m := (&manner{}).parseLine(n, rest)
		if m != nil || given["question"][0] != question || strings.Join(given["option"], "\x00") != strings.Join(options, "\x00") || len(given["for"]) > 0 {
			t.Fatalf("%s is taken as %q", line, shown(given, m))
		}
	})
}
