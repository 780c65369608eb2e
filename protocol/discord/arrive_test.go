package discord

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
	"go.uber.org/goleak"

	"moot/protocol"
	"moot/protocol/discord/gateway"
)

// nobody is a State that knows nothing, except that the bot is in every guild for which it is
// asked.
type nobody struct{ joined bool }

func (n nobody) Room(room protocol.RoomID) Room {
	return Room{Joined: n.joined, Settled: n.joined, Private: strings.Contains(string(room), "@")}
}
func (nobody) Rooms() []protocol.RoomID                               { return nil }
func (nobody) Member(protocol.RoomID, protocol.UserID) (Member, bool) { return Member{}, false }
func (nobody) InVoice(protocol.RoomID) []protocol.UserID              { return nil }
func (nobody) Voice(protocol.RoomID, protocol.UserID) (v protocol.VoicePresence, in bool) {
	return v, false
}

// sink is an Admitter that checks what it is given.
type sink struct {
	mu     sync.Mutex
	faults []string
	n      atomic.Int64
	keep   bool
}

func (s *sink) Admit(_ context.Context, evs []protocol.Event, _ protocol.Cursor) error {
	s.n.Add(int64(len(evs)))
	if !s.keep {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range evs {
		if _, bad := e.Body.(protocol.Malformed); bad {
			continue
		}
		if err := e.Check(Network); err != nil {
			s.faults = append(s.faults, fmt.Sprintf("%+v: %v", e, err))
		}
		if _, err := json.Marshal(e); err != nil {
			s.faults = append(s.faults, fmt.Sprintf("%+v: %v", e, err))
		}
	}
	return nil
}

func (s *sink) Cursor(string) (string, error) { return "", nil }

// alone is an adapter that is not connected: a test hands it what the gateway would.
func alone(state State, to protocol.Admitter) (*Adapter, func()) {
	a := New(Config{State: state, APIURL: "http://127.0.0.1:1", DeferAfter: time.Hour})
	a.to = to
	a.me, a.app = "9", "9"
	var cancel context.CancelFunc
	a.ctx, cancel = context.WithCancel(context.Background())
	a.stop = func(error) { cancel() }
	a.lanes = newLanes(a.ctx, to, a.fail)
	a.gw = gateway.New(gateway.Config{})
	a.shards[0] = &shardState{progress: &progress{session: "s"}}
	a.guilds.put(&discordgo.Guild{ID: "5", OwnerID: "7", Roles: []*discordgo.Role{{ID: "5"}}}, "9")
	return a, func() {
		cancel()
		a.replies.close()
		a.lanes.wait()
		a.jobs.Wait()
		a.rest.Close()
	}
}

// kinds are the types of events that the adapter reads.
var kinds = []string{
	"MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK", "INTERACTION_CREATE",
	"MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE", "RATE_LIMITED", "RESUMED",
	"GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE", "GUILD_MEMBERS_CHUNK", "VOICE_STATE_UPDATE",
	"GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE", "GUILD_BAN_ADD", "GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE",
	"CHANNEL_UPDATE", "CHANNEL_DELETE", "THREAD_CREATE", "THREAD_LIST_SYNC",
}

// FuzzArrive: whatever Discord sends, the adapter makes of it events that may enter, or records
// that it could not read it.
func FuzzArrive(f *testing.F) {
	for kind, data := range map[string]string{
		"MESSAGE_CREATE":       `{"id":"1","channel_id":"2","guild_id":"5","content":"<@9> hi <@!12>","author":{"id":"7"},"message_reference":{"message_id":"3","channel_id":"2"},"type":19,"nonce":"abcdefghijklmnopqrstuvwx"}`,
		"MESSAGE_UPDATE":       `{"id":"1","channel_id":"2","edited_timestamp":"2026-11-25T10:00:00.123456+00:00","content":"x"}`,
		"MESSAGE_DELETE_BULK":  `{"ids":["1","2"],"channel_id":"2","guild_id":"5"}`,
		"INTERACTION_CREATE":   `{"id":"1","type":2,"token":"t","channel_id":"2","guild_id":"5","member":{"user":{"id":"7"},"permissions":"8"},"data":{"name":"vote","type":1,"options":[{"name":"cast","type":1,"options":[{"name":"ballot","type":3,"value":"yes"}]}]}}`,
		"MESSAGE_REACTION_ADD": `{"user_id":"7","channel_id":"2","message_id":"1","guild_id":"5","emoji":{"id":null,"name":"👍"}}`,
		"GUILD_MEMBER_ADD":     `{"guild_id":"5","user":{"id":"7","username":"ann"},"roles":["5"],"joined_at":"2026-11-25T10:00:00Z"}`,
		"VOICE_STATE_UPDATE":   `{"guild_id":"5","user_id":"7","channel_id":"2","self_deaf":true}`,
		"GUILD_CREATE":         `{"id":"5","name":"lab","joined_at":"2026-11-25T10:00:00Z","channels":[{"id":"2","last_message_id":"3"}],"voice_states":[{"user_id":"7","channel_id":"2"}]}`,
		"GUILD_DELETE":         `{"id":"5","unavailable":true}`,
		"GUILD_ROLE_UPDATE":    `{"guild_id":"5","role":{"id":"6","permissions":"32"}}`,
		"GUILD_MEMBERS_CHUNK":  `{"guild_id":"5","members":[{"user":{"id":"7"}}],"chunk_index":0,"chunk_count":1,"nonce":"x"}`,
	} {
		f.Add(kind, []byte(data))
	}
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		if !slices.Contains(kinds, kind) || !json.Valid(data) {
			return
		}
		to := &sink{keep: true}
		for _, joined := range []bool{false, true} {
			a, end := alone(nobody{joined}, to)
			e := gateway.Event{Session: "s", Seq: 1, Type: kind, Raw: data}
			if kind == "GUILD_CREATE" && joined {
				end()
				continue // asks Discord, which is not there
			}
			if err := a.arrive(a.ctx, e); err != nil {
				t.Errorf("%s: %v", data, err)
			}
			a.lanes.wait()
			end()
		}
		for _, fault := range to.faults {
			t.Errorf("%s %s: %s", kind, data, fault)
		}
	})
}

// TestNothingGrowsOverInteractions: of a hundred thousand interactions nothing stays behind.
func TestNothingGrowsOverInteractions(t *testing.T) {
	before := goleak.IgnoreCurrent()
	to := &sink{}
	a, end := alone(nobody{true}, to)
	n := 100_000
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	interact := func(from, to int) {
		for i := from; i < to; i++ {
			raw := fmt.Sprintf(`{"id":"%d","type":2,"token":"%0200d","channel_id":"2","guild_id":"5","member":{"user":{"id":"7"},"permissions":"0"},"data":{"name":"ping","type":1}}`, 1000+i, i)
			if err := a.arrive(a.ctx, gateway.Event{Session: "s", Seq: int64(i), Type: "INTERACTION_CREATE",
				Raw: []byte(raw)}); err != nil {
				t.Fatal(err)
			}
		}
		a.lanes.wait()
	}
	interact(0, 2*maxReplies) // until what is remembered is full
	small := heap()
	interact(2*maxReplies, n)
	if got := to.n.Load(); got != int64(n) {
		t.Errorf("%d were admitted", got)
	}
	if large := heap(); large > small+2<<20 {
		t.Errorf("%d bytes are in use, and were %d at the beginning", large, small)
	}
	if got := a.replies.order.Len(); got != maxReplies || len(a.replies.byID) != maxReplies {
		t.Errorf("%d and %d replies are remembered", got, len(a.replies.byID))
	}
	end()
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

// BenchmarkArrive is the adapter's own share of an event: its decoding included, without the store.
func BenchmarkArrive(b *testing.B) {
	to := &sink{}
	a, end := alone(nobody{true}, to)
	defer end()
	events := []gateway.Event{
		{Type: "MESSAGE_CREATE",
			Raw: []byte(`{"id":"1310000000000000000","channel_id":"2","guild_id":"5","content":"good evening everybody","author":{"id":"7","username":"ann"},"type":0,"timestamp":"2026-11-25T10:00:00.123000+00:00"}`)},
		{Type: "MESSAGE_REACTION_ADD",
			Raw: []byte(`{"user_id":"7","channel_id":"2","message_id":"1","guild_id":"5","emoji":{"id":null,"name":"👍"}}`)},
		{Type: "VOICE_STATE_UPDATE", Raw: []byte(`{"guild_id":"5","user_id":"7","channel_id":"2"}`)},
		{Type: "GUILD_MEMBER_UPDATE", Raw: []byte(`{"guild_id":"5","user":{"id":"7"}}`)},
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		e := events[n%len(events)]
		n++
		e.Session, e.Seq = "s", int64(n)
		if err := a.arrive(a.ctx, e); err != nil {
			b.Fatal(err)
		}
	}
	a.lanes.wait()
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}
