package discord_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"moot/protocol"
	"moot/protocol/discord"
	"moot/protocol/discord/discordtest"
)

var votesFile = protocol.File{Name: "votes.csv", Type: "text/csv", Data: []byte("vote,type\r\n1,poll\r\n")}

func withFile(out protocol.Outgoing, f protocol.File) protocol.Outgoing {
	switch act := out.Act.(type) {
	case protocol.Say:
		act.File = &f
		out.Act = act
	case protocol.Whisper:
		act.File = &f
		out.Act = act
	}
	return out
}

func (s *stage) holds(m discordtest.Message, f protocol.File, alt string) {
	s.Helper()
	if len(m.Files) != 1 || m.Files[0].Name != f.Name || m.Files[0].Type != f.Type || m.Files[0].Alt != alt ||
		string(m.Files[0].Data) != string(f.Data) {
		s.Errorf("%q has the files %+v", m.Content, m.Files)
	}
}

// TestAFileWithAnAnswer: to one alone, at once and after a defer, and in a private message where the answer comes too late.
func TestAFileWithAnAnswer(t *testing.T) {
	for name, change := range map[string]func(*discord.Config){"at once": nil, "after a defer": soon} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, change)
			i := s.ben.Slash(s.general, "whoami", nil)
			if change != nil {
				i.Ack()
			}
			ev, _ := s.invoked()
			s.send(withFile(reply(ev, "1", "3 votes", true), votesFile))
			m := i.Reply()
			if !m.Ephemeral || m.Content != "3 votes" {
				t.Errorf("it is %+v", m)
			}
			s.holds(m, votesFile, "")
		})
	}
	t.Run("beside another answer", func(t *testing.T) {
		s := newStage(t, nil)
		i := s.ben.Slash(s.general, "whoami", nil)
		ev, _ := s.invoked()
		s.send(reply(ev, "1", "first", true))
		s.send(withFile(reply(ev, "2", "3 votes", true), votesFile))
		s.holds(i.Followups(1)[0], votesFile, "")
	})
}

// TestAFileInAChannelStandsOnce: also where the network has forgotten its nonce, and beside another that says the same.
func TestAFileInAChannelStandsOnce(t *testing.T) {
	s := newStage(t, nil)
	picture := protocol.File{Name: "vote-1.png", Type: "image/png", Data: []byte("png"), Width: 4, Height: 3}
	out := withFile(s.say("1", "2 yes, 1 no", s.general), picture)
	ref := s.send(out)
	again, err := s.try(out, protocol.Attempt{N: 2, First: time.Now()})
	if err != nil || again != ref {
		t.Errorf("the second time it stands at %v, %v; the first at %v", again, err, ref)
	}
	m := s.ben.SeesOne(s.general, "the picture", func(m discordtest.Message) bool { return len(m.Files) > 0 })
	s.holds(m, picture, "2 yes, 1 no")
	if n := s.stands(s.general, "2 yes, 1 no"); n != 1 {
		t.Errorf("it stands %d times", n)
	}
}

// TestARefusedFile: where the bot may not attach files it does not try, and what is too large for Discord is no use to try again.
func TestARefusedFile(t *testing.T) {
	s := newStage(t, nil)
	refused := func(what string, out protocol.Outgoing) {
		t.Helper()
		var se *protocol.SendError
		if _, err := s.try(out, protocol.Attempt{}); !errors.As(err, &se) || !se.Final {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.srv.Fail(1, http.MethodPost, "/callback", discordtest.Fault{Status: 413, Body: `{"message":"Request entity too large","code":40005}`})
	i := s.ben.Slash(s.general, "whoami", nil)
	ev, _ := s.invoked()
	refused("too large", withFile(reply(ev, "1", "3 votes", true), votesFile))
	s.send(reply(ev, "2", "It could not be sent.", true))
	if m := i.Reply(); m.Content != "It could not be sent." || len(m.Files) > 0 {
		t.Errorf("in its place stands %+v", m)
	}
	refused("no file", withFile(s.say("3", "x", s.general), protocol.File{Name: "a/b", Type: "text/csv", Data: []byte("x")}))
	s.general.Deny(s.srv.Bot, discordtest.AttachFiles)
	s.said("the bot knows of it")
	refused("not allowed", withFile(s.say("4", "3 votes", s.general), votesFile))
	if n := s.stands(s.general, "3 votes"); n != 0 {
		t.Errorf("it stands %d times", n)
	}
}
