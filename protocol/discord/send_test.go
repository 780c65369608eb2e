package discord_test

import (
	"encoding/json"
	"errors"
	"fmt"
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
	out := protocol.Outgoing{Key: protocol.DeriveKey(s.Name(), key), Room: s.Room(),
		Act: protocol.Say{Text: protocol.Plain(text)}}
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
	if body.Nonce != string(out.Key) || !body.Enforce || body.Allowed.Parse == nil || len(body.Allowed.Parse) != 0 ||
		len(body.Allowed.Users) != 1 || body.Allowed.Users[0] != s.ann.ID {
		t.Errorf("it was sent as %+v", body)
	}
	m := s.ben.SeesOne(s.general, "the message", func(m discordtest.Message) bool {
		return strings.Contains(m.Content, "everyone")
	})
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

// TestALongMessageIsEditedPartByPart: each part shows what it would show if it were sent anew,
// controls stand below the last one, and what there is no room for is left out, and that is shown.
func TestALongMessageIsEditedPartByPart(t *testing.T) {
	s := newStage(t, nil)
	text := func(word string, times int) protocol.Text {
		return protocol.Plain(strings.Repeat(strings.TrimSpace(strings.Repeat(word+" ", 100))+"\n", times))
	}
	controls := []protocol.Control{{Label: "Ping", Path: []string{"ping"}}}
	out := s.say("1", "", s.general)
	out.Act = protocol.Say{Text: text("word", 7), Controls: controls}
	ref := s.send(out)
	if len(ref.Parts()) != 2 {
		t.Fatalf("it stands at %v", ref)
	}
	edit := s.say("2", "", s.general)
	for _, c := range []struct {
		word    string
		times   int
		want    [2]int // how often it stands in each part
		ends    string
		control int // the part with the button
	}{
		{"next", 7, [2]int{300, 400}, "next", 1},
		{"more", 30, [2]int{300, 399}, " …", 1},
		{"less", 1, [2]int{100, 0}, "…", 0},
		{"back", 7, [2]int{300, 400}, "back", 1},
	} {
		edit.Act = protocol.Revise{Text: text(c.word, c.times), Controls: controls}
		if again := s.send(edit, ref); again != ref {
			t.Errorf("%s: it stands at %v", c.word, again)
		}
		seen := s.ben.Sees(s.general)
		if len(seen) != 2 {
			t.Fatalf("%d messages stand", len(seen))
		}
		for n, m := range seen {
			if got := strings.Count(m.Content, c.word); got < c.want[n]-100 || got > c.want[n]+100 ||
				got == 0 != (c.want[n] == 0) {
				t.Errorf("%s: part %d has it %d times", c.word, n+1, got)
			}
			if has := len(m.Buttons) > 0; has != (n == c.control) {
				t.Errorf("%s: part %d has a button: %v", c.word, n+1, has)
			}
		}
		if !strings.HasSuffix(seen[1].Content, c.ends) {
			t.Errorf("%s: it ends with %.20q", c.word, seen[1].Content[max(len(seen[1].Content)-20, 0):])
		}
	}
}

// TestATextFitsAsItIsSent: escaped, and counted as Discord counts.
func TestATextFitsAsItIsSent(t *testing.T) {
	for text, fits := range map[string]bool{
		strings.Repeat("a", 2000): true, strings.Repeat("a", 2001): false,
		strings.Repeat("*", 1000): true, strings.Repeat("*", 1001): false,
		strings.Repeat("é", 2000): true, strings.Repeat("👍", 1001): false,
	} {
		if discord.Fits(protocol.Plain(text)) != fits {
			t.Errorf("%d bytes of %.4s fit: %v", len(text), text, !fits)
		}
	}
}

// TestAfterTheNonceIsForgotten: what an attempt of long ago may have sent is looked for, and sent
// only if it is surely not there.
func TestAfterTheNonceIsForgotten(t *testing.T) {
	s := newStage(t, nil)
	long := time.Now().Add(-10 * time.Minute)
	s.srv.Advance(-11 * time.Minute) // when the first attempt was made
	out := s.say("1", "only once", s.general)
	ref := s.send(out)
	s.srv.Advance(11 * time.Minute)
	if again, err := s.try(out, protocol.Attempt{N: 2, First: long}); err != nil || again.Event != ref.Event &&
		s.stands(s.general, "only once") != 1 {
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

// TestTheSameWordsToSomebodyElseAreAnotherAnswer: whether a message stands is decided by its key,
// or where Discord does not tell that by what it answers. Somebody who asks the same as another is
// answered too.
func TestTheSameWordsToSomebodyElseAreAnotherAnswer(t *testing.T) {
	s := newStage(t, nil)
	long := time.Now().Add(-10 * time.Minute)
	answer := func(key string, to discordtest.Message) protocol.Outgoing {
		out := s.say(key, "pong", s.general)
		out.Act = protocol.Say{Text: protocol.Plain("pong"), ReplyTo: protocol.EventID(to.Channel + "-" + to.ID)}
		return out
	}
	ben, ann := s.ben.Says(s.general, "ping"), s.ann.Says(s.general, "ping")
	first := s.send(answer("1", ben))
	second, err := s.try(answer("2", ann), protocol.Attempt{N: 2, First: long})
	if err != nil || second == first {
		t.Fatalf("the second stands at %v, %v; the first at %v", second, err, first)
	}
	if n := s.stands(s.general, "pong"); n != 2 {
		t.Errorf("%d answers stand", n)
	}
	if again, err := s.try(answer("2", ann), protocol.Attempt{N: 3, First: long}); err != nil || again != second {
		t.Errorf("the third attempt stands at %v, %v; the second at %v", again, err, second)
	}
}

// TestAnAttemptOfAnEarlierRun: where the store is ahead of the clock, its time goes on at a start as if nothing had passed since
// the last commit. What an earlier run may have sent is looked for however young it looks.
func TestAnAttemptOfAnEarlierRun(t *testing.T) {
	s := newStage(t, nil)
	s.srv.Advance(-11 * time.Minute)
	out := s.say("1", "only once", s.general)
	ref := s.send(out)
	s.srv.Advance(11 * time.Minute)
	again, err := s.try(out, protocol.Attempt{N: 2, First: time.Now(), Earlier: true})
	if err != nil || again.Event != ref.Event || s.stands(s.general, "only once") != 1 {
		t.Errorf("it stands %d times, at %v, %v; the first time at %v", s.stands(s.general, "only once"), again, err, ref)
	}
}

// TestAnAttemptOfAnEarlierRunInABusyChannel: a restart costs no answer where more is said in a day than the bot reads back. For
// an answer no more is read than what came after what it answers.
func TestAnAttemptOfAnEarlierRunInABusyChannel(t *testing.T) {
	s := newStage(t, nil)
	for i := range 1100 {
		s.ann.Says(s.general, fmt.Sprint("chatter ", i))
	}
	s.srv.Advance(time.Hour)
	asked := s.ben.Says(s.general, "!moot ping")
	answer := s.say("1", "pong", s.general)
	say := answer.Act.(protocol.Say)
	say.ReplyTo = protocol.EventID(asked.Channel + "-" + asked.ID)
	answer.Act = say
	earlier := protocol.Attempt{N: 2, First: time.Now().Add(time.Hour), Earlier: true}
	if _, err := s.try(answer, earlier); err != nil || s.stands(s.general, "pong") != 1 {
		t.Errorf("the answer stands %d times: %v", s.stands(s.general, "pong"), err)
	}
	if n := s.requests(http.MethodGet, "/channels/"+s.general.ID+"/messages"); n != 1 {
		t.Errorf("to look for it %d pages were read", n)
	}
	if _, err := s.try(s.say("2", "a vote has closed", s.general), earlier); err != nil || s.stands(s.general, "a vote has closed") != 1 {
		t.Errorf("what answers nothing stands %d times: %v", s.stands(s.general, "a vote has closed"), err)
	}
}

// TestAnAttemptOfAnEarlierRunAmongHundreds: where more came since the answer than the bot reads back, its nonce is still known while
// what it answers is young, and after that nobody can tell.
func TestAnAttemptOfAnEarlierRunAmongHundreds(t *testing.T) {
	s := newStage(t, nil)
	asked := s.ben.Says(s.general, "!moot ping")
	answer := s.say("1", "pong", s.general)
	say := answer.Act.(protocol.Say)
	say.ReplyTo = protocol.EventID(asked.Channel + "-" + asked.ID)
	answer.Act = say
	ref := s.send(answer)
	earlier := protocol.Attempt{N: 2, First: time.Now(), Earlier: true}
	for i := range 1100 {
		s.ann.Says(s.general, fmt.Sprint("chatter ", i))
	}
	if again, err := s.try(answer, earlier); err != nil || again != ref || s.stands(s.general, "pong") != 1 {
		t.Errorf("the answer stands %d times, at %v, and not at %v: %v", s.stands(s.general, "pong"), again, ref, err)
	}
	s.srv.Advance(2 * time.Minute)
	_, err := s.try(answer, earlier)
	s.isAmbiguous(err)
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
	_, err = s.try(protocol.Outgoing{Key: protocol.DeriveKey("r"), Room: s.Room(),
		Act: protocol.React{Target: protocol.EventID(m.Channel + "-" + m.ID), Reaction: "👍"}}, protocol.Attempt{})
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
	_, err := s.try(protocol.Outgoing{Key: protocol.DeriveKey("w"),
		Act: protocol.Whisper{User: "discord:" + protocol.UserID(s.ben.ID), Text: protocol.Plain("psst")}},
		protocol.Attempt{})
	s.isFinal(err, "takes no private messages")
	_, err = s.try(protocol.Outgoing{Key: protocol.DeriveKey("x"),
		Act: protocol.Whisper{User: "matrix:@ben:example.org", Text: protocol.Plain("psst")}}, protocol.Attempt{})
	s.isFinal(err, "no longer there")
}

// TestWhatDiscordAnswers: each refusal ends what is sent in the state that it deserves, with the
// reason, or is tried again.
func TestWhatDiscordAnswers(t *testing.T) {
	body := func(code int, words string) string { return fmt.Sprintf(`{"code":%d,"message":%q}`, code, words) }
	s := newStage(t, nil)
	s.send(s.say("first", "hello", s.general)) // by then the route is known
	for name, tt := range map[string]struct {
		fault     discordtest.Fault
		final     bool
		ambiguous bool
		gone      bool
		words     string
	}{
		"channel deleted": {discordtest.Fault{Status: 404, Body: body(10003, "Unknown Channel")}, true, false,
			true, "Unknown Channel"},
		"guild gone": {discordtest.Fault{Status: 404, Body: body(10004, "Unknown Guild")}, true, false,
			true, "Unknown Guild"},
		"message gone": {discordtest.Fault{Status: 404, Body: body(10008, "Unknown Message")}, true, false,
			true, "Unknown Message"},
		"person gone": {discordtest.Fault{Status: 404, Body: body(10013, "Unknown User")}, true, false, true,
			"Unknown User"},
		"no access": {discordtest.Fault{Status: 403, Body: body(50001, "Missing Access")}, true, false,
			true, "Missing Access"},
		"no private messages": {discordtest.Fault{Status: 403,
			Body: body(50007, "Cannot send messages to this user")}, true, false, false, "takes no private messages"},
		"no permission": {discordtest.Fault{Status: 403, Body: body(50013, "Missing Permissions")}, true,
			false, false, "Missing Permissions"},
		"blocked by a filter": {discordtest.Fault{Status: 400,
			Body: body(200000, "Message was blocked by automatic moderation")}, true, false, false,
			"automatic moderation"},
		"not well formed": {discordtest.Fault{Status: 400, Body: body(50035, "Invalid Form Body")}, true, false,
			false, "Invalid Form Body"},
		"no JSON at all": {discordtest.Fault{Status: 403, Body: "<html>Forbidden</html>"}, true, false, false,
			"HTTP 403: <html>Forbidden</html>"},
		"a limit of the channel": {discordtest.Fault{Status: 429, After: time.Hour, Scope: "shared"}, false, false,
			false, "rate limited"},
		"an outage": {discordtest.Fault{Status: 503}, false, false, false, "HTTP 503"},
	} {
		// Each is about a channel of its own, since some answers close that for the next.
		ch := s.lab.NewChannel("c")
		s.said("barrier " + name)
		times := 1
		if tt.fault.Status >= 500 {
			times = 4
		}
		s.srv.Fail(times, http.MethodPost, "/channels/"+ch.ID+"/messages", tt.fault)
		_, err := s.try(s.say(name, "x", ch), protocol.Attempt{})
		var se *protocol.SendError
		errors.As(err, &se)
		if se == nil {
			se = &protocol.SendError{}
		}
		if err == nil || se.Final != tt.final || se.Ambiguous != tt.ambiguous ||
			errors.Is(err, protocol.ErrGone) != tt.gone || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %v (%+v)", name, err, se)
		}
		if !tt.final { // it is tried again, and stands once
			if tt.fault.Status == http.StatusTooManyRequests {
				continue
			}
			if s.send(s.say(name, "x", ch)); s.stands(ch, "x") != 1 {
				t.Errorf("%s: afterwards it stands %d times", name, s.stands(ch, "x"))
			}
		}
	}
}

// TestAnInteractionThatIsRefused: whatever Discord makes of the first answer to a command, the
// person is answered once, or it is recorded why not.
func TestAnInteractionThatIsRefused(t *testing.T) {
	body := func(code int, words string) string { return fmt.Sprintf(`{"code":%d,"message":%q}`, code, words) }
	for name, tt := range map[string]struct {
		fault discordtest.Fault
		times int
		where string // how it is answered in the end
	}{
		"too late": {discordtest.Fault{Status: 404, Body: body(10062, "Unknown interaction")}, 1, "late"},
		"answered already": {discordtest.Fault{Done: true, Status: 400,
			Body: body(40060, "already acknowledged")}, 1, "once"},
		"an outage":             {discordtest.Fault{Status: 502}, 2, "once"},
		"an outage, but done":   {discordtest.Fault{Done: true, Status: 502}, 1, "once"},
		"limited for a moment":  {discordtest.Fault{Status: 429, After: 20 * time.Millisecond}, 1, "once"},
		"not as it should be":   {discordtest.Fault{Status: 400, Body: body(50035, "Invalid Form Body")}, 1, "never"},
		"the connection breaks": {discordtest.Fault{Drop: true}, 1, "once"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, nil)
			s.srv.HoldClock() // three seconds are not over because the machine is slow
			i := s.ben.Slash(s.general, "ping", nil)
			ev, _ := s.invoked()
			s.srv.Fail(tt.times, http.MethodPost, "/callback", tt.fault)
			out := reply(ev, "1", "pong", false)
			var err error
			for n := 1; n <= 4; n++ {
				_, err = s.try(out, protocol.Attempt{N: n, First: time.Now()})
				var se *protocol.SendError
				if err == nil || errors.As(err, &se) && (se.Final || se.Ambiguous) {
					break
				}
			}
			public, private := s.stands(s.general, "pong"), 0
			for _, m := range s.ben.Sees(s.ben.DM()) {
				if strings.Contains(m.Content, "pong") {
					private++
				}
			}
			want := map[string][2]int{"once": {1, 0}, "late": {0, 0}, "never": {0, 0}}[tt.where]
			if [2]int{public, private} != want {
				t.Errorf("it stands %d times, and %d times in private: %v", public, private, err)
			}
			if tt.where == "late" {
				s.isFinal(err, "cannot be delivered any more") // what all were to read is not told one person
			} else if tt.where == "never" {
				s.isFinal(err, "Invalid Form Body")
				if i.Answered() != 0 {
					t.Error("it is answered all the same")
				}
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestWhatTheBotSeesNoMore: messages of its own in a channel that it does not see any more are not
// touched in vain.
func TestWhatTheBotSeesNoMore(t *testing.T) {
	s := newStage(t, nil)
	ref := s.send(s.say("1", "the board", s.general))
	s.general.Deny(s.srv.Bot, discordtest.ViewChannel)
	quiet := s.lab.NewChannel("elsewhere")
	s.ann.Says(quiet, "barrier")
	s.next("barrier", func(e protocol.Event) bool {
		m, ok := e.Body.(protocol.Message)
		return ok &&
			m.Text == "barrier"
	})
	before := s.requests("", "")
	for name, act := range map[string]protocol.Act{
		"revise": protocol.Revise{Original: protocol.DeriveKey("1"), Text: protocol.Plain("x")},
	} {
		_, err := s.try(protocol.Outgoing{Key: protocol.DeriveKey(name), Room: s.Room(), Act: act},
			protocol.Attempt{Original: ref, N: 2, First: time.Now().Add(-25 * time.Hour)})
		s.isFinal(err, "#general: it lacks View Channel")
	}
	if after := s.requests("", ""); after != before {
		t.Errorf("%d requests were made in vain", after-before)
	}
}

// TestRateLimitsAreHandedOn: a long one does not hold the sender up.
func TestRateLimitsAreHandedOn(t *testing.T) {
	s := newStage(t, nil)
	s.srv.Fail(1, http.MethodPost, "/messages", discordtest.Fault{Status: http.StatusTooManyRequests, After: time.Hour,
		Scope: "shared"})
	_, err := s.try(s.say("1", "x", s.general), protocol.Attempt{})
	var se *protocol.SendError
	if !errors.As(err, &se) || se.Final || se.RetryAfter < 50*time.Minute {
		t.Errorf("got %v", err)
	}
}

// TestRestraint: it is a state. It is asserted once, lifted once, and refused with the reason where
// it cannot be.
func TestRestraint(t *testing.T) {
	for name, e := range map[string]discord.Enforcement{"timeout": {Timeout: true},
		"role": {Role: "Challenged"}, "off": {}} {
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
			s.lab.SetPermissions(s.lab.BotRole(),
				discordtest.BotPermissions|discordtest.ModerateMembers|discordtest.ManageRoles)
			if name == "role" {
				s.said("barrier")
				if got := restrain(ben, true); got.Refused != protocol.RefusedMeans {
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
			if !first.On || first.Refused != "" || first.Until.Before(time.Now().Add(26*24*time.Hour)) ||
				s.lab.TimedOut(s.ben).IsZero() {
				t.Errorf("got %+v, and Ben is timed out until %s", first, s.lab.TimedOut(s.ben))
			}
			acts := s.requests(http.MethodPatch, "/members/")
			if again := restrain(ben, true); !again.On || !again.Until.Equal(first.Until) ||
				s.requests(http.MethodPatch, "/members/") != acts {
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
			chief := s.lab.NewRole("chief", 0) // which stands above that of the bot, and may do nothing
			s.lab.Give(s.ann, chief)
			s.said("barrier 2")
			if got := restrain(user(s.ann), true); got.Refused != protocol.RefusedOutranked ||
				s.requests(http.MethodPatch, "/members/") != acts {
				t.Errorf("somebody with a higher role: %+v", got)
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
