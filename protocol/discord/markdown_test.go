package discord

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"moot/protocol"
)

func TestRender(t *testing.T) {
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name string
		text protocol.Text
		want string
	}{
		{"plain", protocol.Plain("good evening"), "good evening"},
		{"markup of people", protocol.Plain("*a* _b_ ~~c~~ `d` ||e|| [f](http://g)"), `\*a\* \_b\_ \~\~c\~\~ \` +
			"`d\\`" + ` \|\|e\|\| \[f\](http://g)`},
		{"mentions of people", protocol.Plain("<@1> @everyone <#2> <t:0:R>"), `\<\@1\> \@everyone \<#2\> \<t:0:R\>`},
		{"beginnings of lines", protocol.Plain("# a\n- b\n> c\n1. d\n12) e\n-# f\n  # g\nh # - 1."),
			"\\# a\n\\- b\n\\> c\n1\\. d\n12\\) e\n\\-# f\n  \\# g\nh # - 1."},
		{"after a name", protocol.Join(protocol.Person("discord:12", "Ann"), "- said"), "<@12>- said"},
		{"a link", protocol.Plain("see https://example.org/a_b_c*d and _x_"),
			`see https://example.org/a_b_c\*d and \_x\_`},
		{"strong", protocol.Join(protocol.Strong("Vote 3: a*b "), "c"), `**Vote 3: a\*b** c`},
		{"code", protocol.Join("To vote: ", protocol.Code("!moot vote cast 3 a_b"), "."),
			"To vote: `!moot vote cast 3 a_b`."},
		{"code with backticks", protocol.Code("a`b"), "`` a`b ``"},
		{"a mention", protocol.Mention("discord:42", "Ann"), "<@42>"},
		{"a person of elsewhere", protocol.Person("matrix:@ann:example.org", "Ann_"), `Ann\_`},
		{"a channel", protocol.Join("in ", protocol.Place("1234567890123456789")), "in <#1234567890123456789>"},
		{"a place of elsewhere", protocol.Place("$thread_1"), `$thread\_1`},
		{"a time", protocol.Join("until ", protocol.Moment(at)), "until <t:1795608000:f>"},
		{"a backslash", protocol.Plain(`a\*b`), `a\\\*b`},
	} {
		got := render(tt.text)
		if len(got) != 1 || got[0].Content != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := render(nil); len(got) != 0 {
		t.Errorf("nothing is written as %q", got)
	}
}

func TestOnlyMentionsNotify(t *testing.T) {
	text := protocol.Join(protocol.Mention("discord:1", "Ann"), protocol.Person("discord:2", "Ben"),
		protocol.Mention("discord:1", "Ann"), protocol.Mention("matrix:@c:d", "Cem"), "<@3>")
	if got := render(text); len(got) != 1 || cmp.Diff([]string{"1"}, got[0].Users) != "" {
		t.Errorf("got %+v", got)
	}
	a := New(Config{})
	c := a.content(render(protocol.Plain("x"))[0], nil, false)
	if c.Mentions.Parse == nil || len(c.Mentions.Parse) != 0 || *c.Mentions.Reply {
		t.Errorf("a text without mentions allows %+v", c.Mentions)
	}
}

// TestPiecesAreSplitWell: a long text keeps its words, each piece fits, and it ends where reading
// pauses.
func TestPiecesAreSplitWell(t *testing.T) {
	para := strings.Repeat("word ", 150) // 750 characters
	text := protocol.Plain(strings.TrimSpace(strings.Repeat(strings.TrimSpace(para)+"\n\n", 5)))
	got := render(text)
	if len(got) != 3 {
		t.Fatalf("%d pieces", len(got))
	}
	for i, p := range got {
		if units(p.Content) > maxContent || strings.HasPrefix(p.Content, "\n") || strings.HasSuffix(p.Content, "\n") {
			t.Errorf("piece %d has %d characters and is %q…%q", i, units(p.Content), p.Content[:10],
				p.Content[len(p.Content)-10:])
		}
		if i < 2 && strings.Count(p.Content, "\n\n") != 1 {
			t.Errorf("piece %d does not end with its second paragraph", i)
		}
	}
}

func TestAnyTextIsSplitWithoutLoss(t *testing.T) {
	words := rapid.SliceOfN(rapid.SampledFrom([]string{
		"a", "*", "`", "é", "👩‍🚀", strings.Repeat("x", 300), strings.Repeat("y", 5000), " ", "\n", "\n\n", "_", "<@1>", "http://a.b/c",
	}), 1, 60)
	rapid.Check(t, func(t *rapid.T) {
		var text protocol.Text
		for _, w := range words.Draw(t, "words") {
			switch rapid.IntRange(0, 4).Draw(t, "style") {
			case 0:
				text = protocol.Join(text, protocol.Strong(w))
			case 1:
				text = protocol.Join(text, protocol.Code(w))
			case 2:
				text = protocol.Join(text, protocol.Mention("discord:7", w))
			default:
				text = protocol.Join(text, w)
			}
		}
		all, pieces := "", render(text)
		for i, p := range pieces {
			if n := units(p.Content); n == 0 || n > maxContent {
				t.Fatalf("piece %d has %d characters", i, n)
			}
			if strings.Count(p.Content, "**")%2 != 0 && !strings.Contains(p.Content, `\*`) {
				t.Fatalf("piece %d ends within an emphasis: %q", i, p.Content)
			}
			all += p.Content
		}
		var w writer
		for _, s := range text {
			w.span(s)
		}
		want := ""
		for _, a := range w.atoms {
			want += a.text
		}
		if squeeze(all) != squeeze(want) {
			t.Fatalf("it was\n%q\nand is\n%q", squeeze(want), squeeze(all))
		}
		for most := 1; most < 4; most++ {
			some := renderIn(text, most)
			if len(some) > most || len(pieces) <= most && len(some) != len(pieces) {
				t.Fatalf("%d pieces become %d where there is room for %d", len(pieces), len(some), most)
			}
			for _, p := range some {
				if units(p.Content) > maxContent {
					t.Fatalf("a piece has %d characters", units(p.Content))
				}
			}
		}
	})
}

// squeeze takes away the white space, which may go at the ends of pieces.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '\n' {
			return -1
		}
		return r
	}, s)
}

func TestReadContent(t *testing.T) {
	for _, tt := range []struct {
		in, want  string
		addressed bool
	}{
		{"hello", "hello", false},
		{"<@9> vote list", "vote list", true},
		{"<@!9>, vote list", "vote list", true},
		{" <@9>", "", true},
		{"<@&8> vote list", "vote list", true},
		{"<@&7> vote list", "<@&7> vote list", false},
		{"challenge <@12> for <@!13>", "challenge <@discord:12> for <@discord:13>", false},
		{"<@9> challenge <@12>", "challenge <@discord:12>", true},
		{"see <@9>", "see <@discord:9>", false},
		{"<@&12> <#13> <@x> <@", "<@&12> <#13> <@x> <@", false},
		{"a\xffb", "a\uFFFDb", false},
	} {
		got, addressed := readContent(tt.in, "9", "8")
		if got != tt.want || addressed != tt.addressed {
			t.Errorf("%q is read as %q, %v; want %q, %v", tt.in, got, addressed, tt.want, tt.addressed)
		}
	}
}
