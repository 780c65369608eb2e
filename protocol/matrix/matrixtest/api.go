package matrixtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
)

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errcode": code, "error": text})
}

// api is a call of the API by somebody who is logged in.
type api func(s *Server, w http.ResponseWriter, req *http.Request, u *user, body map[string]any)

func (s *Server) handler() http.Handler {
	const v3 = "/_matrix/client/v3/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_matrix/client/versions", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"versions": []string{"v1.2", "v1.11"}})
	})
	mux.HandleFunc("GET "+v3+"login", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"flows": []any{map[string]any{"type": "m.login.password"}}})
	})
	mux.HandleFunc("POST "+v3+"login", s.login)
	mux.HandleFunc("POST /_matrix/media/v3/upload", s.upload)
	mux.HandleFunc("GET "+v3+"sync", func(w http.ResponseWriter, req *http.Request) {
		if u := s.caller(w, req); u != nil {
			s.sync(w, req, u)
		}
	})
	for pattern, call := range map[string]api{
		"GET " + v3 + "account/whoami":                                       whoami,
		"GET " + v3 + "joined_rooms":                                         joinedRooms,
		"GET " + v3 + "devices/{device}":                                     ownDevice,
		"GET " + v3 + "profile/{user}":                                       profile,
		"PUT " + v3 + "profile/{user}/{field}":                               putProfile,
		"PUT " + v3 + "pushrules/global/override/{rule}/enabled":             setRule,
		"POST " + v3 + "rooms/{room}/receipt/m.read/{event}":                 receipt,
		"GET " + v3 + "user/{user}/account_data/{type}":                      getData,
		"PUT " + v3 + "user/{user}/account_data/{type}":                      putData,
		"GET " + v3 + "rooms/{room}/joined_members":                          joinedMembers,
		"GET " + v3 + "rooms/{room}/members":                                 members,
		"GET " + v3 + "rooms/{room}/state":                                   allState,
		"GET " + v3 + "rooms/{room}/state/{type}":                            state,
		"GET " + v3 + "rooms/{room}/state/{type}/{$}":                        state,
		"GET " + v3 + "rooms/{room}/state/{type}/{key}":                      state,
		"GET " + v3 + "rooms/{room}/messages":                                messages,
		"PUT " + v3 + "rooms/{room}/send/{type}/{txn}":                       send,
		"PUT " + v3 + "rooms/{room}/state/{type}/{key}":                      putState,
		"PUT " + v3 + "rooms/{room}/state/{type}":                            putState,
		"PUT " + v3 + "rooms/{room}/redact/{event}/{txn}":                    redact,
		"PUT " + v3 + "rooms/{room}/typing/{user}":                           typing,
		"POST " + v3 + "rooms/{room}/leave":                                  leave,
		"POST " + v3 + "rooms/{room}/kick":                                   kick,
		"POST " + v3 + "rooms/{room}/invite":                                 invite,
		"POST " + v3 + "join/{room}":                                         join,
		"POST " + v3 + "createRoom":                                          create,
		"POST " + v3 + "keys/upload":                                         uploadKeys,
		"POST " + v3 + "keys/query":                                          queryKeys,
		"POST " + v3 + "keys/claim":                                          claimKeys,
		"POST " + v3 + "keys/device_signing/upload":                          uploadIdentity,
		"POST " + v3 + "keys/signatures/upload":                              signKeys,
		"PUT " + v3 + "sendToDevice/{type}/{txn}":                            sendToDevice,
		"GET /_matrix/client/v1/rooms/{room}/relations/{event}/{rel}/{type}": relations,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
			u := s.caller(w, req)
			if u == nil {
				return
			}
			var body map[string]any
			if req.Method != http.MethodGet {
				data, _ := io.ReadAll(req.Body)
				if json.Unmarshal(data, &body) != nil {
					refuse(w, http.StatusBadRequest, "M_NOT_JSON", "not JSON")
					return
				}
				if len(data) > 64<<10 {
					refuse(w, http.StatusRequestEntityTooLarge, "M_TOO_LARGE", "too large")
					return
				}
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			call(s, w, req, u, body)
		})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		s.mu.Lock()
		s.log = append(s.log, req.Method+" "+req.URL.Path)
		close(s.asked)
		s.asked = make(chan struct{})
		s.mu.Unlock()
		f := s.takeFault(req)
		switch {
		case f == nil:
			mux.ServeHTTP(w, req)
		case f.Hold != nil:
			select {
			case <-f.Hold:
				mux.ServeHTTP(w, req)
			case <-req.Context().Done():
			}
		case f.Behind != nil:
			data, _ := io.ReadAll(req.Body)
			later := req.Clone(context.WithoutCancel(req.Context()))
			later.Body = io.NopCloser(bytes.NewReader(data))
			s.mu.Lock()
			s.behind.Add(1) // before the connection ends: whoever sees that may wait for it
			s.mu.Unlock()
			cut(w)
			go func() {
				defer s.behind.Done()
				<-f.Behind
				mux.ServeHTTP(httptest.NewRecorder(), later)
			}()
		case f.Late:
			mux.ServeHTTP(httptest.NewRecorder(), req)
			cut(w)
		case f.Garble:
			rec := httptest.NewRecorder()
			mux.ServeHTTP(rec, req)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
		case f.Change != nil:
			rec := httptest.NewRecorder()
			mux.ServeHTTP(rec, req)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(rec.Code)
			_, _ = w.Write(f.Change(rec.Body.Bytes()))
		default:
			f.answer(w)
		}
	})
}

// caller returns who makes a request, nil where it is refused.
func (s *Server) caller(w http.ResponseWriter, req *http.Request) *user {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.byToken[strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")]
	if u == nil {
		refuse(w, http.StatusUnauthorized, "M_UNKNOWN_TOKEN", "unknown token")
	}
	return u
}

func (s *Server) login(w http.ResponseWriter, req *http.Request) {
	var body struct {
		Identifier struct{ User string }
		Password   string
		DeviceID   string `json:"device_id"`
	}
	_ = json.NewDecoder(req.Body).Decode(&body)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[body.Identifier.User]
	if u == nil {
		u = s.users[ID(body.Identifier.User)]
	}
	if u == nil || u.password != body.Password {
		refuse(w, http.StatusForbidden, "M_FORBIDDEN", "wrong user or password")
		return
	}
	if body.DeviceID != "" {
		u.device = body.DeviceID
	} else if d := u.devices[u.device]; d != nil && d.keys != nil {
		u.device += "-NEXT" // a login that names no device gets one of its own
	}
	s.byToken[u.token] = u
	reply(w, map[string]any{"user_id": u.id, "access_token": u.token, "device_id": u.device})
}

func whoami(_ *Server, w http.ResponseWriter, _ *http.Request, u *user, _ map[string]any) {
	reply(w, map[string]any{"user_id": u.id, "device_id": u.device})
}

func joinedRooms(s *Server, w http.ResponseWriter, _ *http.Request, u *user, _ map[string]any) {
	ids := []string{}
	for id, r := range s.rooms {
		if r.membership(u.id) == "join" {
			ids = append(ids, id)
		}
	}
	reply(w, map[string]any{"joined_rooms": ids})
}

func ownDevice(_ *Server, w http.ResponseWriter, req *http.Request, u *user, _ map[string]any) {
	if req.PathValue("device") != u.device {
		refuse(w, http.StatusNotFound, "M_NOT_FOUND", "no such device")
		return
	}
	reply(w, map[string]any{"device_id": u.device, "display_name": u.name})
}

func profile(s *Server, w http.ResponseWriter, req *http.Request, _ *user, _ map[string]any) {
	if u := s.users[req.PathValue("user")]; u != nil {
		reply(w, map[string]any{"displayname": u.name, "avatar_url": u.avatar})
		return
	}
	refuse(w, http.StatusNotFound, "M_NOT_FOUND", "nobody")
}

func putProfile(_ *Server, w http.ResponseWriter, req *http.Request, u *user, body map[string]any) {
	switch value, _ := body[req.PathValue("field")].(string); req.PathValue("field") {
	case "displayname":
		u.name = value
	case "avatar_url":
		u.avatar = value
	}
	reply(w, struct{}{})
}

// upload takes a file in, whose address is its length.
func (s *Server) upload(w http.ResponseWriter, req *http.Request) {
	if s.caller(w, req) == nil {
		return
	}
	data, _ := io.ReadAll(req.Body)
	address := fmt.Sprintf("mxc://%s/%d", Name, len(data))
	s.mu.Lock()
	s.files[address] = Uploaded{Name: req.URL.Query().Get("filename"), Type: req.Header.Get("Content-Type"), Data: data}
	s.mu.Unlock()
	reply(w, map[string]any{"content_uri": address})
}

// Uploaded is a file as it came.
type Uploaded struct {
	Name, Type string
	Data       []byte
}

// File returns the last file that lies at an address.
func (s *Server) File(address string) Uploaded {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files[address]
}

func receipt(s *Server, w http.ResponseWriter, req *http.Request, u *user, _ map[string]any) {
	if r := s.in(w, req, u); r != nil {
		r.read[u.id] = req.PathValue("event")
		reply(w, struct{}{})
	}
}

// setRule switches a push rule on or off.
func setRule(_ *Server, w http.ResponseWriter, req *http.Request, u *user, body map[string]any) {
	u.rules[req.PathValue("rule")], _ = body["enabled"].(bool)
	reply(w, struct{}{})
}

func getData(_ *Server, w http.ResponseWriter, req *http.Request, u *user, _ map[string]any) {
	if d, ok := u.data[req.PathValue("type")]; ok {
		reply(w, d.value)
		return
	}
	refuse(w, http.StatusNotFound, "M_NOT_FOUND", "no such data")
}

func putData(s *Server, w http.ResponseWriter, req *http.Request, u *user, body map[string]any) {
	value, _ := json.Marshal(body)
	s.head++
	u.data[req.PathValue("type")] = stamped{s.head, value}
	s.tellLocked()
	reply(w, struct{}{})
}

// in returns the room of a request, nil where the caller is not in it.
func (s *Server) in(w http.ResponseWriter, req *http.Request, u *user) *room {
	r := s.rooms[req.PathValue("room")]
	if r == nil || r.membership(u.id) != "join" {
		refuse(w, http.StatusForbidden, "M_FORBIDDEN", "you are not in the room")
		return nil
	}
	return r
}

func joinedMembers(s *Server, w http.ResponseWriter, req *http.Request, u *user, _ map[string]any) {
	r := s.in(w, req, u)
	if r == nil {
		return
	}
	joined := map[string]any{}
	for _, e := range r.state {
		if k, _ := e.key(); e.kind() == "m.room.member" && e.content()["membership"] == "join" {
			joined[k] = map[string]any{"display_name": e.content()["displayname"]}
		}
	}
	reply(w, map[string]any{"joined": joined})
}

func members(s *Server, w http.ResponseWriter, req *http.Request, u *user, _ map[string]any) {
	r := s.in(w, req, u)
	if r == nil {
		return
	}
	chunk := []any{}
	for _, e := range r.state {
		if want := req.URL.Query().Get("membership"); e.kind() == "m.room.member" && (want == "" || e.content()["membership"] == want) {
			chunk = append(chunk, e.fields)
		}
	}
	reply(w, map[string]any{"chunk": chunk})
}

func state(s *Server, w http.ResponseWriter, req *http.Request, u *user, _ map[string]any) {
	r := s.rooms[req.PathValue("room")]
	if r == nil || r.state[stateKey("m.room.member", u.id)] == nil {
		refuse(w, http.StatusForbidden, "M_FORBIDDEN", "you are not in the room")
		return
	}
	e := r.state[stateKey(req.PathValue("type"), req.PathValue("key"))]
	switch {
	case e == nil:
		refuse(w, http.StatusNotFound, "M_NOT_FOUND", "no such state")
	case req.URL.Query().Get("format") == "event":
		reply(w, e.fields)
	default:
		reply(w, e.content())
	}
}

func allState(s *Server, w http.ResponseWriter, req *http.Request, u *user, _ map[string]any) {
	r := s.in(w, req, u)
	if r == nil {
		return
	}
	all := []any{}
	for _, e := range r.state {
		all = append(all, e.fields)
	}
	reply(w, all)
}

func messages(s *Server, w http.ResponseWriter, req *http.Request, u *user, _ map[string]any) {
	r := s.in(w, req, u)
	if r == nil {
		return
	}
	q := req.URL.Query()
	from, err1 := position(q.Get("from"), "t")
	to, err2 := position(q.Get("to"), "s")
	limit, err3 := strconv.Atoi(q.Get("limit"))
	if err1 != nil || err2 != nil || err3 != nil || q.Get("dir") != "b" {
		refuse(w, http.StatusBadRequest, "M_INVALID_PARAM", "bad parameters")
		return
	}
	if s.overrun {
		to = 0
	}
	var f struct{ Types []string }
	_ = json.Unmarshal([]byte(q.Get("filter")), &f)
	var whole filter
	whole.Room.Timeline.Types = f.Types
	shown := r.shown(u, to, from-1, whole)
	if len(shown) > limit {
		shown = shown[len(shown)-limit:]
	}
	chunk := r.showAll(shown, u)
	slices.Reverse(chunk)
	out := map[string]any{"chunk": chunk, "start": q.Get("from")}
	if len(shown) > 0 {
		out["end"] = fmt.Sprintf("t%d", shown[0].pos)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(s.encodeLocked(out))
}

// once carries out what has a transaction id, or tells what became of it before.
func (s *Server) once(w http.ResponseWriter, req *http.Request, u *user, do func() *entry) {
	key := req.Method + req.URL.Path
	id, ok := u.txns[key]
	if !ok {
		e := do()
		e.txn = req.PathValue("txn")
		id = e.id
		u.txns[key] = id
	}
	reply(w, map[string]any{"event_id": id})
}

func send(s *Server, w http.ResponseWriter, req *http.Request, u *user, body map[string]any) {
	if r := s.in(w, req, u); r != nil {
		s.once(w, req, u, func() *entry { return s.addLocked(r, u.id, req.PathValue("type"), nil, body) })
	}
}

func putState(s *Server, w http.ResponseWriter, req *http.Request, u *user, body map[string]any) {
	if r := s.in(w, req, u); r != nil {
		key := req.PathValue("key")
		reply(w, map[string]any{"event_id": s.addLocked(r, u.id, req.PathValue("type"), &key, body).id})
	}
}

func redact(s *Server, w http.ResponseWriter, req *http.Request, u *user, body map[string]any) {
	if r := s.in(w, req, u); r != nil {
		reason, _ := body["reason"].(string)
		s.once(w, req, u, func() *entry { return s.redactLocked(r, u.id, req.PathValue("event"), reason) })
	}
}

func typing(s *Server, w http.ResponseWriter, req *http.Request, u *user, body map[string]any) {
	if r := s.in(w, req, u); r != nil {
		r.typing[u.id], _ = body["typing"].(bool)
		close(s.typed)
		s.typed = make(chan struct{})
		reply(w, struct{}{})
	}
}

func leave(s *Server, w http.ResponseWriter, req *http.Request, u *user, body map[string]any) {
	r := s.rooms[req.PathValue("room")]
	if r == nil || r.membership(u.id) == "leave" || r.membership(u.id) == "ban" {
		refuse(w, http.StatusForbidden, "M_FORBIDDEN", "you are not in the room")
		return
	}
	more := map[string]any{}
	if reason, ok := body["reason"]; ok {
		more["reason"] = reason
	}
	s.memberLocked(r, u.id, u.id, "leave", more)
	reply(w, struct{}{})
}

func kick(s *Server, w http.ResponseWriter, req *http.Request, u *user, body map[string]any) {
	if r := s.in(w, req, u); r != nil {
		who, _ := body["user_id"].(string)
		s.memberLocked(r, u.id, who, "leave", nil)
		reply(w, struct{}{})
	}
}

func invite(s *Server, w http.ResponseWriter, req *http.Request, u *user, body map[string]any) {
	if r := s.in(w, req, u); r != nil {
		who, _ := body["user_id"].(string)
		s.memberLocked(r, u.id, who, "invite", nil)
		reply(w, struct{}{})
	}
}

func join(s *Server, w http.ResponseWriter, req *http.Request, u *user, _ map[string]any) {
	r := s.rooms[req.PathValue("room")]
	switch {
	case r == nil:
		refuse(w, http.StatusNotFound, "M_NOT_FOUND", "no such room")
		return
	case r.membership(u.id) == "join":
	case r.membership(u.id) == "ban":
		refuse(w, http.StatusForbidden, "M_FORBIDDEN", "you are banned")
		return
	case r.membership(u.id) == "leave" && r.state[stateKey("m.room.join_rules", "")].content()["join_rule"] != "public":
		refuse(w, http.StatusForbidden, "M_FORBIDDEN", "you are not invited")
		return
	default:
		s.memberLocked(r, u.id, u.id, "join", nil)
	}
	reply(w, map[string]any{"room_id": r.id})
}

func create(s *Server, w http.ResponseWriter, req *http.Request, u *user, body map[string]any) {
	name, _ := body["name"].(string)
	r := s.createLocked(u.id, name, nil)
	none := ""
	states, _ := body["initial_state"].([]any)
	for _, one := range states {
		st, _ := one.(map[string]any)
		kind, _ := st["type"].(string)
		content, _ := st["content"].(map[string]any)
		s.addLocked(r, u.id, kind, &none, content)
	}
	more := map[string]any{}
	if body["is_direct"] == true {
		more["is_direct"] = true
	}
	asked, _ := body["invite"].([]any)
	for _, one := range asked {
		who, _ := one.(string)
		s.memberLocked(r, u.id, who, "invite", more)
		if s.accept && s.users[who] != nil {
			s.memberLocked(r, who, who, "join", nil)
		}
	}
	reply(w, map[string]any{"room_id": r.id})
}

func relations(s *Server, w http.ResponseWriter, req *http.Request, u *user, _ map[string]any) {
	r := s.in(w, req, u)
	if r == nil {
		return
	}
	var found []*entry
	exists := false
	for _, e := range r.events {
		exists = exists || e.id == req.PathValue("event")
		rel, _ := e.content()["m.relates_to"].(map[string]any)
		if !e.gone && rel["event_id"] == req.PathValue("event") && rel["rel_type"] == req.PathValue("rel") && e.kind() == req.PathValue("type") {
			found = append(found, e)
		}
	}
	if !exists {
		refuse(w, http.StatusNotFound, "M_NOT_FOUND", "no such event")
		return
	}
	slices.Reverse(found)
	from, _ := position(req.URL.Query().Get("from"), "r")
	limit, _ := strconv.Atoi(req.URL.Query().Get("limit"))
	out := map[string]any{}
	found = found[min(from, len(found)):]
	if limit > 0 && len(found) > limit {
		found = found[:limit]
		out["next_batch"] = fmt.Sprintf("r%d", from+limit)
	}
	out["chunk"] = r.showAll(found, u)
	reply(w, out)
}
