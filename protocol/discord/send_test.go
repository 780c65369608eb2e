package discord_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/protocol"
	"moot/protocol/discord"
	"moot/protocol/discord/discordtest"
)

func (s *stage) say(key, text string, place *discordtest.Channel) protocol.Outgoing {
	out := protocol.Outgoing{Key: protocol.DeriveKey(s.Name(), key), Room: s.Room(), Act: protocol.Say{Text: protocol.Plain(text)}}
	if place != nil {
		out.Place = protocol.PlaceID(place.ID)
	}
	return out
}

func (s *stage) stands(c *discordtest.Channel, text string) (n int) {
	for _, m := range s.lab.Owner().Sees(c) {
		if m.Content == text {
			n++
		}
	}
	return n
}

func TestEachMessageHasItsNonceAndNotifiesWhomItMeans(t *testing.T) {
	s := newStage(t, nil)
	out := s.say("1", "", s.general)
	out.Act = protocol.Say{Text: protocol.Join(protocol.Mention("discord:"+protocol.UserID(s.ann.ID), "Ann"), " and ",
		protocol.Person("discord:"+protocol.UserID(s.ben.ID), "Ben"), ": @everyone <@&1>")}
	s.send(out)
	all := s.srv.Requests(http.MethodPost, "/messages")
	var body struct {
		Nonce   string `json:"nonce"`
		Enforce bool   `json:"enforce_nonce"`
		Allowed struct {
			Parse []string `json:"parse"`
			Users []string `json:"users"`
		} `json:"allowed_mentions"`
	}
	if err := json.Unmarshal([]byte(all[len(all)-1].Body), &body); err != nil {
		t.Fatal(err)
	}
	if body.Nonce != string(out.Key) || !body.Enforce || body.Allowed.Parse == nil || len(body.Allowed.Parse) != 0 || len(body.Allowed.Users) != 1 || body.Allowed.Users[0] != s.ann.ID {
		t.Errorf("it was sent as %+v", body)
	}
	m := s.ben.SeesOne(s.general, "the message", func(m discordtest.Message) bool { return strings.Contains(m.Content, "everyone") })
	if len(m.Pings) != 1 || m.Pings[0] != "Ann" {
		t.Errorf("it notifies %v", m.Pings)
	}
}

func TestALongMessageComesInPiecesThatStandOnce(t *testing.T) {
	s := newStage(t, nil)
	line := strings.TrimSpace(strings.Repeat("word ", 100))
	out := s.say("1", strings.Repeat(line+"\n", 9), s.general)
	ref := s.send(out)
	if again, err := s.try(out, protocol.Attempt{N: 2, First: time.Now()}); err != nil || again != ref {
		t.Errorf("the second time it stands at %v, %v; the first at %v", again, err, ref)
	}
	var words, pieces int
	for _, m := range s.ben.Sees(s.general) {
		words, pieces = words+strings.Count(m.Content, "word"), pieces+1
	}
	if words != 900 || pieces != 3 {
		t.Errorf("%d words stand in %d pieces", words, pieces)
	}
}

// TestAfterTheNonceIsForgotten: what an attempt of long ago may have sent is looked for, and sent only if it is surely not
// there.
func TestAfterTheNonceIsForgotten(t *testing.T) {
	s := newStage(t, nil)
	long := time.Now().Add(-10 * time.Minute)
	s.srv.Advance(-11 * time.Minute) // when the first attempt was made
	out := s.say("1", "only once", s.general)
	ref := s.send(out)
	s.srv.Advance(11 * time.Minute)
	if again, err := s.try(out, protocol.Attempt{N: 2, First: long}); err != nil || again.Event != ref.Event && s.stands(s.general, "only once") != 1 {
		t.Errorf("it stands at %v, %v; the first time at %v", again, err, ref)
	}
	// One that never arrived is sent.
	if _, err := s.try(s.say("2", "never came", s.general), protocol.Attempt{N: 2, First: long}); err != nil {
		t.Error(err)
	}
	if n := s.stands(s.general, "never came"); n != 1 {
		t.Errorf("what never came stands %d times", n)
	}
	// Where the bot cannot look, nothing is sent.
	s.general.Deny(s.srv.Bot, discordtest.ReadHistory)
	s.said("barrier")
	_, err := s.try(s.say("3", "who knows", s.general), protocol.Attempt{N: 2, First: long})
	s.isAmbiguous(err)
	if n := s.stands(s.general, "who knows"); n != 0 {
		t.Errorf("what may stand already was sent again")
	}
}

// TestWhatTheBotMayNotDoItDoesNotTry: refusals count towards a ban of the address.
func TestWhatTheBotMayNotDoItDoesNotTry(t *testing.T) {
	s := newStage(t, nil)
	locked, thread := s.lab.NewChannel("locked"), s.general.NewThread("thread")
	locked.Deny(s.srv.Bot, discordtest.SendMessages)
	s.general.Deny(s.srv.Bot, discordtest.AddReactions|discordtest.SendInThreads)
	s.said("barrier")
	before := s.requests("", "")
	_, err := s.try(s.say("1", "x", locked), protocol.Attempt{})
	s.isFinal(err, "#locked: it lacks Send Messages")
	_, err = s.try(s.say("2", "x", thread), protocol.Attempt{})
	s.isFinal(err, "Send Messages in Threads")
	m := s.ben.Says(s.general, "hello")
	_, err = s.try(protocol.Outgoing{Key: protocol.DeriveKey("r"), Room: s.Room(), Act: protocol.React{Target: protocol.EventID(m.Channel + "-" + m.ID), Reaction: "👍"}}, protocol.Attempt{})
	s.isFinal(err, "Add Reactions")
	if after := s.requests("", ""); after != before {
		t.Errorf("%d requests were made in vain", after-before)
	}
	// What is said to the whole server goes where it can be said.
	s.send(s.say("3", "to all", nil))
	if s.stands(s.general, "to all") != 1 {
		t.Error("it does not stand in the first channel where the bot may write")
	}
}

func TestAuditLogReasons(t *testing.T) {
	s := newStage(t, nil)
	m := s.ben.Says(s.general, "spam")
	s.send(protocol.Outgoing{Key: protocol.DeriveKey("d"), Room: s.Room(), Act: protocol.Redact{Target: protocol.EventID(m.Channel + "-" + m.ID), Reason: "vote 3: spam"}})
	all := s.srv.Requests(http.MethodDelete, "/messages/"+m.ID)
	if len(all) != 1 || all[0].Reason != "vote%203%3A%20spam" && all[0].Reason != "vote 3: spam" {
		t.Errorf("the reason is %+v", all)
	}
}

func TestARefusedTokenEndsTheRun(t *testing.T) {
	s := newStage(t, nil)
	s.srv.ResetToken()
	err := <-s.done
	s.cancel()
	s.cancel = nil
	if err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("Run returned %v", err)
	}
}

func TestWhatPeopleRefuse(t *testing.T) {
	s := newStage(t, nil)
	s.ben.RefuseDMs(true)
	_, err := s.try(protocol.Outgoing{Key: protocol.DeriveKey("w"), Act: protocol.Whisper{User: "discord:" + protocol.UserID(s.ben.ID), Text: protocol.Plain("psst")}}, protocol.Attempt{})
	s.isFinal(err, "takes no private messages")
	_, err = s.try(protocol.Outgoing{Key: protocol.DeriveKey("x"), Act: protocol.Whisper{User: "matrix:@ben:example.org", Text: protocol.Plain("psst")}}, protocol.Attempt{})
	s.isFinal(err, "no longer there")
}

// TestRateLimitsAreHandedOn: a long one does not hold the sender up.
func TestRateLimitsAreHandedOn(t *testing.T) {
	s := newStage(t, nil)
	s.srv.Fail(1, http.MethodPost, "/messages", discordtest.Fault{Status: http.StatusTooManyRequests, After: time.Hour, Scope: "shared"})
	_, err := s.try(s.say("1", "x", s.general), protocol.Attempt{})
	var se *protocol.SendError
	if !errors.As(err, &se) || se.Final || se.RetryAfter < 50*time.Minute {
		t.Errorf("got %v", err)
	}
}

// TestRestraint: it is a state. It is asserted once, lifted once, and refused with the reason where it cannot be.
func TestRestraint(t *testing.T) {
	for name, e := range map[string]discord.Enforcement{"timeout": {Timeout: true}, "role": {Role: "Challenged"}, "off": {}} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, func(c *discord.Config) { c.Enforcement = e })
			bad := &discordtest.Role{}
			if name == "role" {
				bad = s.lab.NewRole("Challenged", 0)
				s.said("barrier") // what comes behind it says that the adapter knows of the role
			}
			ben, owner := protocol.UserID("discord:"+s.ben.ID), protocol.UserID("discord:"+s.lab.Owner().ID)
			restrain := func(user protocol.UserID, on bool) protocol.Restrained {
				t.Helper()
				got, err := s.ask(protocol.AskRestrain{User: user, On: on, Reason: "vote 3"})
				if err != nil {
					t.Fatal(err)
				}
				return got.(protocol.Restrained)
			}
			if name == "off" {
				if got := restrain(ben, true); got.Refused != protocol.RefusedOff || got.On {
					t.Errorf("got %+v", got)
				}
				return
			}
			if got := restrain(ben, true); got.Refused != protocol.RefusedPower || got.On {
				t.Errorf("without the permission: %+v", got)
			}
			s.lab.SetPermissions(s.lab.BotRole(), discordtest.BotPermissions|discordtest.ModerateMembers|discordtest.ManageRoles)
			if name == "role" {
				s.said("barrier")
				if got := restrain(ben, true); got.Refused != protocol.RefusedOutranked {
					t.Errorf("with a role above the bot's: %+v", got)
				}
				s.lab.KickBot()
				s.lab.Invite(discordtest.BotPermissions, discordtest.ManageRoles) // with a role above
				s.said("barrier")
				has := func() bool { return slices.Contains(s.lab.Roles(s.ben), "Challenged") }
				if got := restrain(ben, true); !got.On || got.Refused != "" || !got.Until.IsZero() || !has() {
					t.Errorf("got %+v, and Ben has %v", got, s.lab.Roles(s.ben))
				}
				acts := s.requests(http.MethodPut, "/roles/")
				if restrain(ben, true); s.requests(http.MethodPut, "/roles/") != acts {
					t.Error("the role was given twice")
				}
				if got := restrain(ben, false); got.On || got.Refused != "" || has() {
					t.Errorf("lifted: %+v, and Ben has %v", got, s.lab.Roles(s.ben))
				}
				s.lab.DeleteRole(bad)
				s.said("barrier")
				if got := restrain(ben, true); got.Refused != protocol.RefusedSetting {
					t.Errorf("without the role: %+v", got)
				}
				if got := restrain(ben, false); got.Refused != "" {
					t.Errorf("nothing to lift: %+v", got)
				}
				return
			}
			s.said("barrier")
			first := restrain(ben, true)
			if !first.On || first.Refused != "" || first.Until.Before(time.Now().Add(26*24*time.Hour)) || s.lab.TimedOut(s.ben).IsZero() {
				t.Errorf("got %+v, and Ben is timed out until %s", first, s.lab.TimedOut(s.ben))
			}
			acts := s.requests(http.MethodPatch, "/members/")
			if again := restrain(ben, true); !again.On || !again.Until.Equal(first.Until) || s.requests(http.MethodPatch, "/members/") != acts {
				t.Errorf("the second time it is %+v, after another act", again)
			}
			if r := s.srv.Requests(http.MethodPatch, "/members/"); r[len(r)-1].Reason == "" {
				t.Error("it leaves no reason")
			}
			if got := restrain(ben, false); got.On || got.Refused != "" || s.lab.TimedOut(s.ben).After(time.Now()) {
				t.Errorf("lifted: %+v, until %s", got, s.lab.TimedOut(s.ben))
			}
			acts = s.requests(http.MethodPatch, "/members/")
			if restrain(ben, false); s.requests(http.MethodPatch, "/members/") != acts {
				t.Error("what is lifted already was lifted again")
			}
			if got := restrain(owner, true); got.Refused != protocol.RefusedOutranked {
				t.Errorf("the owner: %+v", got)
			}
			stranger := s.srv.NewUser("stranger")
			if got := restrain("discord:"+protocol.UserID(stranger.ID), true); got.Refused != protocol.RefusedAbsent {
				t.Errorf("a stranger: %+v", got)
			}
		})
	}
}
