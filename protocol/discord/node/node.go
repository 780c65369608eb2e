// Package node lets shards of a bot on Discord live in processes of their own, over package remote: the writer, which has the
// store, and nodes, each of which runs a [discord.Adapter] with some shards.
//
// Sessions with Discord, where they are resumed, and how far each shard has been admitted are cursors of the adapter, and so
// are with the writer: whatever node has a shard next resumes its session. Identifies are counted there, too, and take turns
// over all nodes; and each request of REST takes its place there, since what Discord allows in a second is the bot's.
package node

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"time"

	"moot/protocol"
	"moot/protocol/discord"
	"moot/protocol/discord/rest"
	"moot/protocol/remote"
)

// What a node asks the writer of its state, as [discord.State] and [discord.Completer] have it.
const (
	callRoom     = "state.room"
	callRooms    = "state.rooms"
	callMember   = "state.member"
	callVoice    = "state.voice"
	callInVoice  = "state.in-voice"
	callComplete = "complete"
	callRequest  = "request"
)

// answerWithin is how long Discord waits for a completion.
const answerWithin = 3 * time.Second

// somebody is a person in a room.
type somebody struct {
	Room protocol.RoomID
	User protocol.UserID
}

// found is what is known of somebody, and whether they are there.
type found[T any] struct {
	Is T
	In bool
}

// typing is what somebody types.
type typing struct {
	Where        discord.Where
	Path         []string
	Param, Typed string
	Args         map[string]string
}

// WriterConfig says what the nodes of a writer get. Log may be left out.
type WriterConfig struct {
	Listen    func() (net.Listener, error)
	Commands  []discord.Command
	State     discord.State
	Completer discord.Completer
	Log       *slog.Logger
}

// NewWriter returns the adapter of a bot whose shards are in nodes.
func NewWriter(cfg WriterConfig) *remote.Hub {
	s, pace := cfg.State, new(rest.Pace)
	return remote.NewHub(remote.HubConfig{
		Network: discord.Network, Listen: cfg.Listen, Config: cfg.Commands, Place: discord.Place, Log: cfg.Log,
		More: map[string]remote.Func{
			callRoom:  remote.Answer(func(_ context.Context, r protocol.RoomID) (discord.Room, error) { return s.Room(r), nil }),
			callRooms: remote.Answer(func(context.Context, struct{}) ([]protocol.RoomID, error) { return s.Rooms(), nil }),
			callMember: remote.Answer(func(_ context.Context, w somebody) (f found[discord.Member], err error) {
				f.Is, f.In = s.Member(w.Room, w.User)
				return f, nil
			}),
			callVoice: remote.Answer(func(_ context.Context, w somebody) (f found[protocol.VoicePresence], err error) {
				f.Is, f.In = s.Voice(w.Room, w.User)
				return f, nil
			}),
			callInVoice: remote.Answer(func(_ context.Context, r protocol.RoomID) ([]protocol.UserID, error) { return s.InVoice(r), nil }),
			callComplete: remote.Answer(func(_ context.Context, t typing) ([]string, error) {
				return cfg.Completer.Complete(t.Where, t.Path, t.Param, t.Typed, t.Args), nil
			}),
			callRequest: remote.Answer(func(_ context.Context, most time.Duration) (time.Duration, error) {
				return pace.Take(time.Now(), most), nil
			}),
		},
	})
}

// Config says what a node is.
type Config struct {
	// Name is unlike that of any other process.
	Name string
	// Shards are those of this node, of Count.
	Shards []int
	Count  int
	// Dial and Patience are those of remote.NodeConfig.
	Dial     func(ctx context.Context) (io.ReadWriteCloser, error)
	Patience time.Duration
	// Discord is that of the adapter. What the writer knows, and which shards there are, is filled in.
	Discord discord.Config
	// Watch is called with each adapter that is made; nil is not.
	Watch func(*discord.Adapter)
	Log   *slog.Logger // nil means none
}

// New returns a node that is not connected.
func New(cfg Config) *remote.Node {
	return remote.NewNode(remote.NodeConfig{
		Hello: remote.Hello{Network: discord.Network, Node: cfg.Name, Shards: cfg.Shards, Count: cfg.Count},
		Dial:  cfg.Dial, Patience: cfg.Patience, Log: cfg.Log,
		Open: func(config json.RawMessage, g *remote.Grant) (remote.NodeAdapter, error) {
			c := cfg.Discord
			if err := json.Unmarshal(config, &c.Commands); err != nil {
				return nil, err
			}
			c.Shards, c.Own, c.Turn, c.State, c.Completer, c.Log = cfg.Count, cfg.Shards, g.Turn, state{g}, state{g}, cfg.Log
			c.Share = func(ctx context.Context, most time.Duration) (wait time.Duration, err error) {
				if err = g.Try(ctx, callRequest, most, &wait); errors.Is(err, remote.ErrLost) {
					return 0, nil // without a writer little is asked of Discord, and nothing is sent
				}
				return wait, err
			}
			a := discord.New(c)
			if cfg.Watch != nil {
				cfg.Watch(a)
			}
			return a, nil
		},
	})
}

// state asks the writer, each time: an adapter compares what Discord says with all that was admitted before. While the writer is
// away it waits, as what it is asked for does: nothing can be admitted then. Once the node stops nothing is known, and
// nothing of what is made of that is admitted any more.
type state struct{ g *remote.Grant }

func ask[T any](s state, method string, args any) (reply T) {
	_ = s.g.Call(s.g.Within(), method, args, &reply) // see above
	return reply
}

// Room implements discord.State.
func (s state) Room(room protocol.RoomID) discord.Room { return ask[discord.Room](s, callRoom, room) }

// Rooms implements discord.State.
func (s state) Rooms() []protocol.RoomID { return ask[[]protocol.RoomID](s, callRooms, struct{}{}) }

// Member implements discord.State.
func (s state) Member(room protocol.RoomID, user protocol.UserID) (discord.Member, bool) {
	f := ask[found[discord.Member]](s, callMember, somebody{room, user})
	return f.Is, f.In
}

// Voice implements discord.State.
func (s state) Voice(room protocol.RoomID, user protocol.UserID) (protocol.VoicePresence, bool) {
	f := ask[found[protocol.VoicePresence]](s, callVoice, somebody{room, user})
	return f.Is, f.In
}

// InVoice implements discord.State.
func (s state) InVoice(room protocol.RoomID) []protocol.UserID {
	return ask[[]protocol.UserID](s, callInVoice, room)
}

// Complete implements discord.Completer.
func (s state) Complete(where discord.Where, path []string, param, typed string, args map[string]string) []string {
	ctx, cancel := context.WithTimeout(s.g.Within(), answerWithin)
	defer cancel()
	var values []string
	_ = s.g.Call(ctx, callComplete, typing{where, path, param, typed, args}, &values) // what cannot be read cannot be completed
	return values
}
