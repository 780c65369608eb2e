package matrix_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol"
	"moot/protocol/matrix/matrixtest"
)

func TestManyReactionsAndOneThatStandsAlready(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	h, a, rec := directly(t)
	target := h.Say(h.Room(), mx(h.ann), "react to this")
	react := func(by string, key string) string {
		return h.Send(h.town, by, "m.reaction", map[string]any{"m.relates_to": map[string]any{"rel_type": "m.annotation", "event_id": string(target), "key": key}})
	}
	for i := range 250 {
		react(h.ben, fmt.Sprintf("r%d", i))
	}
	h.Send(h.town, h.ben, "m.reaction", map[string]any{"m.relates_to": map[string]any{"rel_type": "m.annotation", "event_id": string(target), "key": 7}})
	own := react(h.bot, "✅")
	body, err := a.Ask(t.Context(), protocol.Ask{Key: protocol.DeriveKey(t.Name()), Room: h.Room(), Want: protocol.AskReactions{Target: target}}, protocol.Attempt{N: 1})
	set, _ := body.(protocol.ReactionSet)
	seen := map[string]bool{}
	for _, one := range set.Reactions {
		seen[one.Reaction] = true
	}
	if err != nil || len(set.Reactions) != 251 || len(seen) != 251 {
		t.Errorf("%d reactions, %d different ones, %v", len(set.Reactions), len(seen), err)
	}
	for i := range 1000 {
		h.Break("/relations/", 1, matrixtest.Fault{Status: http.StatusOK, Body: fmt.Sprintf(`{"chunk":[],"next_batch":"n%d"}`, i)})
	}
	var many *protocol.SendError
	_, err = a.Ask(t.Context(), protocol.Ask{Key: protocol.DeriveKey(t.Name(), "3"), Room: h.Room(), Want: protocol.AskReactions{Target: target}}, protocol.Attempt{N: 1})
	if !errors.As(err, &many) || !many.Final {
		t.Errorf("a list without end gave %v", err)
	}
	h.Break("/send/m.reaction/", 1, matrixtest.Refusal(http.StatusBadRequest, "M_DUPLICATE_ANNOTATION"))
	out := protocol.Outgoing{Key: protocol.DeriveKey(t.Name(), "2"), Room: h.Room(), Act: protocol.React{Target: target, Reaction: "✅"}}
	if ref, err := a.Send(t.Context(), out, protocol.Attempt{N: 1}); err != nil || ref.Event != protocol.EventID(own) {
		t.Errorf("a reaction that stands already gave %v, %v, and stands as %s", ref, err, own)
	}
	var se *protocol.SendError
	if _, err := a.Send(t.Context(), say(h, "late", "late"), protocol.Attempt{N: 1, Until: time.Now().Add(-time.Second)}); !errors.As(err, &se) || !se.Final {
		t.Errorf("what has expired gave %v", err)
	}
	// The store is behind the clock of the machine.
	out = say(h, "in time", "in time")
	out.Expires = time.Now().Add(-time.Hour)
	if _, err := a.Send(t.Context(), out, protocol.Attempt{N: 1, Until: time.Now().Add(time.Hour)}); err != nil {
		t.Errorf("what has an hour left gave %v", err)
	}
	rec.stop()
}

// TestReactionsAreWrittenAsProgramsWriteThem, so that people add to those of the bot and not to another one beside them.
func TestReactionsAreWrittenAsProgramsWriteThem(t *testing.T) {
	t.Parallel()
	h, a, rec := directly(t)
	target := h.Say(h.Room(), mx(h.ann), "react to this")
	for given, want := range map[string]string{"👍": "👍\ufe0f", "👎": "👎\ufe0f", "🤷": "🤷", "✅": "✅\ufe0f", "1\ufe0f\u20e3": "1\ufe0f\u20e3", "x": "x"} {
		ref, err := a.Send(t.Context(), protocol.Outgoing{Key: protocol.DeriveKey(t.Name(), given), Room: h.Room(),
			Act: protocol.React{Target: target, Reaction: given}}, protocol.Attempt{N: 1})
		if err != nil {
			t.Fatal(err)
		}
		var written any
		for _, ev := range h.Timeline(h.town) {
			if rel, _ := ev.Content["m.relates_to"].(map[string]any); ev.ID == string(ref.Event) {
				written = rel["key"]
			}
		}
		if written != want {
			t.Errorf("%+q is written %+q, want %+q", given, written, want)
		}
	}
	rec.stop()
}
