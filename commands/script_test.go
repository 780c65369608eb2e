package commands_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"moot/commands"
	"moot/protocol"
	"moot/store"
)

var update = flag.Bool("update", false, "write the conversations as they now are")

// TestConversations holds the bot to the conversations in testdata. A script reads like a chat:
//
//	ann @lobby> !moot ping      somebody says something in a room
//	ann @moot> rooms            and in private
//	ann @lobby^> why            as an answer to what they said before
//	ann /lobby> members page=2  through a native command interface
//	* ben leaves lobby          something happens
//
// What stands between these lines is what comes of it, and is written by go test -update.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.chat")
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".chat"), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newChat(t).play(string(want))
			switch {
			case got == string(want):
			case *update:
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("the conversation is now another one (go test -run Conversations -update writes it):\n%s", difference(string(want), got))
			}
		})
	}
}

// difference shows the first line that differs, and some around it.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	i := 0
	for i < len(w) && i < len(g) && w[i] == g[i] {
		i++
	}
	show := func(lines []string) string { return strings.Join(lines[max(0, i-3):min(len(lines), i+6)], "\n") }
	return "wanted:\n" + show(w) + "\ngot:\n" + show(g)
}

// chat plays a script in a world.
type chat struct {
	*world
	out  strings.Builder
	last map[string]protocol.EventID // what somebody last said in a place
}

func newChat(t *testing.T) *chat {
	w := newWorld(t,
		&commands.Command{Name: "break", Summary: "fails", Where: commands.NeedsRoom, Hidden: true,
			Run: func(*commands.Call) error { return fmt.Errorf("a fault") }},
		&commands.Command{Name: "greet", Summary: "greets somebody, which they notice", Where: commands.NeedsRoom,
			Params: []commands.Param{
				{Name: "person", Kind: commands.Person, Summary: "who is greeted"},
				{Name: "words", Kind: commands.Text, Optional: true, Max: 80, Summary: "what else you want to say"},
				{Name: "warmly", Kind: commands.Switch, Summary: "how"},
			},
			Run: func(c *commands.Call) error {
				who, _ := c.Somebody("person")
				how := "Hello "
				if c.Switch("warmly") {
					how = "A warm hello to "
				}
				text := protocol.Join(how, protocol.Mention(who.User, who.Name))
				if c.Has("words") {
					text = protocol.Join(text, ": ", c.Word("words"))
				}
				return c.Answer(text)
			}},
		&commands.Command{Name: "late", Summary: "is as good late as early", Ageless: true,
			Run: func(c *commands.Call) error { return c.Answerf("better late than never") }},
		&commands.Command{Name: "pick", Summary: "is nobody else's business where that can be", Where: commands.NeedsRoom, Visibility: commands.Discreet,
			Params: []commands.Param{
				{Name: "fruit", Kind: commands.Word, Summary: "which one"},
				{Name: "of", Kind: commands.Word, Flag: true, Hidden: true, Summary: "from which basket"},
			},
			Run: func(c *commands.Call) error { return c.Answerf("you pick %s%s", c.Word("fruit"), c.Word("of")) }},
		&commands.Command{Name: "quiet", Summary: "is for moderators", Where: commands.NeedsRoom, Who: commands.Moderator,
			Params: []commands.Param{{Name: "for", Kind: commands.Duration, Min: int64(time.Minute), Max: int64(7 * 24 * time.Hour), Summary: "how long"}},
			Run:    func(c *commands.Call) error { return c.Answerf("quiet for %s", c.Duration("for")) }},
	)
	c := &chat{world: w, last: map[string]protocol.EventID{}}
	w.room("console:lobby", "lobby", "*ann", "ben", "cleo", "dan", "olga")
	w.room("console:garden", "The Garden", "ann", "ben", "*dan")
	w.room("console:vault", "Vault", "dan")
	w.meet("console:ann", "console:ben", "console:cleo", "console:dan", "console:olga", "console:eve")
	return c
}

var (
	spoken = regexp.MustCompile(`^(\w+) ([@/])(\w+)(\^?)> (.*)$`)
	happen = regexp.MustCompile(`^\* (.*)$`)
)

func (c *chat) play(script string) string {
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		switch m := spoken.FindStringSubmatch(line); {
		case m != nil && m[1] != "moot":
			c.line(line)
			c.speak(m[1], m[2] == "/", m[3], m[4] == "^", strings.ReplaceAll(m[5], "⏎", "\n"))
		case strings.HasPrefix(line, "#") || line == "":
			c.line(line)
		default:
			if m := happen.FindStringSubmatch(line); m != nil {
				c.line(line)
				c.happens(strings.Fields(m[1]))
			}
		}
	}
	return c.out.String()
}

func (c *chat) line(s string) { c.out.WriteString(s + "\n") }

func (c *chat) speak(who string, native bool, place string, reply bool, text string) {
	id := protocol.UserID("console:" + who)
	room := protocol.RoomID("console:" + place)
	if place == "moot" {
		room = dm(id)
	}
	ev := protocol.Event{Room: room, Sender: id}
	if native {
		ev.Handle = "token"
		inv := protocol.Invocation{Args: map[string]string{}}
		for _, f := range strings.Fields(text) {
			if name, value, ok := strings.Cut(f, "="); ok {
				inv.Args[name] = value
			} else {
				inv.Path = append(inv.Path, f)
			}
		}
		ev.Body = inv
	} else {
		m := protocol.Message{Text: text}
		if rest, ok := strings.CutPrefix(text, "moot: "); ok {
			m.Addressed, m.Text = true, rest
		}
		if reply {
			m.ReplyTo = c.last[who+place]
		}
		ev.Body = m
	}
	c.show(ev)
	c.last[who+place] = protocol.EventID(fmt.Sprintf("e%d", c.asked))
}

func (c *chat) show(ev protocol.Event) {
	c.now = c.now.Add(3 * time.Second) // nobody here is too fast
	a := c.event(ev)
	for _, o := range a.out {
		where := "@" + o.Room.Local()
		if w, ok := o.Act.(protocol.Whisper); ok {
			where = "whispers to " + w.User.Local()
		} else if private(o.Room) {
			where = "@" + strings.TrimPrefix(o.Room.Local(), "dm-")
		}
		c.line("moot " + where + "> " + strings.ReplaceAll(plain(textOf(o)), "\n", "\n    "))
	}
	if len(a.out) == 0 {
		c.line("    (" + a.outcome.Disposition.String() + ": " + a.outcome.Reason + ")")
	}
}

// plain shows who is mentioned, which the plain form of a text does not.
func plain(t protocol.Text) string {
	var b strings.Builder
	for _, span := range t {
		switch {
		case span.Style == protocol.MentionStyle:
			b.WriteString("@@" + span.Text)
		default:
			b.WriteString(span.Text)
		}
	}
	return b.String()
}

// happens lets something happen.
func (c *chat) happens(words []string) {
	room := func(s string) protocol.RoomID { return protocol.RoomID("console:" + s) }
	user := func(s string) protocol.UserID { return protocol.UserID("console:" + s) }
	switch line := strings.Join(words, " "); {
	case strings.HasSuffix(line, "pass"):
		d, ok := commands.ParseDuration(words[0])
		if !ok {
			c.t.Fatalf("how long? %q", line)
		}
		c.pass(d)
	case words[1] == "leaves":
		c.leave(room(words[2]), user(words[0]), protocol.Left)
	case words[1] == "kicked":
		c.leave(room(words[3]), user(words[0]), protocol.Kicked)
	case words[1] == "joins" && words[0] == "moot":
		c.bodies(room(words[2]), protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined, Name: "moot"})
	case words[1] == "joins":
		name := words[0]
		if len(words) > 4 {
			name = strings.Join(words[4:], " ")
		}
		c.join(room(words[2]), user(words[0]), name)
	case words[1] == "challenged":
		c.challenged[user(words[0])] = strings.Join(words[2:], " ")
		c.change(protocol.Scope(user(words[0])), func(tx *store.Tx) error {
			c.bus.Hold(tx, c.bus.Number(tx, user(words[0])), "challenge", time.Time{})
			return nil
		})
	case words[1] == "edits":
		c.show(protocol.Event{Room: room(words[2]), Sender: user(words[0]), Body: protocol.Edit{Target: "e1", Text: strings.Join(words[3:], " ")}})
	case words[1] == "bot":
		c.show(protocol.Event{Room: room(words[2]), Sender: user(words[0]), Body: protocol.Message{Bot: true, Text: strings.Join(words[3:], " ")}})
	case words[1] == "said":
		c.show(protocol.Event{Room: room(words[4]), Sender: user(words[0]), Backlog: true, Time: c.now.Add(-20 * time.Minute),
			Body: protocol.Message{Text: strings.Join(words[5:], " ")}})
	case words[0] == "vote":
		c.fact(room(words[3]), map[string]string{"vote": words[1], "state": words[2]},
			map[string]protocol.UserID{"opener": user(words[4])}, strings.Join(words[5:], " "))
	case words[0] == "retention":
		c.change("console:lobby", func(tx *store.Tx) error { return nil })
	default:
		c.t.Fatalf("what happens? %q", line)
	}
}
