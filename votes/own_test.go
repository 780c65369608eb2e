package votes_test

import (
	"slices"
	"testing"
	"time"

	"moot/protocol"
	"moot/votes"
)

// TestOwnReactions: where the bot puts the reactions under the message of a vote, there is one for each choice, also after the
// message was deleted; none counts, not when the vote closes either, and people press them beside the bot.
func TestOwnReactions(t *testing.T) {
	for name, test := range map[string]struct {
		line string
		want []string
	}{
		"motion":  {"vote motion tea", []string{"👍", "👎", "🤷"}},
		"consent": {"vote motion --consent tea", []string{"👍", "🤷"}},
		"poll":    {`vote poll "Which?" a b c d e f g h i j`, []string{"1️⃣", "2️⃣", "3️⃣", "4️⃣", "5️⃣", "6️⃣", "7️⃣", "8️⃣", "9️⃣", "🔟"}},
		"secret":  {"vote motion --secret tea", nil},
		"hidden":  {"vote motion --hidden tea", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t, func(w *town) { w.reacts = []protocol.Network{protocol.Console} })
			w.settle(lobby, "ann", "ben", "cem")
			w.say(lobby, "ann", "!moot "+test.line)
			own := func() (signs []string) {
				for _, r := range w.messages[w.board(lobby)].reactions {
					if r.User == self {
						signs = append(signs, r.Reaction)
					}
				}
				return signs
			}
			if got := own(); !slices.Equal(got, test.want) {
				t.Fatalf("the bot gives %q", got)
			}
			if len(test.want) == 0 {
				return
			}
			w.react(lobby, "ben", test.want[0])
			id := w.board(lobby)
			w.messages[id].deleted = true
			w.admit(protocol.Event{Room: lobby, Sender: person("cem"), Body: protocol.Deletion{Target: id}})
			if got := own(); !slices.Equal(got, test.want) {
				t.Errorf("under the message that is shown once more it gives %q", got)
			}
			w.react(lobby, "cem", test.want[0])
			w.wait(3 * 24 * time.Hour)
			if v := w.vote(lobby, 1); v.Status != votes.Closed || v.Count.Cast != 2 || v.Count.For[0] != 2 {
				t.Errorf("got %+v", v)
			}
		})
	}
}
