package matrix

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"maunium.net/go/mautrix/id"

	"moot/protocol"
)

// Network is the name with which identifiers of Matrix begin.
const Network protocol.Network = "matrix"

// Config says how to connect.
type Config struct {
	// Connect logs in. It is called once, when Run begins, waits by itself while the server cannot be reached, and its
	// error ends Run.
	Connect func(context.Context) (*Session, error)
	// Name is what the account is to be called, and Avatar the file of the picture by which it is shown. Zero leaves what it has.
	Name, Avatar string
	// Rooms is what the bot has recorded.
	Rooms Rooms
	// Waiting is what waits for its key; nil where nothing ever does.
	Waiting Waiting
	// Enforce is whether somebody who is challenged is to lose the power to write, where the bot may take it.
	Enforce bool
	// NoReactions is whether reactions in encrypted rooms, which are in clear, are not to be read as a set.
	NoReactions bool
	// Commands are those that rooms are told in which the bot may set states, by the language of the room; those of the empty one are for
	// rooms whose language has none. Nil tells none.
	Commands map[string][]Command
	// Timeline is how many events of a room one sync response brings at most, before the gap is fetched; zero means 50.
	Timeline int
	// Log is nil for none.
	Log *slog.Logger
}

// Adapter connects one account on one homeserver.
type Adapter struct {
	config Config
	log    *slog.Logger

	mu      sync.Mutex
	current *run          // the Run that runs, nil while there is none
	began   chan struct{} // closed when current is set
}

// New returns an adapter that is not connected yet.
func New(c Config) *Adapter {
	if c.Timeline == 0 {
		c.Timeline = 50
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Adapter{config: c, log: c.Log.With("network", Network), began: make(chan struct{})}
}

// Network implements protocol.Adapter.
func (a *Adapter) Network() protocol.Network { return Network }

// Run logs in and follows the account until the context ends. It ends earlier where the token is no longer valid, where
// the server refuses to answer, and where what was received cannot be made durable.
func (a *Adapter) Run(ctx context.Context, to protocol.Admitter) (err error) {
	if c, ok := to.(protocol.Connectivity); ok {
		c.Connected(false) // nothing is to be sent before the own echoes are in
	}
	s, err := a.config.Connect(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer func() {
		if s.Close != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	r, err := newRun(ctx, a, s, to)
	if err != nil {
		return err
	}
	if err := a.begin(r); err != nil {
		return err
	}
	defer a.end()
	defer r.end()
	err = r.follow()
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		err = context.Cause(r.ctx) // a request has found out that the token is dead
	}
	return err
}

func (a *Adapter) begin(r *run) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current != nil {
		return errors.New("the Matrix adapter already runs")
	}
	a.current = r
	close(a.began)
	return nil
}

func (a *Adapter) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current = nil
	a.began = make(chan struct{})
}

// running returns the Run that runs, and waits for it to have caught up: what was sent in an earlier life is known from
// there on.
func (a *Adapter) running(ctx context.Context) (*run, error) {
	for {
		a.mu.Lock()
		r, began := a.current, a.began
		a.mu.Unlock()
		if r == nil {
			select {
			case <-began:
				continue
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		select {
		case <-r.caughtUp:
			return r, ctx.Err()
		case <-r.ctx.Done():
			return nil, errors.New("the connection to the homeserver has ended")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// roomID and userID put identifiers of Matrix into those of the bot, and mxRoom, mxUser and mxEvent back.

func roomID(r id.RoomID) protocol.RoomID    { return protocol.RoomID(string(Network) + ":" + string(r)) }
func userID(u id.UserID) protocol.UserID    { return protocol.UserID(string(Network) + ":" + string(u)) }
func mxRoom(r protocol.RoomID) id.RoomID    { return id.RoomID(r.Local()) }
func mxUser(u protocol.UserID) id.UserID    { return id.UserID(u.Local()) }
func mxEvent(e protocol.EventID) id.EventID { return id.EventID(e) }

// isUser reports whether a string looks like the identifier of a person: a sigil, a name and a server. Servers have admitted
// more than the grammar allows (appendix "Historical User IDs"), so only what would confuse is refused.
func isUser(u string) bool {
	return strings.HasPrefix(u, "@") && strings.Contains(u, ":") && len(u) <= 255 && protocol.CheckID(u) == nil
}

// isRoom reports whether a string looks like the identifier of a room. From room version 12 on it names no server.
func isRoom(r string) bool {
	return strings.HasPrefix(r, "!") && len(r) > 1 && len(r) <= 255 && protocol.CheckID(r) == nil
}

// server returns the server that an identifier names, zero where it names none.
func server(id string) string {
	_, s, _ := strings.Cut(id, ":")
	return s
}

func final(format string, args ...any) error {
	return &protocol.SendError{Final: true, Err: fmt.Errorf(format, args...)}
}
