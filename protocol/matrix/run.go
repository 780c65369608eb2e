package matrix

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
)

// cursorName is the name of the cursor. Its value is the account, a space, and the sync token.
const cursorName = "matrix"

// run is one call of Run.
type run struct {
	adapter    *Adapter
	log        *slog.Logger
	client     *mautrix.Client
	encryption Encryption // nil where there is none
	rooms      Rooms
	to         protocol.Admitter
	self       id.UserID

	ctx      context.Context
	stop     context.CancelCauseFunc
	caughtUp chan struct{} // closed when the first response is admitted
	members  pacer         // of readings of members

	began time.Time
	// late is when no own echo of an earlier life can come any more; it is set when the first response is admitted, before
	// caughtUp is closed.
	late time.Time

	// owned by the goroutine of follow
	since   string
	backlog bool // whether what comes next was missed
	online  bool
	full    bool           // whether there is no room for keys
	tries   map[string]int // how often something was asked for in vain
	name    string         // display name of the bot, by which people address it

	saving sync.Mutex // held while m.direct is written

	mu       sync.Mutex
	places   map[id.RoomID]*place // of the rooms that something is known of in this run
	direct   directRooms
	receipts map[string]protocol.Ref // of own echoes until late, by key and part
	via      map[protocol.RoomID][]string
	opening  map[protocol.UserID]*sync.Mutex

	background sync.WaitGroup
	ended      bool // whether nothing may begin in the background any more; guarded by mu
}

// place is what this run knows of a room beyond what is recorded.
type place struct {
	direct    bool // the invitation said so
	joined    int  // members, the bot included; -1 where it is not known
	plain     bool // the server has said that the room is not encrypted
	encrypted bool // the server has said that it is
	invited   map[id.UserID]bool
	listed    bool // whether invited is whole
}

func newRun(ctx context.Context, a *Adapter, s *Session, to protocol.Admitter) (*run, error) {
	saved, err := to.Cursor(cursorName)
	if err != nil {
		return nil, fmt.Errorf("read the cursor: %w", err)
	}
	account, since, _ := strings.Cut(saved, " ")
	if saved != "" && account != string(s.Client.UserID) {
		return nil, fmt.Errorf("the data folder belongs to the account %s, and this one is %s: give the bot another data folder, or the old account back", account, s.Client.UserID)
	}
	r := &run{
		adapter: a, log: a.log, client: s.Client, encryption: s.Encryption, rooms: a.config.Rooms, to: to,
		self: s.Client.UserID, since: since, began: time.Now(), caughtUp: make(chan struct{}),
		members: pacer{gap: memberGap}, tries: map[string]int{},
		places: map[id.RoomID]*place{}, direct: directRooms{}, receipts: map[string]protocol.Ref{},
		via: map[protocol.RoomID][]string{}, opening: map[protocol.UserID]*sync.Mutex{},
	}
	r.ctx, r.stop = context.WithCancelCause(ctx)
	return r, nil
}

// placeLocked returns what is known of a room, made if need be. The caller holds mu.
func (r *run) placeLocked(room id.RoomID) *place {
	p := r.places[room]
	if p == nil {
		p = &place{joined: -1}
		r.places[room] = p
	}
	return p
}

// learn reads what stands on the account rather than in rooms. What cannot be read now is read with the next change
// of it.
func (r *run) learn() error {
	var profile struct {
		Name word `json:"displayname"`
	}
	err := r.request(r.ctx, http.MethodGet, mautrix.ClientURLPath{"v3", "profile", r.self}, nil, nil, &profile)
	if status, _ := answer(err); err != nil && (status == 0 || status >= 500 || status == http.StatusTooManyRequests) {
		return err
	}
	r.name = protocol.OneLine(string(profile.Name))
	var direct map[id.UserID]words
	err = r.request(r.ctx, http.MethodGet, mautrix.ClientURLPath{"v3", "user", r.self, "account_data", "m.direct"}, nil, nil, &direct)
	switch {
	case err == nil:
		r.mu.Lock()
		r.direct = newDirectRooms(direct)
		r.mu.Unlock()
	case !isCode(err, mautrix.MNotFound):
		return err
	}
	return nil
}

// begin runs f in the background, until the Run ends at the latest.
func (r *run) begin(f func(context.Context)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		r.background.Go(func() { f(r.ctx) })
	}
}

// end ends what runs in the background.
func (r *run) end() {
	r.stop(nil)
	r.mu.Lock()
	r.ended = true
	r.mu.Unlock()
	r.background.Wait()
}

// pacer lets requests through one after another with a gap between them. The zero gap lets all through.
type pacer struct {
	gap  time.Duration
	mu   sync.Mutex
	next time.Time
}

// memberGap is the time between two readings of the members of rooms: a bot in a thousand rooms reads them all within a
// minute of its first start.
const memberGap = 50 * time.Millisecond

// wait returns when it is the turn of the caller.
func (p *pacer) wait(ctx context.Context) error {
	p.mu.Lock()
	now := time.Now()
	at := p.next
	if at.Before(now) {
		at = now
	}
	p.next = at.Add(p.gap)
	p.mu.Unlock()
	if at.Equal(now) {
		return ctx.Err()
	}
	return sleep(ctx, at.Sub(now))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
