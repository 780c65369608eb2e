package discord_test

import (
	"slices"
	"testing"

	"moot/protocol"
	"moot/protocol/discord"
	"moot/protocol/discord/discordtest"
)

// holders asks who has a role.
func (s *stage) holders(role string) protocol.RoleHolders {
	s.Helper()
	body, err := s.ask(protocol.AskRole{Role: role})
	if err != nil {
		s.Fatalf("who has %s: %v", role, err)
	}
	out := body.(protocol.RoleHolders)
	slices.Sort(out.Holders)
	return out
}

// TestWhoHasARole: by its name in any writing, its id or a mention; who has not accepted the rules, and guests, are no members, and
// so have none. It is read anew each time, by the gateway or page by page.
func TestWhoHasARole(t *testing.T) {
	s := newStage(t, nil)
	s.settled()
	council := s.lab.NewRole("Town Council", 0)
	cem, dan := s.person("Cem"), s.person("Dan")
	s.lab.Join(cem)
	s.lab.Knock(dan)
	for _, u := range []*discordtest.User{s.ben, cem, dan} {
		s.lab.Give(u, council)
	}
	s.said("barrier")
	want := []protocol.UserID{user(s.ben), user(cem)}
	slices.Sort(want)
	for _, role := range []string{"@town  council", "<@&" + council.ID + ">"} { // how often the members can be read is limited
		got := s.holders(role)
		if got.Role != council.ID || got.Name != "Town Council" || got.Count != 2 || got.Alike != 1 || got.Everyone || !slices.Equal(got.Holders, want) {
			t.Errorf("%s: %+v", role, got)
		}
	}
	if n := s.requests("GET", "/members"); n == 0 {
		t.Error("no list was read page by page")
	}
	s.lab.Take(cem, council)
	s.said("barrier 2")
	if got := s.holders(council.ID); got.Count != 1 || !slices.Equal(got.Holders, []protocol.UserID{user(s.ben)}) {
		t.Errorf("after one was taken: %+v", got)
	}
}

// TestWhichRoleIsMeant: none where there is none, and none of several that look the same, unless it is mentioned.
func TestWhichRoleIsMeant(t *testing.T) {
	s := newStage(t, nil)
	s.settled()
	latin, cyrillic, pets := s.lab.NewRole("coop", 0), s.lab.NewRole("сооp", 0), s.lab.NewRole("@pets", 0)
	s.lab.Give(s.ann, latin)
	s.lab.Give(s.ben, cyrillic)
	s.said("barrier")
	for _, role := range []string{"wizards", "", "@", "12345678901234567", "<@&12345678901234567>", "\u3164"} {
		if got := s.holders(role); got.Role != "" || got.Alike != 0 || got.Count != 0 {
			t.Errorf("%q: %+v", role, got)
		}
	}
	for _, role := range []string{"coop", "сооp", "COOP"} {
		if got := s.holders(role); got.Role != "" || got.Alike != 2 || got.Holders != nil {
			t.Errorf("%q: %+v", role, got)
		}
	}
	if got := s.holders("<@&" + cyrillic.ID + ">"); got.Role != cyrillic.ID || !slices.Equal(got.Holders, []protocol.UserID{user(s.ben)}) {
		t.Errorf("it is mentioned: %+v", got)
	}
	for _, role := range []string{"everyone", "@everyone", s.lab.ID} {
		if got := s.holders(role); !got.Everyone || got.Holders != nil {
			t.Errorf("%q: %+v", role, got)
		}
	}
	if got := s.holders("pets"); got.Role != pets.ID || got.Name != "@pets" || got.Count != 0 || got.Holders != nil {
		t.Errorf("nobody has it: %+v", got)
	}
	s.lab.DeleteRole(cyrillic)
	s.said("barrier 2")
	if got := s.holders("coop"); got.Role != latin.ID || !slices.Equal(got.Holders, []protocol.UserID{user(s.ann)}) {
		t.Errorf("one is left: %+v", got)
	}
}

// TestARoleIsChosen from the list that Discord shows; the command gets its id.
func TestARoleIsChosen(t *testing.T) {
	s := newStage(t, func(c *discord.Config) {
		c.Commands = []discord.Command{{Path: []string{"ask"}, Summary: "Asks.", InGuilds: true, Params: []discord.Param{
			{Name: "text", Summary: "What.", Required: true, Slots: []string{"text"}},
			{Name: "role", Summary: "Whom.", Kind: discord.Role, Slots: []string{"role"}},
		}}}
	})
	council := s.lab.NewRole("council", 0)
	s.ben.Slash(s.general, "ask", discordtest.Options{"text": "why", "role": council})
	if _, got := s.invoked(); got.Args["role"] != council.ID || got.Args["text"] != "why" {
		t.Errorf("it is given %v", got.Args)
	}
}
