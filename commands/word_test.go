package commands_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"moot/commands"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// hostile draws a name that was made to be read as something else.
func hostile(t *rapid.T, label string) string {
	pieces := []string{
		"ann", "Ann", "ANN", "Аnn", "ben", "eve", " ", " ", "\"", "“", "”", "«", "»", "'", "\\", "-", "--", "--in", "--secret", "—in", "@", "<@", ">",
		"console:ben", ":", ".", ",", "/", "|", "REASON", "yes", "1", "#1", "\n", "\u200d", "\u202e", "a\u0301", "🏴", "🇫🇷", "`", "*", "ㅤ",
	}
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 6).Draw(t, label), "")
}

// TestSuggestedPeople: a command that names somebody as PersonWord does means them, whatever all others are called.
func TestSuggestedPeople(t *testing.T) {
	t.Parallel()
	const lobby protocol.RoomID = "console:lobby"
	rapid.Check(t, func(rt *rapid.T) {
		var got []protocol.UserID
		w := newWorld(rt, &commands.Command{
			Name: "restore", Summary: "restores somebody", Where: commands.NeedsRoom,
			Params: []commands.Param{
				{Name: "person", Kind: commands.Person, Outside: true, Summary: "whom"}, {Name: "reason", Kind: commands.Text, Summary: "why", Min: 1, Max: 1000},
			},
			Run: func(c *commands.Call) error {
				who, _ := c.Somebody("person")
				got = append(got, who.User)
				return nil
			},
		})
		people := []string{"ann", "ben", "cem", "dan"}
		w.room(lobby, "lobby", people...)
		for _, p := range people {
			id := protocol.UserID("console:" + p)
			w.join(lobby, id, hostile(rt, p))
		}
		var lines []string
		w.view(func(tx *store.Tx) {
			info, _ := rooms.Get(tx, lobby)
			for _, p := range append(people, "zoe") { // who is not in the room
				lines = append(lines, "!m restore "+commands.PersonWord(tx, info, protocol.UserID("console:"+p))+" "+
					rapid.SampledFrom([]string{"REASON", "ann is kind", "Ann"}).Draw(rt, "reason"))
			}
		})
		for i, p := range append(people, "zoe") {
			got = nil
			w.say("console:ann", lobby, lines[i])
			if len(got) != 1 || got[0] != protocol.UserID("console:"+p) {
				rt.Fatalf("%q means %v, and not %s", lines[i], got, p)
			}
		}
	})
}
