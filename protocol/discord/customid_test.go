package discord

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"moot/protocol"
)

func TestCustomIDsAreStable(t *testing.T) {
	// Buttons on messages that stand since last year have to be understood: these strings never
	// change.
	for id, want := range map[string]press{
		"1vote.cast~ballot=3~ballot-2=yes~of=k3f": {Path: []string{"vote", "cast"},
			Args: map[string]string{"ballot": "3", "ballot-2": "yes", "of": "k3f"}},
		"1vote.cast~ballot=3>ballot": {Path: []string{"vote", "cast"},
			Args: map[string]string{"ballot": "3"}, Menu: "ballot"},
		"1vote.reply~vote=3!text": {Path: []string{"vote", "reply"},
			Args: map[string]string{"vote": "3"}, Form: []string{"text"}},
		"1ping":             {Path: []string{"ping"}, Args: map[string]string{}},
		"1a~b=%7E%25%C3%A9": {Path: []string{"a"}, Args: map[string]string{"b": "~%é"}},
	} {
		got, err := decodePress(id)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", id, d)
		}
		if again, err := encodePress(want); err != nil || again != id {
			t.Errorf("%+v is written as %s, %v; want %s", want, again, err, id)
		}
	}
}

func TestForeignCustomIDsAreRefused(t *testing.T) {
	for _, id := range []string{"", "1", "2vote.cast", "vote.cast", "1.cast", "1vote..cast", "1vote~x", "1vote~=x",
		"1vote=x", "1vote>", "1vote!", "1vote>a=b", "1vote%2", "1vote%zz", "1" + strings.Repeat("a", 1000)} {
		if p, err := decodePress(id); !errors.Is(err, errCustomID) {
			t.Errorf("%q was read as %+v, %v", id, p, err)
		}
	}
}

func TestLongCustomIDsAreRefused(t *testing.T) {
	p := press{Path: []string{"vote", "cast"}, Args: map[string]string{"ballot": strings.Repeat("x", maxCustomID)}}
	if id, err := encodePress(p); !errors.Is(err, errCustomID) {
		t.Errorf("got %s, %v", id, err)
	}
}

func TestWhatIsWrittenInACustomIDIsReadAgain(t *testing.T) {
	word := rapid.StringN(1, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		want := press{
			Path: rapid.SliceOfN(word, 1, 3).Draw(t, "path"),
			Args: rapid.MapOfN(word, rapid.StringN(0, 8, -1), 0, 3).Draw(t, "args"),
			Menu: rapid.SampledFrom([]string{"", "ballot"}).Draw(t, "menu"),
			Form: rapid.SliceOfN(word, 0, 2).Draw(t, "form"),
		}
		if len(want.Form) == 0 {
			want.Form = nil
		}
		id, err := encodePress(want)
		if err != nil {
			t.Skip()
		}
		got, err := decodePress(id)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
	})
}

func FuzzDecodePress(f *testing.F) {
	f.Add("1vote.cast~ballot=3>ballot!text")
	f.Add("1a~b=%7E%25")
	f.Fuzz(func(t *testing.T, id string) {
		p, err := decodePress(id)
		if err != nil {
			return
		}
		again, err := encodePress(p)
		if err != nil {
			return // longer than it was, by what is escaped now
		}
		q, err := decodePress(again)
		if err != nil || cmp.Diff(p, q) != "" {
			t.Errorf("%q is %+v, which is written as %q and read as %+v, %v", id, p, again, q, err)
		}
	})
}

func TestControlsAreLaidOut(t *testing.T) {
	button := func(label string) protocol.Control {
		return protocol.Control{Label: label, Tone: protocol.ToneGood, Path: []string{"vote", "cast"},
			Args: map[string]string{"ballot": label}}
	}
	menu := protocol.Control{
		Label: "Choose", Path: []string{"vote", "cast"}, Args: map[string]string{"ballot": "3"},
		Param: "ballot", Most: 2,
		Options: []protocol.Option{{Label: "One", Value: "1"}, {Label: "Two", Value: "2"}},
	}
	var left []string
	note := func(c protocol.Control, err error) { left = append(left, c.Label+": "+err.Error()) }
	bad := protocol.Control{Label: "bad"}
	rows := layOut([]protocol.Control{button("1"), button("2"), button("3"), button("4"), button("5"), button("6"),
		menu, button("7"), button("1"), bad}, note)
	var shape [][]int
	for _, r := range rows {
		var kinds []int
		for _, c := range r.Components {
			kinds = append(kinds, c.Type)
		}
		shape = append(shape, kinds)
	}
	if d := cmp.Diff([][]int{{2, 2, 2, 2, 2}, {2}, {3}, {2}}, shape); d != "" {
		t.Error(d)
	}
	if len(left) != 2 || !strings.HasPrefix(left[0], "1: another") || !strings.HasPrefix(left[1], "bad: control") {
		t.Errorf("left out are %q", left)
	}
	if m := rows[2].Components[0]; *m.Least != 1 || m.Most != 2 || m.Hint != "Choose" || len(m.Options) != 2 {
		t.Errorf("the menu is %+v", m)
	}
	if none := layOut(nil, note); none == nil || len(none) != 0 {
		t.Errorf("no controls are %v; an edit would leave the old ones", none)
	}
	left = nil
	if layOut([]protocol.Control{menu, button("1"), menuOf(menu, "4"), menuOf(menu, "5"), menuOf(menu, "6"),
		menuOf(menu, "7")}, note); len(left) != 1 || !strings.Contains(left[0], errTooMany.Error()) {
		t.Errorf("of six rows are left out: %q", left)
	}
}

func menuOf(m protocol.Control, vote string) protocol.Control {
	m.Args = map[string]string{"ballot": vote}
	return m
}
