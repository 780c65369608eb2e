package matrixtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

type filter struct {
	After string // the name of the state at the end; zero where it is not wanted
	Room  struct {
		State struct {
			Types []string
			Lazy  bool `json:"lazy_load_members"`
		}
		Timeline struct {
			Types []string
			Limit int
		}
	}
}

// sync answers GET /sync.
func (s *Server) sync(w http.ResponseWriter, req *http.Request, u *user) {
	q := req.URL.Query()
	since, err := position(q.Get("since"), "s")
	if err != nil {
		refuse(w, http.StatusBadRequest, "M_UNKNOWN", "bad since")
		return
	}
	if s.hasForgotten(since) {
		refuse(w, http.StatusBadRequest, "M_UNKNOWN", "there is no such position")
		return
	}
	var f filter
	if err := json.Unmarshal([]byte(q.Get("filter")), &f); err != nil && q.Get("filter") != "" {
		refuse(w, http.StatusBadRequest, "M_BAD_JSON", "bad filter")
		return
	}
	if q.Get("use_state_after") == "true" && q.Get("org.matrix.msc4222.use_state_after") == "true" {
		f.After = s.stateAfterName()
	}
	if f.Room.Timeline.Limit == 0 {
		f.Room.Timeline.Limit = 10
	}
	timeout, _ := strconv.Atoi(q.Get("timeout"))
	deadline := time.NewTimer(time.Duration(timeout) * time.Millisecond)
	defer deadline.Stop()
	for {
		s.mu.Lock()
		u.online = u.online || q.Get("set_presence") != "offline"
		if s.byToken[u.token] != u {
			s.mu.Unlock()
			refuse(w, http.StatusUnauthorized, "M_UNKNOWN_TOKEN", "the token is gone")
			return
		}
		resp, any := s.responseLocked(u, since, f)
		if any || timeout == 0 || since == 0 {
			data := s.encodeLocked(resp) // before anything of it is changed
			s.mu.Unlock()
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(data)
			return
		}
		s.polls[u.id] = s.head
		changed := s.changed
		s.mu.Unlock()
		s.wake()
		select {
		case <-changed:
		case <-deadline.C:
			timeout = 0
		case <-req.Context().Done():
			return
		}
		if f := s.takeFault(req); f != nil {
			f.answer(w)
			return
		}
	}
}

// wake lets those look again who wait for polls, without telling polls that there is anything new.
func (s *Server) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.polled)
	s.polled = make(chan struct{})
}

// responseLocked makes the response for what has happened after a position, and reports whether anything has.
func (s *Server) responseLocked(u *user, since int, f filter) (map[string]any, bool) {
	join, invite, leave := map[string]any{}, map[string]any{}, map[string]any{}
	var data []any
	for kind, d := range u.data {
		if d.pos > since {
			data = append(data, map[string]any{"type": kind, "content": d.value})
		}
	}
	head := s.head
	for id, r := range s.rooms {
		switch own := r.ownSince(u.id, since); r.membership(u.id) {
		case "join":
			if s.invite[id] > since && since > 0 {
				invite[id] = r.invitation(u.id)
			}
			if at := slices.IndexFunc(own, isJoin); s.retires && since > 0 && at >= 0 {
				s.retires, head = false, own[at].pos-1
				leave[id] = r.madeUpLeave(u)
			} else if s.early && since > 0 && at >= 0 {
				s.early, head = false, own[at].pos-1
				join[id] = s.earlyLocked(r, u, head, f)
			} else if sec := s.joinedLocked(r, u, since, own, f); sec != nil {
				join[id] = sec
			}
		case "invite":
			if len(own) > 0 || since == 0 {
				invite[id] = r.invitation(u.id)
			}
		default:
			if len(own) > 0 && since > 0 {
				leave[id] = r.left(u, since, own, f)
			}
		}
	}
	resp := map[string]any{
		"next_batch":   fmt.Sprintf("s%d", head),
		"account_data": map[string]any{"events": data},
		"rooms":        map[string]any{"join": join, "invite": invite, "leave": leave},
	}
	secrets, news := s.secretsLocked(u, since)
	maps.Copy(resp, secrets)
	return resp, news || len(data)+len(join)+len(invite)+len(leave) > 0
}

// ownSince returns what has changed about somebody's own membership after a position.
func (r *room) ownSince(user string, since int) (own []*entry) {
	for _, e := range r.events {
		if k, ok := e.key(); ok && e.pos > since && k == user && e.kind() == "m.room.member" {
			own = append(own, e)
		}
	}
	return own
}

// isJoin reports whether an own event begins a stay.
func isJoin(e *entry) bool {
	unsigned, _ := e.fields["unsigned"].(map[string]any)
	before, _ := unsigned["prev_content"].(map[string]any)
	return e.content()["membership"] == "join" && before["membership"] != "join"
}

func (s *Server) joinedLocked(r *room, u *user, since int, own []*entry, f filter) map[string]any {
	fresh := since == 0 || slices.ContainsFunc(own, isJoin)
	from := since
	if fresh {
		from = 0 // as Dendrite and Synapse do, the timeline is told from anew
	}
	shown := r.shown(u, from, 1<<62, f)
	limit := f.Room.Timeline.Limit
	limited := fresh
	if len(shown) > limit {
		shown, limited = shown[len(shown)-limit:], true
	}
	start := 1 << 62 // position at which the timeline begins
	if len(shown) > 0 {
		start = shown[0].pos
	} else if fresh {
		start = r.events[len(r.events)-1].pos + 1
	}
	speaking := map[any]bool{u.id: true}
	for _, e := range shown {
		speaking[e.fields["sender"]] = true
	}
	shows := func(e *entry) bool {
		k, _ := e.key()
		lazy := (fresh || s.hide) && f.Room.State.Lazy && e.kind() == "m.room.member" && !speaking[k]
		return match(f.Room.State.Types, e.kind()) && !lazy
	}
	var state []any
	for _, e := range r.changedBefore(from, start) {
		if shows(e) {
			state = append(state, r.show(e, u))
		}
	}
	if own := r.state[stateKey("m.room.member", u.id)]; fresh && f.Room.State.Lazy && own != nil && own.pos >= start {
		state = append(state, r.show(own, u)) // beside the timeline, as Dendrite does (observed)
	}
	timeline := r.showAll(shown, u)
	for _, d := range r.extra {
		if d.pos > since {
			timeline = append(timeline, r.show(d.entry, u))
		}
	}
	if !fresh && len(timeline)+len(state) == 0 {
		return nil
	}
	count := 0
	for _, e := range r.state {
		if e.kind() == "m.room.member" && e.content()["membership"] == "join" {
			count++
		}
	}
	summary := map[string]any{"m.joined_member_count": count}
	if s.silent {
		summary = map[string]any{}
	}
	name := "state"
	if f.After != "" {
		for _, e := range shown {
			if k, ok := e.key(); ok {
				speaking[k] = true
			}
		}
		name, state = f.After, r.showAll(r.stateAfter(from, shows), u)
	}
	return map[string]any{
		"summary":  summary,
		name:       map[string]any{"events": state},
		"timeline": map[string]any{"events": timeline, "limited": limited, "prev_batch": fmt.Sprintf("t%d", start)},
	}
}

// earlyLocked shows a room as joined up to a position that lies before the join.
func (s *Server) earlyLocked(r *room, u *user, end int, f filter) map[string]any {
	return map[string]any{"timeline": map[string]any{"events": r.showAll(r.shown(u, 0, end, f), u), "limited": false, "prev_batch": "t0"}}
}

// madeUpLeave is how Dendrite tells that an invitation is over: its id is made of the room and the person, so it is the same each time.
func (r *room) madeUpLeave(u *user) map[string]any {
	leave := map[string]any{
		"event_id": "$made-up-" + strings.TrimPrefix(r.id, "!"), "type": "m.room.member", "sender": u.id, "state_key": u.id,
		"origin_server_ts": time.Now().UnixMilli(), "content": map[string]any{"membership": "leave"},
	}
	return map[string]any{"timeline": map[string]any{"events": []any{leave}}}
}

// shown returns the events of the timeline behind one position and up to another.
func (r *room) shown(_ *user, from, to int, f filter) (shown []*entry) {
	for _, e := range r.events {
		if e.pos > from && e.pos <= to && !e.quiet && (e.raw != nil || match(f.Room.Timeline.Types, e.kind())) {
			shown = append(shown, e)
		}
	}
	return shown
}

// changedBefore returns the states as they were at the beginning of a timeline, of those that have changed behind a
// position. What never comes in a timeline comes here.
func (r *room) changedBefore(from, start int) (out []*entry) {
	last := map[string]*entry{}
	var order []string
	for _, e := range r.events {
		k, ok := e.key()
		if !ok || e.pos <= from || e.pos >= start && !e.quiet {
			continue
		}
		name := stateKey(e.kind(), k)
		if last[name] == nil {
			order = append(order, name)
		}
		last[name] = e
	}
	for _, name := range order {
		out = append(out, last[name])
	}
	return out
}

func (r *room) left(u *user, since int, own []*entry, f filter) map[string]any {
	end := own[len(own)-1].pos
	shown := r.shown(u, since, end, f)
	limit := f.Room.Timeline.Limit
	limited := len(shown) > limit
	if limited {
		shown = shown[len(shown)-limit:]
	}
	return map[string]any{"timeline": map[string]any{"events": r.showAll(shown, u), "limited": limited, "prev_batch": fmt.Sprintf("t%d", since)}}
}

// invitation shows the state of a room to somebody who is invited, most of it without ids.
func (r *room) invitation(user string) map[string]any {
	var events []any
	for _, kind := range []string{"m.room.create", "m.room.join_rules", "m.room.name", "m.room.encryption"} {
		if e := r.state[stateKey(kind, "")]; e != nil {
			events = append(events, map[string]any{"type": kind, "state_key": "", "sender": e.fields["sender"], "content": e.content()})
		}
	}
	for _, e := range slices.Backward(r.events) {
		if k, ok := e.key(); ok && k == user && e.kind() == "m.room.member" && e.content()["membership"] == "invite" {
			events = append(events, e.fields)
			break
		}
	}
	return map[string]any{"invite_state": map[string]any{"events": events}}
}

func (r *room) showAll(events []*entry, u *user) []any {
	out := []any{}
	for _, e := range events {
		out = append(out, r.show(e, u))
	}
	return out
}

// show is an event as an account gets it: the one who has sent it gets its transaction id.
func (r *room) show(e *entry, u *user) any {
	if e.raw != nil {
		return placeholder(e.pos)
	}
	if e.by != u || e.txn == "" {
		return e.fields
	}
	out := map[string]any{}
	for k, v := range e.fields {
		out[k] = v
	}
	unsigned := map[string]any{"transaction_id": e.txn}
	if had, ok := e.fields["unsigned"].(map[string]any); ok {
		for k, v := range had {
			unsigned[k] = v
		}
	}
	out["unsigned"] = unsigned
	return out
}

// placeholder stands for an event that is injected as it is, which encoding/json might refuse.
func placeholder(pos int) string { return fmt.Sprintf("@@%d@@", pos) }

// encodeLocked encodes a response, injected events among it.
func (s *Server) encodeLocked(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // it is made of maps, strings and numbers
	}
	for pos, raw := range s.injected {
		data = bytes.ReplaceAll(data, []byte(`"`+placeholder(pos)+`"`), []byte(raw))
	}
	return data
}

func match(types []string, kind string) bool { return len(types) == 0 || slices.Contains(types, kind) }

// position reads a token; zero means the beginning.
func position(token, prefix string) (int, error) {
	if token == "" {
		return 0, nil
	}
	return strconv.Atoi(strings.TrimPrefix(token, prefix))
}
