package matrixtest

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// Name is the name of the server in identifiers.
const Name = "fake.test"

// Server is a homeserver. It is safe for concurrent use.
type Server struct {
	*httptest.Server

	mu      sync.Mutex
	now     time.Time
	rooms   map[string]*room
	byToken map[string]*user
	users   map[string]*user
	head    int // position of the last thing that happened
	changed chan struct{}
	faults  []*fault
	log     []string
	polls   map[string]int // the position at which a poll of a user waits
	polled  chan struct{}  // closed when another one waits
	typed   chan struct{}  // closed when somebody begins or ends to type
	asked   chan struct{}  // closed when a request comes
	accept  bool
	overrun bool
	hide    bool
	silent  bool
	early   bool           // see EarlyJoin
	retires bool           // see RetireFirst
	mum     bool           // see HideBefore
	invite  map[string]int // see InviteAgain
	after   string         // see TellStateAfter
	losing  bool           // see Lose
	lost    int            // see Forget
	behind  sync.WaitGroup // requests that are carried out behind their connection

	files    map[string]Uploaded // by their addresses
	injected map[int]string      // events that are given as they are, by position
}

type user struct {
	id, name, token, device string
	password, avatar        string
	rules                   map[string]bool // push rules that were switched on or off
	online                  bool            // whether a sync has shown it so
	data                    map[string]stamped
	txns                    map[string]string // what a transaction id has made
	devices                 map[string]*device
	identity                map[string]map[string]any // the public keys of the account, by master_keys and so on
	rekeyed                 int                       // position at which devices or identity have changed last
}

type stamped struct {
	pos   int
	value json.RawMessage
}

type room struct {
	id     string
	events []*entry          // in the order of the timeline
	state  map[string]*entry // by type and key
	typing map[string]bool
	read   map[string]string // by the receipts of people
	extra  []delivery        // what is delivered although it is not new
}

// delivery is an event that a sync gets beside what is new.
type delivery struct {
	pos   int
	entry *entry
}

// entry is an event.
type entry struct {
	pos    int
	id     string
	fields map[string]any
	raw    json.RawMessage // in place of fields
	txn    string
	by     *user
	quiet  bool // comes only as state
	gone   bool // redacted
}

// Event is an event as people see it.
type Event struct {
	ID, Type, Sender string
	Key              *string
	Content          map[string]any
}

// New starts a server that runs until Close.
func New() *Server {
	s := &Server{
		now: time.Now(), rooms: map[string]*room{}, byToken: map[string]*user{}, users: map[string]*user{},
		changed: make(chan struct{}), polled: make(chan struct{}), typed: make(chan struct{}), asked: make(chan struct{}), polls: map[string]int{}, injected: map[int]string{},
		invite: map[string]int{}, files: map[string]Uploaded{},
	}
	s.Server = httptest.NewServer(s.handler())
	return s
}

// ID returns the identifier of a person of the server.
func ID(local string) string { return "@" + local + ":" + Name }

// Account makes an account. Its token is the name behind "token-", its password that behind "secret-".
func (s *Server) Account(local, name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := &user{
		id: ID(local), name: name, token: "token-" + local, device: "DEVICE", password: "secret-" + local,
		rules: map[string]bool{}, data: map[string]stamped{}, txns: map[string]string{}, devices: map[string]*device{}, identity: map[string]map[string]any{},
	}
	s.users[u.id], s.byToken[u.token] = u, u
	return u.id
}

// Rename gives an account another display name.
func (s *Server) Rename(id, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[id].name = name
}

// Profile returns the display name of an account, and where its picture is.
func (s *Server) Profile(id string) (name, avatar string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.users[id].name, s.users[id].avatar
}

// Online reports whether an account was ever shown as online, as a sync does that does not say otherwise.
func (s *Server) Online(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.users[id].online
}

// Rule reports whether an account has switched a push rule on.
func (s *Server) Rule(id, rule string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.users[id].rules[rule]
}

// ReadUpTo returns up to which event somebody has read a room, by their receipts.
func (s *Server) ReadUpTo(in, who string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rooms[in].read[who]
}

// Revoke makes the token of an account worthless.
func (s *Server) Revoke(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byToken, s.users[id].token)
	s.tellLocked()
}

// ForgetTransactions lets the server forget transaction ids, as a restart does of one that keeps them in memory.
func (s *Server) ForgetTransactions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.users {
		clear(u.txns)
	}
	for _, r := range s.rooms {
		for _, e := range r.events {
			e.txn = ""
		}
	}
}

// Overrun lets pages of the past go on beyond where they were asked to end, as Dendrite does (observed).
func (s *Server) Overrun(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.overrun = on
}

// HideMoves keeps back who came and went in a gap, as servers do that show only the members who have said something since.
func (s *Server) HideMoves(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hide = on
}

// EarlyJoin makes the next sync after a join of the account show the room as joined, and not yet the join: that comes with
// the sync behind it.
func (s *Server) EarlyJoin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.early = true
}

// RetireFirst makes the next sync after a join of the account that was invited tell that the invitation is over by a leave that nobody
// has sent, as Dendrite does where it retires the invitation before it has taken in the join; that comes with the sync behind it.
func (s *Server) RetireFirst() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retires = true
}

// HideBefore lets states not say what they replace, from here on.
func (s *Server) HideBefore(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mum = on
}

// HideCounts leaves out of syncs how many are in a room.
func (s *Server) HideCounts(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = on
}

// Carried returns when the requests are carried out that went on behind their connections.
func (s *Server) Carried() {
	s.mu.Lock() // to come behind the Add of a request whose connection has ended
	behind := &s.behind
	s.mu.Unlock()
	behind.Wait()
}

// Accept lets people join at once when they are asked into a conversation of two.
func (s *Server) Accept(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accept = on
}

func (s *Server) tellLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func stateKey(kind, key string) string { return kind + "\x00" + key }

// addLocked puts an event into a room.
func (s *Server) addLocked(r *room, by, kind string, key *string, content any) *entry {
	s.head++
	s.now = s.now.Add(time.Millisecond)
	e := &entry{pos: s.head, id: fmt.Sprintf("$%d", s.head), by: s.users[by]}
	e.fields = map[string]any{
		"event_id": e.id, "type": kind, "sender": by, "content": content, "origin_server_ts": s.now.UnixMilli(),
	}
	if key != nil {
		e.fields["state_key"] = *key
		if before := r.state[stateKey(kind, *key)]; before != nil {
			if !s.mum {
				e.fields["unsigned"] = map[string]any{"prev_content": before.fields["content"]}
			}
		}
		if !s.losing {
			r.state[stateKey(kind, *key)] = e
		}
	}
	r.events = append(r.events, e)
	s.tellLocked()
	return e
}

func (e *entry) kind() string {
	k, _ := e.fields["type"].(string)
	return k
}

func (e *entry) key() (string, bool) {
	k, ok := e.fields["state_key"].(string)
	return k, ok
}

func (e *entry) content() map[string]any {
	c, _ := e.fields["content"].(map[string]any)
	return c
}

func (r *room) membership(user string) string {
	e := r.state[stateKey("m.room.member", user)]
	if e == nil {
		return "leave"
	}
	m, _ := e.content()["membership"].(string)
	return m
}

// Create makes a room with its creator in it and returns its id. Content of further states goes by type.
func (s *Server) Create(by, name string, states map[string]map[string]any) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.createLocked(by, name, states).id
}

func (s *Server) createLocked(by, name string, states map[string]map[string]any) *room {
	r := &room{id: fmt.Sprintf("!room%d:%s", len(s.rooms)+1, Name), state: map[string]*entry{}, typing: map[string]bool{}, read: map[string]string{}}
	s.rooms[r.id] = r
	none := ""
	s.addLocked(r, by, "m.room.create", &none, map[string]any{"room_version": "10", "creator": by})
	s.addLocked(r, by, "m.room.member", &by, map[string]any{"membership": "join", "displayname": s.users[by].name})
	s.addLocked(r, by, "m.room.power_levels", &none, map[string]any{"users": map[string]any{by: 100}, "kick": 50})
	s.addLocked(r, by, "m.room.join_rules", &none, map[string]any{"join_rule": "invite"})
	if name != "" {
		s.addLocked(r, by, "m.room.name", &none, map[string]any{"name": name})
	}
	for kind, content := range states {
		s.addLocked(r, by, kind, &none, content)
	}
	return r
}

// Send sends an event and returns its id.
func (s *Server) Send(in, by, kind string, content map[string]any) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addLocked(s.rooms[in], by, kind, nil, content).id
}

// Say sends a text and returns its id.
func (s *Server) Say(in, by, text string) string {
	return s.Send(in, by, "m.room.message", map[string]any{"msgtype": "m.text", "body": text})
}

// State sets a state and returns the id of its event.
func (s *Server) State(in, by, kind, key string, content map[string]any) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addLocked(s.rooms[in], by, kind, &key, content).id
}

// Member sets what somebody is to a room: "join", "leave", "ban", "invite" or "knock".
func (s *Server) Member(in, by, who, membership string, more map[string]any) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memberLocked(s.rooms[in], by, who, membership, more).id
}

func (s *Server) memberLocked(r *room, by, who, membership string, more map[string]any) *entry {
	content := map[string]any{"membership": membership}
	if u := s.users[who]; u != nil && (membership == "join" || membership == "invite") {
		content["displayname"] = u.name
	}
	for k, v := range more {
		content[k] = v
	}
	return s.addLocked(r, by, "m.room.member", &who, content)
}

// Quietly sets what somebody is to a room so that a sync shows it as state alone, and never in the timeline.
func (s *Server) Quietly(in, by, who, membership string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.memberLocked(s.rooms[in], by, who, membership, nil)
	e.quiet = true
	return e.id
}

// Inject puts an event into the timeline exactly as it is given.
func (s *Server) Inject(in string, raw string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.head++
	r := s.rooms[in]
	r.events = append(r.events, &entry{pos: s.head, raw: json.RawMessage(raw), fields: map[string]any{}})
	s.injected[s.head] = raw
	s.tellLocked()
}

// Again delivers an event once more, in the timeline of the next sync.
func (s *Server) Again(in, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.head++
	r := s.rooms[in]
	for _, e := range r.events {
		if e.id == id {
			r.extra = append(r.extra, delivery{pos: s.head, entry: e})
		}
	}
	s.tellLocked()
}

// Redact removes an event and returns the id of the removal.
func (s *Server) Redact(in, by, target, reason string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.redactLocked(s.rooms[in], by, target, reason).id
}

func (s *Server) redactLocked(r *room, by, target, reason string) *entry {
	content := map[string]any{}
	if reason != "" {
		content["reason"] = reason
	}
	e := s.addLocked(r, by, "m.room.redaction", nil, content)
	e.fields["redacts"] = target
	for _, t := range r.events {
		if t.id == target {
			t.gone = true
			t.fields["content"] = map[string]any{}
			t.fields["unsigned"] = map[string]any{"redacted_because": e.fields}
		}
	}
	return e
}

// Timeline returns the events of a room in order, without those that were redacted.
func (s *Server) Timeline(in string) (events []Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[in]
	if r == nil {
		return nil
	}
	for _, e := range r.events {
		if e.gone || e.raw != nil {
			continue
		}
		ev := Event{ID: e.id, Type: e.kind(), Content: e.content()}
		ev.Sender, _ = e.fields["sender"].(string)
		if k, ok := e.key(); ok {
			ev.Key = &k
		}
		events = append(events, ev)
	}
	return events
}

// Data returns what an account keeps under a type, as JSON; zero where it keeps nothing.
func (s *Server) Data(who, kind string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.users[who].data[kind].value)
}

// DropData takes away what an account keeps under a type.
func (s *Server) DropData(who, kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.users[who].data, kind)
}

// Membership returns what somebody is to a room.
func (s *Server) Membership(in, who string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rooms[in].membership(who)
}

// Rooms returns the rooms in which somebody has one of the memberships.
func (s *Server) Rooms(who string, memberships ...string) (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range len(s.rooms) {
		id := fmt.Sprintf("!room%d:%s", i+1, Name)
		for _, m := range memberships {
			if s.rooms[id].membership(who) == m && s.rooms[id].state[stateKey("m.room.member", who)] != nil {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// Requests returns the requests that came so far, each as its method and path.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.log...)
}

// Polled returns when a poll of the account waits for more than what has happened up to now.
func (s *Server) Polled(id string, done <-chan struct{}) bool {
	for {
		s.mu.Lock()
		ok, changed := s.polls[id] >= s.head, s.polled
		s.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-done:
			return false
		}
	}
}

// Typed returns when somebody is shown to be typing in a room, or no longer is.
func (s *Server) Typed(in, who string, on bool, done <-chan struct{}) bool {
	for {
		s.mu.Lock()
		ok, typed := s.rooms[in].typing[who] == on, s.typed
		s.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-typed:
		case <-done:
			return false
		}
	}
}

// Count returns how many requests have come whose method and path contain match.
func (s *Server) Count(match string) (n int) {
	for _, r := range s.Requests() {
		if strings.Contains(r, match) {
			n++
		}
	}
	return n
}

// Asked returns when at least n requests have come whose method and path contain match.
func (s *Server) Asked(match string, n int, done <-chan struct{}) bool {
	for {
		s.mu.Lock()
		found, asked := 0, s.asked
		for _, r := range s.log {
			if strings.Contains(r, match) {
				found++
			}
		}
		s.mu.Unlock()
		if found >= n {
			return true
		}
		select {
		case <-asked:
		case <-done:
			return false
		}
	}
}
