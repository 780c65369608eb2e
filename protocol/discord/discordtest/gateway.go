package discordtest

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Intents that the server looks at.
// https://discord.com/developers/docs/events/gateway#gateway-intents
const (
	intentMembers        = 1 << 1
	intentPresences      = 1 << 8
	intentMessageContent = 1 << 15
)

// session is what Discord knows of a bot's session while it can be resumed.
type session struct {
	id       string
	seq      int64
	frames   [][]byte // all dispatches, for replay; the first has sequence 1
	intents  int
	shard    [2]int
	compress bool
	conn     *gatewayConn // nil while the bot is away
}

// gatewayConn is one connection.
type gatewayConn struct {
	srv    *Server
	ws     *websocket.Conn
	script Script
	zip    *zipper // the stream of a connection that is compressed as a whole; nil otherwise. Of write alone

	// Guarded by srv.mu.
	session *session
	out     []frame
	filled  chan struct{} // a token: something is in out
	silent  chan struct{} // closed when nothing more is read
	zombie  bool
	ended   bool
	sends   []time.Time
	beats   int
}

type frame struct {
	op       int // of the gateway; only -1 means a close
	code     int
	text     string
	data     []byte
	compress bool
}

type payload struct {
	Op   int             `json:"op"`
	Data json.RawMessage `json:"d"`
	Seq  *int64          `json:"s"`
	Type *string         `json:"t"`
}

func (s *Server) serveGateway(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	var script Script
	if len(s.scripts) > 0 {
		script = s.scripts[0]
		s.scripts = s.scripts[1:]
	}
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.wait.Add(1)
	defer s.wait.Done()
	s.touchLocked()
	s.mu.Unlock()
	if script.HTTPStatus != 0 {
		http.Error(w, "the gateway is not to be had", script.HTTPStatus)
		return
	}
	q := r.URL.Query()
	if zip := q.Get("compress"); q.Get("v") != "10" || q.Get("encoding") != "json" || zip != "" &&
		zip != "zlib-stream" {
		s.fail("the gateway was asked for with %q; this one knows v=10, encoding=json and "+
			"compress=zlib-stream", r.URL.RawQuery)
	}
	ws, err := s.up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c := &gatewayConn{srv: s, ws: ws, script: script, filled: make(chan struct{}, 1), silent: make(chan struct{})}
	s.mu.Lock()
	if q.Get("compress") != "" && !s.NoCompression {
		c.zip = new(zipper)
		c.zip.w = zlib.NewWriter(&c.zip.out)
	}
	s.conns[c] = true
	s.connected++
	s.touchLocked()
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { defer close(done); c.write() }()
	c.read()
	close(c.silent)
	c.end()
	<-done
}

// end takes the connection out of the model.
func (c *gatewayConn) end() {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	c.endLocked()
}

func (c *gatewayConn) endLocked() {
	if c.ended {
		return
	}
	c.ended = true
	delete(c.srv.conns, c)
	if c.session != nil && c.session.conn == c {
		c.session.conn = nil
	}
	wake(c.filled)
	c.srv.touchLocked()
}

// cut drops the connection as a broken network does: no close frame, no FIN that says goodbye.
func (c *gatewayConn) cut() {
	if tcp, ok := c.ws.NetConn().(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.ws.Close()
}

func (c *gatewayConn) sendLocked(f frame) {
	if c.ended || c.zombie {
		return
	}
	c.out = append(c.out, f)
	wake(c.filled)
}

func (c *gatewayConn) opLocked(op int, data any) {
	raw, _ := json.Marshal(obj{"op": op, "d": data, "s": nil, "t": nil})
	c.sendLocked(frame{op: op, data: raw, compress: c.session != nil && c.session.compress})
}

func (c *gatewayConn) closeLocked(code int, text string) {
	c.sendLocked(frame{op: -1, code: code, text: text})
}

// write sends what waits, in order.
func (c *gatewayConn) write() {
	defer c.ws.Close()
	for {
		c.srv.mu.Lock()
		out, ended := c.out, c.ended
		c.out = nil
		c.srv.mu.Unlock()
		for _, f := range out {
			_ = c.ws.SetWriteDeadline(time.Now().Add(time.Minute))
			if f.op == -1 {
				_ = c.ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(f.code, f.text))
				_ = c.ws.SetReadDeadline(time.Now().Add(time.Second)) // for the close code of the other side
				<-c.silent
				return
			}
			kind, data := websocket.TextMessage, f.data
			if c.zip != nil {
				kind, data = websocket.BinaryMessage, c.zip.squeeze(data)
			} else if f.compress && (c.srv.CompressAll || len(data) > 1024) {
				kind, data = websocket.BinaryMessage, deflate(data)
			}
			if c.ws.WriteMessage(kind, data) != nil {
				return
			}
		}
		if ended {
			return
		}
		if len(out) == 0 {
			<-c.filled
		}
	}
}

// zipper is a zlib stream that goes on through all messages of a connection.
type zipper struct {
	out bytes.Buffer
	w   *zlib.Writer
}

// squeeze returns the next part of the stream, which holds the data and ends in 00 00 FF FF.
func (z *zipper) squeeze(data []byte) []byte {
	z.out.Reset()
	_, _ = z.w.Write(data) // a Buffer takes all
	_ = z.w.Flush()
	return z.out.Bytes()
}

// writers saves what a writer allocates, which is more than most frames need.
var writers = sync.Pool{New: func() any { return zlib.NewWriter(nil) }}

func deflate(data []byte) []byte {
	var b bytes.Buffer
	z := writers.Get().(*zlib.Writer)
	defer writers.Put(z)
	z.Reset(&b)
	_, _ = z.Write(data) // a Buffer takes all
	_ = z.Close()
	return b.Bytes()
}

// read takes what the bot sends.
func (c *gatewayConn) read() {
	s := c.srv
	interval := s.Heartbeat
	if interval == 0 {
		interval = 41250 * time.Millisecond
	}
	if !c.script.NoHello {
		s.mu.Lock()
		c.opLocked(10, obj{"heartbeat_interval": interval.Milliseconds(), "_trace": []string{"discordtest"}})
		s.mu.Unlock()
	}
	for {
		_, data, err := c.ws.ReadMessage()
		if err != nil {
			if e, ok := err.(*websocket.CloseError); ok &&
				(e.Code == websocket.CloseNormalClosure || e.Code == websocket.CloseGoingAway) {
				// "If you close with 1000 or 1001, the session is invalidated and the bot appears
				// offline."
				s.mu.Lock()
				if c.session != nil {
					delete(s.sessions, c.session.id)
					s.touchLocked()
				}
				s.mu.Unlock()
			}
			return
		}
		var p payload
		if json.Unmarshal(data, &p) != nil || len(data) > 4096 {
			s.mu.Lock()
			c.closeLocked(4002, "Error while decoding payload.")
			s.mu.Unlock()
			continue
		}
		s.mu.Lock()
		c.takeLocked(p)
		s.touchLocked()
		s.mu.Unlock()
	}
}

func (c *gatewayConn) takeLocked(p payload) {
	now := time.Now()
	if p.Op != 1 || c.srv.Heartbeat == 0 { // a test's hectic heartbeats do not count
		c.sends = append(c.sends, now)
	}
	for len(c.sends) > 0 && now.Sub(c.sends[0]) > time.Minute {
		c.sends = c.sends[1:]
	}
	if len(c.sends) > 120 {
		c.closeLocked(4008, "Rate limited.")
		return
	}
	if c.script.Silent {
		return
	}
	switch p.Op {
	case 1:
		c.beats++
		if !c.script.NoAcks {
			c.opLocked(11, nil)
		}
	case 2:
		c.identifyLocked(p.Data)
	case 6:
		c.resumeLocked(p.Data)
	case 3, 4:
		if c.session == nil {
			c.closeLocked(4003, "Not authenticated.")
		}
	case 8:
		c.membersLocked(p.Data)
	default:
		c.closeLocked(4001, "Unknown opcode.")
	}
}

func (c *gatewayConn) identifyLocked(data json.RawMessage) {
	s := c.srv
	var d struct {
		Token      string
		Intents    *int
		Shard      *[2]int
		Compress   bool
		Properties struct{ OS, Browser, Device string }
		Presence   struct {
			Status     string
			Activities []struct {
				Name, State string
				Type        *int
			}
		}
	}
	if json.Unmarshal(data, &d) != nil {
		c.closeLocked(4002, "Error while decoding payload.")
		return
	}
	s.identified++
	s.Identifies--
	if s.Identifies < 0 {
		s.fail("the bot sent an identify although it had none left: Discord would reset its token")
		s.Token = "reset-by-discord"
	}
	shard := [2]int{0, 1}
	if d.Shard != nil {
		shard = *d.Shard
	}
	key := shard[0] % max(s.MaxConcurrency, 1)
	last := s.lastID[key]
	s.lastID[key] = time.Now()
	switch {
	case c.session != nil:
		c.closeLocked(4005, "Already authenticated.")
	case c.script.Close != 0:
		c.closeLocked(c.script.Close, c.script.Text)
	case d.Token != s.Token:
		c.closeLocked(4004, "Authentication failed.")
	case d.Properties.Browser == "" || d.Intents == nil:
		c.closeLocked(4002, "Error while decoding payload.")
	case *d.Intents < 0 || *d.Intents >= 1<<26:
		c.closeLocked(4013, "Invalid intent(s).")
	case *d.Intents&intentMembers != 0 && s.Flags&(3<<14) == 0, *d.Intents&intentPresences != 0 && s.Flags&(3<<12) == 0,
		*d.Intents&intentMessageContent != 0 && s.Flags&(3<<18) == 0:
		c.closeLocked(4014, "Disallowed intent(s).")
	case shard[0] < 0 || shard[0] >= shard[1]:
		c.closeLocked(4010, "Invalid shard.")
	case s.IdentifyGap > 0 && time.Since(last) < s.IdentifyGap, c.script.Invalid:
		c.opLocked(9, false)
	default:
		s.shows = ""
		for _, a := range d.Presence.Activities {
			if d.Presence.Status == "" || a.Name == "" || a.Type == nil {
				c.closeLocked(4002, "Error while decoding payload.")
				return
			}
			if *a.Type == 4 { // a custom status, which shows its state and not its name
				s.shows = a.State
			}
		}
		c.session = &session{id: "session-" + strconv.Itoa(s.identified), intents: *d.Intents, shard: shard,
			compress: d.Compress, conn: c}
		s.sessions[c.session.id] = c.session
		guilds := []obj{}
		for _, g := range s.guilds {
			if g.botIn && c.session.hears(g.ID) {
				guilds = append(guilds, obj{"id": g.ID, "unavailable": true})
			}
		}
		c.session.dispatchLocked("READY", obj{"v": 10, "user": s.Bot.json(), "guilds": guilds,
			"session_id": c.session.id, "session_type": "normal",
			"resume_gateway_url": cmp.Or(s.ResumeURL, s.GatewayURL()), "shard": shard, "application": obj{"id": s.AppID,
				"flags": s.Flags}, "private_channels": []obj{}, "_trace": []string{}})
		s.lastReady = time.Now()
		for _, g := range s.guilds {
			if !g.botIn || !c.session.hears(g.ID) {
				continue
			}
			if g.unavailable {
				c.session.dispatchLocked("GUILD_DELETE", obj{"id": g.ID, "unavailable": true})
			} else {
				c.session.dispatchLocked("GUILD_CREATE", g.create())
			}
		}
	}
}

func (c *gatewayConn) resumeLocked(data json.RawMessage) {
	s := c.srv
	var d struct {
		Token     string
		SessionID string `json:"session_id"`
		Seq       int64
	}
	_ = json.Unmarshal(data, &d)
	ss := s.sessions[d.SessionID]
	switch {
	case c.script.FirstAfterResume != nil:
		for _, op := range c.script.FirstAfterResume {
			switch {
			case c.script.Padding > 0:
				c.opLocked(op, strings.Repeat(" ", c.script.Padding))
			case op == 9:
				c.opLocked(op, true)
			default:
				c.opLocked(op, nil)
			}
		}
		return
	case c.script.Close != 0:
		s.closesLocked(c.script.Close, d.SessionID)
		c.closeLocked(c.script.Close, c.script.Text)
	case d.Token != s.Token:
		c.closeLocked(4004, "Authentication failed.")
	case ss == nil || c.script.Invalid:
		delete(s.sessions, d.SessionID)
		c.opLocked(9, false)
	case d.Seq > ss.seq:
		c.closeLocked(4007, "Invalid seq.")
	default:
		if ss.conn != nil {
			ss.conn.closeLocked(4009, "Session timed out.") // superseded
			ss.conn.session = nil
		}
		ss.conn, c.session = c, ss
		s.replayed += len(ss.frames[d.Seq:])
		for _, f := range ss.frames[d.Seq:] {
			c.sendLocked(frame{data: f, compress: ss.compress})
		}
		if c.script.Replayed != nil {
			s.wait.Go(func() { c.resumesLater(ss) })
			return
		}
		ss.dispatchLocked("RESUMED", obj{"_trace": []string{}})
	}
}

// resumesLater ends a replay when the script of the connection says so.
func (c *gatewayConn) resumesLater(ss *session) {
	select {
	case <-c.script.Replayed:
	case <-c.silent: // the connection has ended
		return
	}
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	if ss.conn == c {
		ss.dispatchLocked("RESUMED", obj{"_trace": []string{}})
		c.srv.touchLocked()
	}
}

// hears reports whether the session's shard hears of the guild.
func (ss *session) hears(guild string) bool {
	id, _ := strconv.ParseUint(guild, 10, 64)
	return int(id>>22%uint64(ss.shard[1])) == ss.shard[0]
}

// dispatchLocked numbers an event, keeps it for replay and sends it if the bot is there.
func (ss *session) dispatchLocked(kind string, data any) {
	raw, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	ss.seq++
	f := fmt.Appendf(nil, `{"t":%q,"s":%d,"op":0,"d":%s}`, kind, ss.seq, raw)
	ss.frames = append(ss.frames, f)
	if ss.conn != nil {
		ss.conn.sendLocked(frame{data: f, compress: ss.compress})
	}
}

// intentOf says which intents bring an event of a guild, of which one is enough; zero brings it
// always.
var intentOf = map[string]int{
	"GUILD_CREATE": 1, "GUILD_UPDATE": 1, "GUILD_DELETE": 1, "GUILD_ROLE_CREATE": 1, "GUILD_ROLE_UPDATE": 1, "GUILD_ROLE_DELETE": 1,
	"CHANNEL_CREATE": 1, "CHANNEL_UPDATE": 1, "CHANNEL_DELETE": 1, "THREAD_CREATE": 1, "THREAD_UPDATE": 1, "THREAD_DELETE": 1, "THREAD_LIST_SYNC": 1,
	"GUILD_MEMBER_ADD": 1 << 1, "GUILD_MEMBER_UPDATE": 1 << 1, "GUILD_MEMBER_REMOVE": 1 << 1,
	"GUILD_BAN_ADD": 1 << 2, "GUILD_BAN_REMOVE": 1 << 2, "GUILD_AUDIT_LOG_ENTRY_CREATE": 1 << 2, "VOICE_STATE_UPDATE": 1 << 7,
	"MESSAGE_CREATE": 1 << 9, "MESSAGE_UPDATE": 1 << 9, "MESSAGE_DELETE": 1 << 9, "MESSAGE_DELETE_BULK": 1 << 9,
	"MESSAGE_REACTION_ADD": 1 << 10, "MESSAGE_REACTION_REMOVE": 1 << 10, "MESSAGE_REACTION_REMOVE_ALL": 1 << 10, "MESSAGE_REACTION_REMOVE_EMOJI": 1 << 10,
}

// directIntentOf is the same for conversations.
var directIntentOf = map[string]int{
	"MESSAGE_CREATE": 1 << 12, "MESSAGE_UPDATE": 1 << 12, "MESSAGE_DELETE": 1 << 12, "MESSAGE_REACTION_ADD": 1 << 13, "MESSAGE_REACTION_REMOVE": 1 << 13,
}

// emitLocked sends an event of a guild, or of a conversation where g is nil, to the sessions that
// are to hear of it. data may be a function, which then makes it for one session's intents.
func (s *Server) emitLocked(g *Guild, kind string, data any) {
	s.touchLocked()
	for _, ss := range s.sessions {
		intent := intentOf[kind]
		if g == nil {
			if ss.shard[0] != 0 {
				continue
			}
			intent = directIntentOf[kind]
		} else if !ss.hears(g.ID) || !g.botIn && kind != "GUILD_DELETE" || g.unavailable && kind != "GUILD_DELETE" {
			continue
		}
		if intent != 0 && ss.intents&intent == 0 {
			continue
		}
		if f, ok := data.(func(intents int) any); ok {
			ss.dispatchLocked(kind, f(ss.intents))
			continue
		}
		ss.dispatchLocked(kind, data)
	}
}

// membersLocked is op 8.
func (c *gatewayConn) membersLocked(data json.RawMessage) {
	s := c.srv
	s.memberAsks++
	var d struct {
		Guild json.RawMessage `json:"guild_id"`
		Query *string         `json:"query"`
		Users json.RawMessage `json:"user_ids"`
		Limit int             `json:"limit"`
		Nonce string          `json:"nonce"`
	}
	if c.session == nil || json.Unmarshal(data, &d) != nil {
		c.closeLocked(4003, "Not authenticated.")
		return
	}
	ids := oneOrMany(d.Guild)
	if len(ids) != 1 {
		c.closeLocked(4002, "Error while decoding payload.")
		return
	}
	g := s.guildLocked(ids[0])
	if g == nil || !g.botIn || !c.session.hears(g.ID) || len(d.Nonce) > 32 {
		return // Discord answers nothing
	}
	if c.session.intents&intentMembers == 0 && d.Query != nil && *d.Query == "" && d.Limit == 0 {
		c.closeLocked(4014, "Disallowed intent(s).")
		return
	}
	var list, missing []any
	if users := oneOrMany(d.Users); users != nil {
		for _, id := range users {
			if m := g.members[id]; m != nil {
				list = append(list, m.json())
			} else {
				missing = append(missing, id)
			}
		}
	} else {
		now := s.nowLocked()
		if last, ok := s.chunkAsked[g.ID]; ok && now.Sub(last) < 30*time.Second &&
			c.session.intents&intentMembers != 0 {
			c.session.dispatchLocked("RATE_LIMITED", obj{"opcode": 8,
				"retry_after": (30*time.Second - now.Sub(last)).Seconds(),
				"meta":        obj{"guild_id": g.ID, "nonce": d.Nonce}})
			return
		}
		s.chunkAsked[g.ID] = now
		for _, id := range g.order {
			list = append(list, g.members[id].json())
		}
	}
	count := max((len(list)+999)/1000, 1)
	for i := range count {
		part := append([]any{}, list[i*1000:min((i+1)*1000, len(list))]...)
		chunk := obj{"guild_id": g.ID, "members": part, "chunk_index": i, "chunk_count": count, "nonce": d.Nonce}
		if len(missing) > 0 {
			chunk["not_found"] = missing
		}
		c.session.dispatchLocked("GUILD_MEMBERS_CHUNK", chunk)
	}
}

func oneOrMany(raw json.RawMessage) []string {
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return many
	}
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}
	}
	return nil
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
