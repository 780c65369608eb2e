package extending

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/commands"
	"moot/events"
	"moot/internal/bot"
	"moot/internal/bot/bottest"
	"moot/internal/say/saytest"
	"moot/protocol"
	"moot/protocol/protocoltest"
	"moot/rooms"
	"moot/store"
)

const room protocol.RoomID = "post:hall"

// newRig is a bot with the examples, in a room with Ann.
func newRig(t *testing.T) *bottest.Rig {
	r := &bottest.Rig{TB: t, Dir: t.TempDir(), Network: PostNetwork, Kinds: []events.Kind{rooms.Kind, TeaKind()}}
	r.Features = func(r *bottest.Rig) []bot.Feature {
		tea := &Tea{r.Bus}
		list, err := commands.New(commands.Config{Prefixes: []string{"!moot"}}, Roll(), tea.Command())
		if err != nil {
			t.Fatal(err)
		}
		return []bot.Feature{list, tea}
	}
	return r
}

// begin lets the bot and Ann be in the room.
func begin(r *bottest.Rig) {
	r.Open()
	r.Admit(r.Event(room, PostBot, protocol.MemberChange{User: PostBot, Self: true, Bot: true, Membership: protocol.Joined}))
	list := r.Event(room, "", protocol.MemberList{Last: true, Members: []protocol.Member{
		{User: PostBot, Name: "moot", Bot: true, Self: true}, {User: PostAnn, Name: "Ann"},
	}})
	r.Admit(list)
	r.Flying = nil
}

func says(r *bottest.Rig, text string) string {
	r.Admit(r.Event(room, PostAnn, protocol.Message{Text: text}))
	return strings.Join(r.Said(), "\n")
}

// TestRoll: dice fall between their bounds, all over them, and the same where the same event is handled by another bot with the
// same secret, which nobody can foresee.
func TestRoll(t *testing.T) {
	r := newRig(t)
	begin(r)
	defer r.Close()
	seen := map[string]int{}
	for range 200 {
		seen[says(r, "!moot roll 1")]++
		r.Later(time.Minute) // within the rate
	}
	for n := range 6 {
		if side := fmt.Sprintf("🎲 %d", n+1); seen[side] < 10 {
			t.Errorf("%s came %d times: %v", side, seen[side], seen)
		}
	}
	if len(seen) != 6 {
		t.Errorf("what came is %v", seen)
	}
	if said := says(r, "!moot roll 21"); !strings.Contains(said, "20") {
		t.Errorf("21 dice gave %q", said)
	}
}

// TestWords: the catalogue and the code go together, and the command is known by its German name.
func TestWords(t *testing.T) {
	saytest.Check(t, catalogue, saytest.Config{})
	r := newRig(t)
	begin(r)
	defer r.Close()
	if said := says(r, "!moot würfeln 2"); !strings.HasSuffix(said, " with 2 dice") {
		t.Errorf("«würfeln» is answered by %q", said)
	}
}

// TestTea: the tea is ready once, also where the bot was away by then, and the facts say how many cups there were.
func TestTea(t *testing.T) {
	r := newRig(t)
	begin(r)
	if said := says(r, "!moot tea 5m"); said != "I put tea on." {
		t.Errorf("it says %q", said)
	}
	if said := says(r, "!moot tea 5m"); !strings.Contains(said, "already") {
		t.Errorf("a second time it says %q", said)
	}
	r.Down(10 * time.Minute)
	if said := r.Said(); !slices.Equal(said, []string{"The tea is ready: cup 1 of this room."}) {
		t.Errorf("after the restart it says %q", said)
	}
	if said := says(r, "!moot tea 5m"); said != "I put tea on." {
		t.Errorf("for a second cup it says %q", said)
	}
	r.Later(6 * time.Minute)
	if said := r.Said(); !slices.Equal(said, []string{"The tea is ready: cup 2 of this room."}) {
		t.Errorf("the second time it says %q", said)
	}
	r.View(func(tx *store.Tx) {
		n := 0
		for _, err := range r.Bus.Matching(tx, events.Query{Kind: teaKind}) {
			if err != nil {
				t.Error(err)
			}
			n++
		}
		if n != 2 {
			t.Errorf("there are %d facts", n)
		}
	})
	r.Close()
}

// house is a Post as protocoltest uses one.
type house struct{ *Post }

func (h house) Adapter() protocol.Adapter                             { return NewPostbox(h.Post) }
func (h house) Bot() protocol.UserID                                  { return PostBot }
func (h house) Room() protocol.RoomID                                 { return PostRoom }
func (h house) People() (first, second protocol.UserID)               { return PostAnn, PostBen }
func (h house) Tell(by protocol.UserID, text string) protocol.Ref     { return h.Post.Say(by, true, text) }
func (h house) ReadPrivate(u protocol.UserID) []protocoltest.Standing { return h.Read(letters(u)) }
func (h house) Say(_ protocol.RoomID, by protocol.UserID, text string) protocol.EventID {
	return h.Post.Say(by, false, text).Event
}

func (h house) Read(in protocol.RoomID) (all []protocoltest.Standing) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.seen {
		if l.ref.Room != in {
			continue
		}
		s := protocoltest.Standing{ID: l.ref.Event, By: l.by, Text: l.text}
		for _, r := range l.reactions {
			s.Reactions = append(s.Reactions, protocol.Reaction{User: PostBot, Reaction: r, Bot: true})
		}
		all = append(all, s)
	}
	return all
}

// TestPostbox holds the network to what every adapter promises.
func TestPostbox(t *testing.T) {
	protocoltest.Run(t, func(testing.TB) protocoltest.Harness { return house{NewPost()} })
}

var excerpt = regexp.MustCompile("(?s)<!-- ([a-z]+\\.(?:go|toml)) -->\n```(?:go|toml)\n(.*?)```\n")

// TestPage: what docs/extending.md shows stands in these files.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../extending.md")
	if err != nil {
		t.Fatal(err)
	}
	all := excerpt.FindAllStringSubmatch(string(page), -1)
	if len(all) < 3 || len(all) != strings.Count(string(page), "```go\n")+strings.Count(string(page), "```toml\n") {
		t.Fatalf("found %d excerpts", len(all))
	}
	for _, e := range all {
		file, err := os.ReadFile(e[1])
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(file), e[2]) {
			t.Errorf("%s has no such lines:\n%s", e[1], e[2])
		}
	}
}
