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

	"moot/internal/generation"
	"moot/internal/pause"
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
	full    bool             // whether there is no room for keys
	tries   map[string]int   // how often each request has failed
	name    string           // display name of the bot, by which people address it
	renamed bool             // whether it may be another by now
	own     generation.Claim // what this Run has left on the account; zero where it has not, or cannot
	asking  map[speaker]bool
	// declined is when somebody was last told that the bot cannot be verified.
	declined map[speaker]time.Time
	// undecrypted are the rooms in which something could not be decrypted.
	undecrypted map[id.RoomID]bool

	fault func(error) error // of the Session

	saving sync.Mutex // held while m.direct is written

	mu          sync.Mutex
	places      map[id.RoomID]*place // of the rooms that something is known of in this run
	direct      directRooms
	receipts    map[string]protocol.Ref  // of own echoes until late, by key and part
	read        map[id.RoomID]id.EventID // up to where rooms are handled of which no receipt was sent
	via         map[protocol.RoomID][]string
	undescribed map[id.RoomID]bool   // of which it is to be seen whether they know the commands
	describedIn map[id.RoomID]string // in which language it was seen last
	opening     map[protocol.UserID]*sync.Mutex

	unread     chan struct{} // says that there is something in read
	describing chan struct{} // says that there is something in undescribed
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
		return nil, protocol.Ends(protocol.RetryNever, fmt.Errorf("the data folder belongs to the account %s, and this one is %s: give the bot another data folder, or the old account back", account, s.Client.UserID))
	}
	r := &run{
		adapter: a, log: a.log, client: s.Client, encryption: s.Encryption, rooms: a.config.Rooms, to: to,
		self: s.Client.UserID, fault: s.Fault, since: since, began: time.Now(), caughtUp: make(chan struct{}),
		members: pacer{gap: memberGap}, tries: map[string]int{},
		places: map[id.RoomID]*place{}, direct: directRooms{}, receipts: map[string]protocol.Ref{},
		via: map[protocol.RoomID][]string{}, opening: map[protocol.UserID]*sync.Mutex{},
		read: map[id.RoomID]id.EventID{}, unread: make(chan struct{}, 1),
		undescribed: map[id.RoomID]bool{}, describedIn: map[id.RoomID]string{}, describing: make(chan struct{}, 1),
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
	avatar, err := r.learnProfile()
	if err != nil {
		return err
	}
	var direct map[id.UserID]words
	err = r.request(r.ctx, http.MethodGet, mautrix.ClientURLPath{"v3", "user", r.self, "account_data", "m.direct"}, nil, nil, &direct)
	err = r.without("private conversations", err)
	if status, code := answer(err); status == http.StatusNotFound && code == "" { // by something before the server, or for ever
		err = r.persist("read which are private of", "", err)
	}
	if err != nil && !isCode(err, mautrix.MNotFound) {
		return err
	}
	if err := r.learnMarks(direct); err != nil {
		return err
	}
	r.present(r.name, avatar)
	r.begin(r.countNothing)
	r.begin(r.tellRead)
	if len(r.adapter.config.Commands) > 0 {
		r.begin(r.describe)
	}
	return nil
}

// countNothing switches notifications off on the account (Client-Server API, "Push notifications", the rule .m.rule.master):
// the server would count what is unread in each room for ever, since the bot reads nothing as a person does.
func (r *run) countNothing(ctx context.Context) {
	path := mautrix.ClientURLPath{"v3", "pushrules", "global", "override", ".m.rule.master", "enabled"}
	err := r.request(ctx, http.MethodPut, path, nil, map[string]any{"enabled": true}, nil)
	if err != nil && ctx.Err() == nil {
		r.log.Debug("notifications could not be switched off", "err", err) // they do no harm
	}
}

// begin runs f in the background, until the Run ends at the latest.
func (r *run) begin(f func(context.Context)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		r.background.Go(func() {
			err := protocol.Guard(func() error {
				f(r.ctx)
				return nil
			})
			if err != nil {
				r.stop(err)
			}
		})
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
	return pause.Sleep(ctx, at.Sub(now))
}
