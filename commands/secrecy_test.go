package commands_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"moot/commands"
	"moot/protocol"
	"moot/store"
)

const (
	ann  protocol.UserID = "console:ann"
	ben  protocol.UserID = "console:ben"
	cleo protocol.UserID = "console:cleo"
	dan  protocol.UserID = "console:dan"
)

// unlimited lets everybody ask as fast as they can.
var unlimited = commands.Config{Every: -1}

// all returns everything that is said because of lines that ben writes in private and in the lobby, what became of them,
// and how they are completed.
func (w *world) all(lines []string) (said []string) {
	var evs []protocol.Event
	for _, line := range lines {
		evs = append(evs, protocol.Event{Room: dm(ben), Sender: ben, Body: protocol.Message{Text: line}},
			protocol.Event{Room: "console:lobby", Sender: ben, Body: protocol.Message{Text: "!moot " + line}})
	}
	for i, a := range w.together(evs) {
		text := evs[i].Body.(protocol.Message).Text
		said = append(said, fmt.Sprintf("%s> %s: %s %v", evs[i].Room, text, encoded(w.t, a.out), a.outcome))
	}
	w.view(func(tx *store.Tx) {
		for _, ev := range evs {
			where := commands.CompletionContext{Person: ben, Room: ev.Room, Private: private(ev.Room)}
			text := ev.Body.(protocol.Message).Text
			for i := max(0, len(text)-4); i <= len(text); i++ {
				said = append(said, fmt.Sprintf("%s> %s: %q", ev.Room, text[:i], w.commands.Complete(tx, where, text[:i])))
			}
		}
	})
	return said
}

// invoked is all for a native command interface.
func (w *world) invoked(room string) (said []string) {
	w.t.Helper()
	var evs []protocol.Event
	for n := range w.commands.Walk() {
		for _, args := range []map[string]string{{"in": room}, {"room": room}, {"person": room, "in": "lobby"}} {
			evs = append(evs, protocol.Event{Room: dm(ben), Sender: ben, Handle: "h", Body: protocol.Invocation{Path: n.Path, Args: args}})
		}
	}
	for i, a := range w.together(evs) {
		said = append(said, fmt.Sprintf("%v: %s %v", evs[i].Body, encoded(w.t, a.out), a.outcome))
	}
	w.view(func(tx *store.Tx) {
		for _, ev := range evs {
			where := commands.CompletionContext{Person: ben, Room: dm(ben), Private: true}
			inv := ev.Body.(protocol.Invocation)
			for _, name := range []string{"in", "room", "person"} {
				said = append(said, fmt.Sprintf("%v: %q", inv, w.commands.CompleteValue(tx, where, inv.Path, name, room[:1], inv.Args)))
			}
		}
	})
	return said
}

func encoded(t tester, out []protocol.Outgoing) []byte {
	data, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// everyLine is every command about a room, and every other one that takes a word.
func (w *world) everyLine(room string) (lines []string) {
	for n := range w.commands.Walk() {
		for _, form := range []string{"%s --in %q", "%s %q", "%s --in=%s --page 2", "%s --page %s", "%s --person %s --in lobby"} {
			lines = append(lines, fmt.Sprintf(form, n.Title(), room))
		}
	}
	return append(lines, "why e-vault", "why "+room)
}

// twoWorlds makes two worlds that are alike but for a room which ben is not in: in the one it has the name, the id and the
// events that he will ask for.
func twoWorlds(t *testing.T, hidden, other protocol.RoomID, hiddenName, otherName string) (there, notThere *world) {
	make := func(room protocol.RoomID, name string) *world {
		w := newWorldWith(t, unlimited)
		w.meet(ben)
		w.room("console:lobby", "lobby", "ann", "ben")
		w.room("console:garden", "The Garden", "ann", "*ben")
		w.room(room, name, "ann", "dan")
		w.bodies(room, protocol.RoomChange{Changes: []protocol.Change{protocol.Realiased{Alias: name + "-alias"}}})
		w.event(protocol.Event{Room: room, ID: "e-vault", Sender: dan, Body: protocol.Message{Text: "!moot ping"}})
		return w
	}
	return make(hidden, hiddenName), make(other, otherName)
}

func TestARoomThatOneIsNotInIsAnsweredLikeNone(t *testing.T) {
	t.Parallel()
	there, notThere := twoWorlds(t, "console:vault", "console:cellar", "Vault", "Cellar")
	for _, name := range []string{"Vault", "console:vault", "valut", "Vault-alias", "dan"} {
		lines := there.everyLine(name)
		same(t, there.all(lines), notThere.all(lines))
		same(t, there.invoked(name), notThere.invoked(name))
	}
}

func TestARoomThatOneWasPutOutOfIsAnsweredLikeOneThatIsGone(t *testing.T) {
	t.Parallel()
	make := func(end func(*world)) *world {
		w := newWorldWith(t, unlimited)
		w.meet(ben)
		w.room("console:lobby", "lobby", "ann", "ben")
		w.room("console:vault", "Vault", "ann", "*ben", "dan")
		w.say(ben, dm(ben), "use vault")
		w.say(ben, "console:vault", "!moot ping")
		end(w)
		return w
	}
	there := make(func(w *world) {
		w.leave("console:vault", ben, protocol.Kicked)
		w.bodies("console:vault", protocol.RoomChange{Changes: []protocol.Change{protocol.Renamed{Name: "Secret"}}})
	})
	gone := make(func(w *world) {
		w.leave("console:vault", ben, protocol.Kicked) // which they know, and what is kept of it is theirs to read
		w.leave("console:vault", self, protocol.Kicked)
	})
	for _, name := range []string{"Vault", "console:vault", "Secret"} {
		lines := append(there.everyLine(name), "members", "use", "rooms", "whoami", "why e2", "room", "events", "mydata")
		same(t, there.all(lines), gone.all(lines))
		same(t, there.invoked(name), gone.invoked(name))
	}
}

func same(t *testing.T, a, b []string) {
	t.Helper()
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("where the room is:\n%s\nwhere it is not:\n%s", a[i], b[i])
		}
	}
}

// TestMembershipIsLookedAtAgain puts somebody out of the room after the command was taken and before it runs, as it may
// be where the two are different transactions.
func TestMembershipIsLookedAtAgain(t *testing.T) {
	w := newWorldWith(t, unlimited)
	w.meet(ben)
	w.room("console:lobby", "lobby", "ann", "*ben", "cleo")
	w.room("console:garden", "The Garden", "ann", "ben", "cleo")
	told := []store.Told(nil)
	w.between = func(tx *store.Tx) { told = append(told, tx.TakeTold()...) }
	run := func(line string, meanwhile func()) string {
		w.say(ben, dm(ben), line)
		meanwhile()
		w.between = nil
		a := w.late(told)
		told = nil
		w.between = func(tx *store.Tx) { told = append(told, tx.TakeTold()...) }
		return a
	}
	nothing := func() {}
	if got := run("members --in lobby", nothing); !strings.HasPrefix(got, "In «lobby»:\nIt has") {
		t.Errorf("who stays is answered %q", got)
	}
	kicked := run("members --in lobby", func() { w.leave("console:lobby", ben, protocol.Kicked) })
	if strings.Contains(kicked, "cleo") || !strings.Contains(kicked, "no room called «lobby»") {
		t.Errorf("who was put out is answered %q", kicked)
	}
	if kicked != run("members --in nowhere", nothing) && strings.ReplaceAll(kicked, "lobby", "nowhere") != w.say(ben, dm(ben), "members --in nowhere").text() {
		t.Errorf("who was put out is answered %q, unlike for a room that is not there", kicked)
	}
	only := run("members", func() { w.leave("console:garden", ben, protocol.Left) })
	if strings.Contains(only, "Garden") || !strings.Contains(only, "none that we share") {
		t.Errorf("who has left the only room is answered %q", only)
	}
}

// late delivers what was told earlier, and returns the answers.
func (w *world) late(told []store.Told) (text string) {
	var texts []string
	w.change("console:lobby", func(tx *store.Tx) error {
		for _, t := range told {
			if _, err := w.commands.Told(tx.In(t.To), t.What); err != nil {
				return err
			}
		}
		return nil
	})
	w.view(func(tx *store.Tx) {
		for q := range tx.Queue("", 0) {
			var p struct{ Out *protocol.Outgoing }
			if json.Unmarshal(q.Payload, &p) == nil && p.Out != nil {
				texts = append(texts, textOf(*p.Out).Plain())
			}
		}
	})
	if err := w.store.Commit(w.now, func(c *store.Commit) error {
		for q := range c.Read().Queue("", 0) {
			c.Finish(q, store.StateSent, protocol.Ref{}, "")
		}
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(texts, "\n")
}

// TestNobodyLearnsAnything says anything at all, in any place. Nothing panics or fails, nobody hears of a room or a person
// that they do not share, nobody is mentioned, and what is said in private is answered there.
func TestNobodyLearnsAnything(t *testing.T) {
	t.Parallel()
	secrets := []string{"Zwinger", "zw-room", "quincy", "Quincy"}
	rapid.Check(t, func(t *rapid.T) {
		w := newWorldWith(t, unlimited)
		w.meet(ann, ben, cleo)
		w.room("console:lobby", "lobby", "*ann", "ben", "<b>@everyone", "olga")
		w.room("console:garden", "The Garden", "ann", "ben")
		w.room("console:zw-room", "Zwinger", "quincy", "dan")
		w.fact("console:lobby", map[string]string{"vote": "1"}, map[string]protocol.UserID{"opener": ben}, "<@console:ann> look")
		w.fact("console:zw-room", map[string]string{"vote": "2"}, map[string]protocol.UserID{"opener": "console:quincy"}, "")
		word := rapid.OneOf(
			rapid.SampledFrom([]string{
				"help", "ping", "rooms", "use", "members", "room", "events", "why", "mydata", "forget", "me", "whoami", "version",
				"--in", "--page", "--kind", "--person", "--in=lobby", "--", "-", "lobby", "garden", `"The Garden"`, "ann", "ben",
				"console:lobby", "<@console:ben>", "vote", "1", "2", "e1", "!moot", "@everyone", "zwi", "z", "q", "console:z",
				"—in", "«", `"`, `\`, "\n", "\u202e", "\xff", "--help",
			}),
			rapid.String(),
		)
		lines := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			return strings.Join(rapid.SliceOfN(word, 0, 6).Draw(t, "words"), rapid.SampledFrom([]string{" ", "", "=", "  "}).Draw(t, "between"))
		}), 1, 12).Draw(t, "lines")
		var evs []protocol.Event
		for i, line := range lines {
			who := rapid.SampledFrom([]protocol.UserID{ann, ben, cleo}).Draw(t, "who")
			room := rapid.SampledFrom([]protocol.RoomID{dm(who), "console:lobby", "console:garden"}).Draw(t, "where")
			ev := protocol.Event{Room: room, Sender: who, Body: protocol.Message{
				Text: line, Addressed: rapid.Bool().Draw(t, "addressed"), ReplyTo: protocol.EventID(fmt.Sprint("e", i)),
			}}
			if rapid.IntRange(0, 5).Draw(t, "native") == 0 {
				path := strings.Fields(line)
				ev.Body = protocol.Invocation{Path: path[:min(2, len(path))], Args: map[string]string{"in": line, "room": line}}
				ev.Handle = "h"
			}
			evs = append(evs, ev)
			completed := strings.Join(w.complete(who, room, line), " ")
			reveals(t, line, completed, secrets)
		}
		for i, a := range w.together(evs) {
			ev := evs[i]
			if a.err != nil {
				t.Fatalf("%q fails: %v", lines[i], a.err)
			}
			if a.outcome.Disposition != store.Handled && a.outcome.Disposition != store.Ignored {
				t.Fatalf("%q is %v", lines[i], a.outcome)
			}
			reveals(t, lines[i], a.outcome.Reason, secrets)
			for _, o := range a.out {
				text := textOf(o)
				if n := len([]rune(text.Plain())); n == 0 || n > commands.MaxAnswer {
					t.Fatalf("%q is answered with %d characters", lines[i], n)
				}
				if len(text.Mentions()) > 0 || strings.Contains(text.Plain(), "<@console:") {
					t.Fatalf("%q is answered with a mention: %q", lines[i], text)
				}
				reveals(t, lines[i], text.Plain(), secrets)
				if w, ok := o.Act.(protocol.Whisper); ok && w.User != ev.Sender || !ok && o.Room != ev.Room {
					t.Fatalf("%q is answered elsewhere: %v", lines[i], o)
				}
				if o.Handle != ev.Handle || o.Cause.Room != ev.Room {
					t.Fatalf("the answer to %q does not belong to it", lines[i])
				}
			}
		}
	})
}

func reveals(t *rapid.T, line, text string, secrets []string) {
	for _, s := range secrets {
		if strings.Contains(text, s) && !strings.Contains(strings.ToLower(line), strings.ToLower(s)) {
			t.Fatalf("%q reveals %q: %q", line, s, text)
		}
	}
}
