package votes_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"moot/commands"
	"moot/protocol"
)

var update = flag.Bool("update", false, "write the conversations as they now are")

// TestConversations holds the bot to the conversations in testdata. A script reads like a chat:
//
//	ann @lobby> !moot vote list    somebody says something in a room
//	ann @moot> vote cast yes       and in private
//	* wait 25h                     something happens
//	* ben replies no               somebody answers the message of the last vote
//	* ben answers Yes              somebody presses in its poll, after the line "* polls"
//
// What stands between these lines is what the bot says, and is written by go test -update.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.chat")
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".chat"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			switch {
			case got == string(want):
			case *update:
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("the conversation is now another one (go test -run Conversations -update writes it); it reads:\n%s", got)
			}
		})
	}
}

var spoken = regexp.MustCompile(`^(\w+) @(\w+)> (.*)$`)

// play plays a script.
func play(t *testing.T, script string, with ...func(*town)) string {
	w := newTown(t, with...)
	w.members[lobby] = map[protocol.UserID]time.Time{}
	w.mods[person("mia")] = true
	w.settle(lobby, "ann", "ben", "cem", "dan", "eve", "mia", "olga")
	w.heard()
	var out strings.Builder
	events := map[string]protocol.EventID{} // the last reaction of each
	room := lobby
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		m := spoken.FindStringSubmatch(line)
		words := strings.Fields(line)
		switch {
		case m != nil && m[2] == "moot":
			w.tell(m[1], m[3])
		case m != nil:
			w.say(protocol.RoomID("console:"+m[2]), m[1], strings.ReplaceAll(m[3], `\n`, "\n"))
		case strings.HasPrefix(line, "#"):
		case len(words) == 0:
			continue
		case words[0] != "*":
			continue
		case words[1] == "polls":
			w.votes.Polls = []protocol.Network{protocol.Console}
		case words[1] == "language":
			w.say(lobby, "mia", "!moot room set language "+words[2])
			w.heard()
		case words[1] == "reminders":
			w.votes.Reminders = true
		case words[1] == "wait":
			d, ok := commands.ParseDuration(words[2])
			if !ok {
				t.Fatalf("how long? %q", line)
			}
			w.wait(d)
		case words[1] == "upgrade":
			w.admit(protocol.Event{Room: lobby, Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: hall}}}})
			w.members[hall] = map[protocol.UserID]time.Time{}
			for id := range w.members[lobby] {
				w.members[hall][id] = w.now
			}
			w.botJoins(hall)
			room = hall
		case words[1] == "crash":
			d, _ := commands.ParseDuration(words[2])
			w.crash(d)
		case words[1] == "moot" && words[2] == "kicked":
			w.botKicked(room)
		case words[1] == "moot" && words[2] == "returns":
			w.botJoins(room)
		case words[1] == "deleted":
			id := w.board(room)
			w.messages[id].deleted = true
			w.admit(protocol.Event{Room: room, Sender: person("mia"), Body: protocol.Deletion{Target: id}})
		case words[1] == "silence":
			w.mute = true
		case words[2] == "replies" && words[3] == "privately":
			w.replyInPrivate(words[1], strings.Join(words[4:], " "))
		case words[2] == "replies":
			w.reply(room, words[1], strings.Join(words[3:], " "))
		case words[2] == "deaf":
			w.deaf[person(words[1])] = true
		case words[2] == "idle":
			w.active[person(words[1])] = 0
		case words[2] == "named":
			w.named(room, words[1], strings.Join(words[3:], " "))
		case words[2] == "kicks":
			w.member(room, person(words[3]), protocol.Kicked)
		case words[2] == "floods":
			for range 20 {
				w.unreact(room, words[1], w.react(room, words[1], words[3]), false)
			}
			events[words[1]] = w.react(room, words[1], words[3])
		case words[2] == "leaves":
			w.member(room, person(words[1]), protocol.Left)
		case words[2] == "joins":
			w.member(room, person(words[1]), protocol.Joined)
		case words[2] == "reacts":
			events[words[1]] = w.react(room, words[1], words[3])
		case words[2] == "answers": // options apart by commas; none takes back what was chosen
			in, rest := room, strings.Join(words[3:], " ")
			if alone, is := strings.CutPrefix(rest+" ", "privately "); is {
				in, rest = protocol.RoomID("console:dm-"+words[1]), strings.TrimSpace(alone)
			}
			var labels []string
			if rest != "" {
				labels = strings.Split(rest, ", ")
			}
			events[words[1]] = w.answers(in, words[1], labels...)
		case words[2] == "removes":
			w.removes(room, words[1], events[words[len(words)-1]])
		case words[2] == "unreacts":
			w.unreact(room, words[1], events[words[1]], len(words) > 3)
		default:
			t.Fatalf("what happens? %q", line)
		}
		out.WriteString(line + "\n")
		if heard := w.heard(); heard != "" {
			for _, said := range strings.SplitAfter(heard, "\n") {
				out.WriteString("    " + said)
			}
			out.WriteString("\n")
		}
	}
	if err := w.bus.Verify(t.Context(), ""); err != nil {
		t.Error(err)
	}
	return out.String()
}
