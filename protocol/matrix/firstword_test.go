package matrix_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"moot/internal/record"
	"moot/protocol"
	"moot/protocol/matrix"
	"moot/protocol/matrix/matrixtest"
	"moot/store"
)

// handKey sends the key that messages of a session "late" wait for to the device of the bot.
func (w *town) handKey() {
	w.Helper()
	url := fmt.Sprintf("%s/_matrix/client/v3/sendToDevice/toy.keys/%d", w.Server.URL, len(w.Requests()))
	body := fmt.Sprintf(`{"messages": {%q: {"DEVICE": {}}}}`, w.bot)
	req, err := http.NewRequestWithContext(w.ctx(), http.MethodPut, url, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer token-ann")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		w.Fatalf("the key is not taken: %s", resp.Status)
	}
}

// newVault is a town whose bot can open what waited for its key.
func newVault(t *testing.T) *town {
	w := newTown(t)
	w.encrypt(&toy{news: make(chan struct{}, 1)})
	encrypt := w.config
	w.config = func(c *matrix.Config) {
		encrypt(c)
		c.Waiting = record.Matrix{Store: w.store}
	}
	return w
}

// TestTheFirstWordInPrivate: what somebody says within a moment of the bot's join is answered once, however the server shows the
// join, and also where the key to it comes later than both.
func TestTheFirstWordInPrivate(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]func(w *town, dm string){
		"the join in the timeline": func(w *town, dm string) { w.Member(dm, w.bot, w.bot, "join", nil) },
		"the join as state alone":  func(w *town, dm string) { w.Quietly(dm, w.bot, w.bot, "join") },
		"the join one sync late": func(w *town, dm string) {
			w.EarlyJoin()
			w.Member(dm, w.bot, w.bot, "join", nil)
		},
		"the join one sync late, and not told when asked for": func(w *town, dm string) {
			w.EarlyJoin()
			w.Break("/state/m.room.member/", 1, matrixtest.Refusal(http.StatusForbidden, "M_FORBIDDEN"))
			w.Member(dm, w.bot, w.bot, "join", nil)
		},
		"the invitation over before the join": func(w *town, dm string) {
			w.RetireFirst()
			w.Member(dm, w.bot, w.bot, "join", nil)
		},
		"the state at the end": func(w *town, dm string) {
			w.TellStateAfter("state_after")
			w.Member(dm, w.bot, w.bot, "join", nil)
		},
		"the invitation once more": func(w *town, dm string) {
			w.Member(dm, w.bot, w.bot, "join", nil)
			w.InviteAgain(dm)
		},
		"a rename behind it": func(w *town, dm string) {
			w.Member(dm, w.bot, w.bot, "join", nil)
			w.HideBefore(true)
			w.Member(dm, w.bot, w.bot, "join", map[string]any{"displayname": "Moot II"})
			w.HideBefore(false)
		},
	} {
		for _, sealedOne := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, sealed %v", name, sealedOne), func(t *testing.T) {
				t.Parallel()
				w := newVault(t)
				w.start()
				w.stop()
				states := map[string]map[string]any{"m.room.topic": {"topic": "none"}, "m.room.history_visibility": {"history_visibility": "shared"}}
				if sealedOne {
					states["m.room.encryption"] = map[string]any{"algorithm": "m.megolm.v1.aes-sha2"}
				}
				dm := w.Create(w.ann, "", states)
				w.Member(dm, w.ann, w.bot, "invite", map[string]any{"is_direct": true})
				order(w, dm)
				var said string
				if sealedOne {
					said = w.Send(dm, w.ann, "m.room.encrypted", sealed("late", "ping 1"))
				} else {
					said = w.Server.Say(dm, w.ann, "ping 1")
				}
				w.start()
				if sealedOne {
					if d := w.disposition(dm, said); d.Disposition != store.Waiting {
						t.Errorf("without its key it is %s (%s)", d.Disposition, d.Reason)
					}
					w.handKey()
				}
				answers := func() []string {
					if sealedOne {
						return w.sealed(dm)
					}
					return w.answers(dm)
				}
				w.eventually(func() bool { return len(answers()) > 0 })
				if got := answers(); !slices.Equal(got, []string{"pong 1"}) {
					t.Errorf("the bot has said %q\n%s", got, w.log)
				}
				if info := w.info(dm); info.Own != protocol.Joined || !info.Private {
					t.Errorf("the conversation is recorded as %+v", info)
				}
			})
		}
	}
}

// TestAJoinThatIsShownAgainIsNoNewOne: what waits for its key is acted on, also where the key comes together with the join once more,
// as with servers that tell a whole timeline anew.
func TestAJoinThatIsShownAgainIsNoNewOne(t *testing.T) {
	t.Parallel()
	w := newVault(t)
	vault := w.Create(w.ann, "Vault", encrypted)
	w.start()
	w.Member(vault, w.ann, w.bot, "invite", nil)
	join := w.Member(vault, w.bot, w.bot, "join", nil)
	said := w.Send(vault, w.ann, "m.room.encrypted", sealed("late", "ping 1"))
	w.eventually(func() bool { return w.disposition(vault, said).Disposition == store.Waiting })
	w.stop()
	w.Server.Again(vault, join)
	w.handKey()
	w.start()
	w.eventually(func() bool { return len(w.sealed(vault)) > 0 })
	if got := w.sealed(vault); !slices.Equal(got, []string{"pong 1"}) {
		t.Errorf("the bot has said %q; the message is %+v\n%s", got, w.disposition(vault, said), w.log)
	}
}

// TestALeaveThatNobodyHasSent: a server that says that the invitation is over before it shows the join makes the bot neither think that it
// was not let in, nor that it came twice; and an invitation that is really taken back is.
func TestALeaveThatNobodyHasSent(t *testing.T) {
	for _, taken := range []bool{true, false} {
		t.Run(fmt.Sprint(taken), func(t *testing.T) {
			w := newTown(t)
			w.start()
			hall := w.Create(w.ann, "Hall", nil)
			w.Member(hall, w.ann, w.bot, "invite", nil)
			w.settle()
			want := protocol.Left
			if taken {
				want = protocol.Joined
				w.RetireFirst()
				w.Member(hall, w.bot, w.bot, "join", nil)
				w.Server.Say(hall, w.ann, "ping 1")
			} else {
				w.Member(hall, w.ann, w.bot, "leave", nil)
			}
			w.settle()
			var own []protocol.Membership
			for _, ev := range w.feature.events(hall) {
				if m, is := ev.Body.(protocol.MemberChange); is && m.Self {
					own = append(own, m.Membership)
				}
			}
			if !slices.Equal(own, []protocol.Membership{protocol.Invited, want}) {
				t.Errorf("the bot was told %q", own)
			}
			if taken {
				w.expect(hall, "pong 1")
			}
			if info := w.info(hall); info.Own != want || taken && info.Generation != 1 {
				t.Errorf("the room is recorded as %+v", info)
			}
			if n := w.log.count("goes on without"); n > 0 {
				t.Errorf("the log complains:\n%s", w.log)
			}
		})
	}
}

// TestAnInvitationThatIsShownAgainPutsNobodyOut: the bot is in the room, whatever a server says of an invitation that it has taken up.
func TestAnInvitationThatIsShownAgainPutsNobodyOut(t *testing.T) {
	t.Parallel()
	w := newVault(t)
	vault := w.Create(w.ann, "Vault", encrypted)
	w.start()
	w.enter(vault)
	said := w.Send(vault, w.ann, "m.room.encrypted", sealed("late", "ping 1"))
	w.eventually(func() bool { return w.disposition(vault, said).Disposition == store.Waiting })
	w.InviteAgain(vault)
	w.settle()
	w.handKey()
	w.eventually(func() bool { return len(w.sealed(vault)) > 0 })
	if got := w.sealed(vault); !slices.Equal(got, []string{"pong 1"}) {
		t.Errorf("the bot has said %q; the message is %+v\n%s", got, w.disposition(vault, said), w.log)
	}
	if info := w.info(vault); info.Own != protocol.Joined || info.Generation != 1 {
		t.Errorf("the room is recorded as %+v", info)
	}
}
