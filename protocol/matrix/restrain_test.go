package matrix

import (
	"encoding/json"
	"testing"

	"moot/protocol"
)

const (
	testBot = "@moot:example.org"
	testBen = "@ben:example.org"
)

func TestRestrained(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		content  string
		creators []string
		on       bool
		recorded string
		foreign  bool   // whether somebody else was the last to change the levels
		want     string // zero: nothing to do
		refused  protocol.Refusal
	}{
		"an ordinary member": {
			content: `{"users":{"@moot:example.org":50},"name":"kept"}`, on: true,
			want: `{"users":{"@moot:example.org":50,"@ben:example.org":-1},"name":"kept","org.moot.restrained":{"@ben:example.org":null}}`,
		},
		"a moderator": {
			content: `{"users":{"@moot:example.org":100,"@ben:example.org":50}}`, on: true,
			want: `{"users":{"@moot:example.org":100,"@ben:example.org":-1},"org.moot.restrained":{"@ben:example.org":50}}`,
		},
		"a room in which it takes more to write": {
			content: `{"users":{"@moot:example.org":"100"},"users_default":10,"events":{"m.room.message":-5}}`, on: true,
			want: `{"users":{"@moot:example.org":"100","@ben:example.org":-6},"users_default":10,"events":{"m.room.message":-5},"org.moot.restrained":{"@ben:example.org":null}}`,
		},
		"restrained already": {content: `{"users":{"@moot:example.org":50,"@ben:example.org":-1},"org.moot.restrained":{"@ben:example.org":null}}`, on: true},
		"muted by others":    {content: `{"users":{"@moot:example.org":50,"@ben:example.org":-7}}`, on: true},
		"let go": {
			content: `{"users":{"@moot:example.org":50,"@ben:example.org":-1},"org.moot.restrained":{"@ben:example.org":null}}`,
			want:    `{"users":{"@moot:example.org":50}}`,
		},
		"a moderator is let go": {
			content: `{"users":{"@moot:example.org":100,"@ben:example.org":-1},"org.moot.restrained":{"@ben:example.org":50,"@cem:example.org":null}}`,
			want:    `{"users":{"@moot:example.org":100,"@ben:example.org":50},"org.moot.restrained":{"@cem:example.org":null}}`,
		},
		"let go with less power than they had": {
			content: `{"users":{"@moot:example.org":50,"@ben:example.org":-1},"org.moot.restrained":{"@ben:example.org":99}}`,
			want:    `{"users":{"@moot:example.org":50}}`,
		},
		"a mark that somebody else may have written is not believed": {
			content: `{"users":{"@moot:example.org":100,"@ben:example.org":-1},"org.moot.restrained":{"@ben:example.org":99}}`, foreign: true,
		},
		"what was recorded counts, whatever the mark says": {
			content:  `{"users":{"@moot:example.org":100,"@ben:example.org":-1},"org.moot.restrained":{"@ben:example.org":100}}`,
			recorded: "null", foreign: true, want: `{"users":{"@moot:example.org":100}}`,
		},
		"never restrained":                 {content: `{"users":{"@moot:example.org":50}}`},
		"muted by others and not let go":   {content: `{"users":{"@moot:example.org":50,"@ben:example.org":-7}}`},
		"let go by others":                 {content: `{"users":{"@moot:example.org":50,"@ben:example.org":0},"org.moot.restrained":{"@ben:example.org":null}}`},
		"the bot has no power":             {content: `{"users":{}}`, on: true, refused: protocol.RefusedPower},
		"powers take more than the others": {content: `{"users":{"@moot:example.org":50},"events":{"m.room.power_levels":100}}`, on: true, refused: protocol.RefusedPower},
		"as high as the bot":               {content: `{"users":{"@moot:example.org":50,"@ben:example.org":50}}`, on: true, refused: protocol.RefusedOutranked},
		"who has made the room":            {content: `{"users":{"@moot:example.org":100}}`, creators: []string{testBen}, on: true, refused: protocol.RefusedOutranked},
		"the bot has made the room": {
			content: `{}`, creators: []string{testBot}, on: true,
			want: `{"users":{"@ben:example.org":-1},"org.moot.restrained":{"@ben:example.org":null}}`,
		},
		"no power to let go": {
			content: `{"users":{"@ben:example.org":-1},"org.moot.restrained":{"@ben:example.org":null}}`, refused: protocol.RefusedPower,
		},
	} {
		t.Run(name, func(t *testing.T) {
			may := readPowers(object(tc.content))
			may.creators = map[string]bool{}
			for _, u := range tc.creators {
				may.creators[u] = true
			}
			l := levels{content: object(tc.content), may: may, self: testBot, own: !tc.foreign}
			next, _, refused, err := l.restrained(testBen, tc.on, tc.recorded)
			if err != nil || refused != tc.refused {
				t.Fatalf("refused %q, %v", refused, err)
			}
			if next == nil {
				if tc.want != "" {
					t.Fatal("nothing was done")
				}
				return
			}
			var got, want any
			_ = json.Unmarshal(encoded(next), &got)
			if err := json.Unmarshal([]byte(tc.want), &want); err != nil || string(encoded(got)) != string(encoded(want)) {
				t.Errorf("got %s, want %s", encoded(got), tc.want)
			}
		})
	}
}
