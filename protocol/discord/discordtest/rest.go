package discordtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// call is one REST request, handled under the server's lock.
type call struct {
	s      *Server
	r      *http.Request
	at     time.Time // when it came: to hold it against a description may take seconds on a busy machine
	body   obj
	reason string
	files  map[int]File // by their places
}

// handler returns the status and what is answered as JSON; nil answers nothing.
type handler func(c *call) (int, any)

// rateBucket is the state of one of the server's rate limits.
type rateBucket struct {
	reset     time.Time
	remaining int
}

// v is a part of the path by its name in the pattern.
func (c *call) v(name string) string { return c.r.PathValue(name) }

func (c *call) query(name string) string { return c.r.URL.Query().Get(name) }

// number is a query parameter within its bounds.
func (c *call) number(name string, most, otherwise int) int {
	n, err := strconv.Atoi(c.query(name))
	if err != nil || n < 1 || n > most {
		return otherwise
	}
	return n
}

func refuse(status, code int, message string) (int, any) {
	return status, obj{"code": code, "message": message}
}

func invalid(format string, args ...any) (int, any) {
	return http.StatusBadRequest, obj{"code": 50035, "message": "Invalid Form Body",
		"errors": obj{"_errors": []obj{{"code": "BASE_TYPE_BAD", "message": fmt.Sprintf(format, args...)}}}}
}

func (s *Server) routes() map[string]handler {
	return map[string]handler{
		"GET /gateway":     func(c *call) (int, any) { return 200, obj{"url": s.GatewayURL()} },
		"GET /gateway/bot": (*call).gatewayBot,

		"GET /users/@me":                   func(c *call) (int, any) { return 200, c.s.ownUser() },
		"GET /users/{user}":                (*call).getUser,
		"GET /users/@me/guilds":            (*call).ownGuilds,
		"DELETE /users/@me/guilds/{guild}": inGuild((*call).leaveGuild),
		"POST /users/@me/channels":         (*call).openDM,
		"GET /applications/@me":            func(c *call) (int, any) { return 200, c.s.application() },
		"GET /oauth2/applications/@me":     func(c *call) (int, any) { return 200, c.s.application() },

		"GET /applications/{app}/commands":                (*call).listCommands,
		"PUT /applications/{app}/commands":                (*call).putCommands,
		"GET /applications/{app}/guilds/{guild}/commands": (*call).listCommands,
		"PUT /applications/{app}/guilds/{guild}/commands": (*call).putCommands,

		"GET /applications/{app}/role-connections/metadata": (*call).listMetadata,
		"PUT /applications/{app}/role-connections/metadata": (*call).putMetadata,

		"GET /guilds/{guild}":                                 inGuild((*call).getGuild),
		"GET /guilds/{guild}/channels":                        inGuild((*call).guildChannels),
		"GET /guilds/{guild}/threads/active":                  inGuild((*call).guildThreads),
		"GET /guilds/{guild}/roles":                           inGuild((*call).guildRoles),
		"POST /guilds/{guild}/roles":                          inGuild((*call).createRole),
		"GET /guilds/{guild}/members":                         inGuild((*call).listMembers),
		"GET /guilds/{guild}/members/{user}":                  onMember((*call).getMember),
		"PATCH /guilds/{guild}/members/{user}":                onMember((*call).editMember),
		"DELETE /guilds/{guild}/members/{user}":               onMember((*call).kickMember),
		"PUT /guilds/{guild}/members/{user}/roles/{role}":     onMember((*call).addRole),
		"DELETE /guilds/{guild}/members/{user}/roles/{role}":  onMember((*call).removeRole),
		"GET /guilds/{guild}/bans":                            inGuild((*call).listBans),
		"GET /guilds/{guild}/bans/{user}":                     inGuild((*call).getBan),
		"PUT /guilds/{guild}/bans/{user}":                     inGuild((*call).ban),
		"DELETE /guilds/{guild}/bans/{user}":                  inGuild((*call).unban),
		"GET /guilds/{guild}/voice-states/{user}":             inGuild((*call).getVoice),
		"GET /channels/{channel}":                             (*call).getChannel,
		"GET /channels/{channel}/messages":                    (*call).listMessages,
		"POST /channels/{channel}/messages":                   (*call).createMessage,
		"GET /channels/{channel}/messages/{message}":          (*call).getMessage,
		"PATCH /channels/{channel}/messages/{message}":        (*call).editMessage,
		"DELETE /channels/{channel}/messages/{message}":       (*call).deleteMessage,
		"POST /channels/{channel}/typing":                     (*call).typing,
		"POST /channels/{channel}/threads":                    (*call).createThread,
		"POST /channels/{channel}/messages/{message}/threads": (*call).createThread,

		"GET /channels/{channel}/messages/{message}/reactions/{emoji}":        (*call).listReactions,
		"PUT /channels/{channel}/messages/{message}/reactions/{emoji}/@me":    (*call).react,
		"DELETE /channels/{channel}/messages/{message}/reactions/{emoji}/@me": (*call).unreact,

		"POST /interactions/{interaction}/{token}/callback":        (*call).callback,
		"POST /webhooks/{app}/{token}":                             (*call).followUp,
		"GET /webhooks/{app}/{token}/messages/{message}":           (*call).getReply,
		"PATCH /webhooks/{app}/{token}/messages/{message}":         (*call).editReply,
		"DELETE /webhooks/{app}/{token}/messages/{message}":        (*call).deleteReply,
		"GET /webhooks/{app}/{token}/messages/{message}/reactions": nil,
	}
}

func (s *Server) mux() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, h := range s.routes() {
		if h == nil {
			continue
		}
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /api/v10"+path, func(w http.ResponseWriter, r *http.Request) {
			s.handle(w, r, pattern, h)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.handle(w, r, "unknown", func(*call) (int, any) {
			s.fail("%s %s is asked, which discordtest does not know", r.Method, r.URL.Path)
			return refuse(404, 0, "404: Not Found")
		})
	})
	return mux
}

func (s *Server) serveREST(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	w.Header().Set("Date", s.nowLocked().UTC().Format(http.TimeFormat))
	s.mu.Unlock()
	s.rest.ServeHTTP(w, r)
}

func (s *Server) handle(w http.ResponseWriter, r *http.Request, pattern string, h handler) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	at := s.nowLocked()
	s.mu.Unlock()
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/api/v10")
	r, raw, files, err := unpack(r, raw)
	if err != nil {
		s.fail("a form is none: %v", err)
		return
	}
	if s.spec != nil {
		if err := s.spec.Request(r, path, raw); err != nil {
			s.fail("a request is not as Discord describes it: %v\nits body: %s", err, raw)
		}
	}
	reason, err := url.PathUnescape(r.Header.Get("X-Audit-Log-Reason"))
	if err != nil || len(r.Header.Get("X-Audit-Log-Reason")) > 512 {
		s.fail("%s %s: the audit-log reason %q is not to be had", r.Method, path, r.Header.Get("X-Audit-Log-Reason"))
	}
	c := &call{s: s, r: r, at: at, reason: reason, files: files}

	s.mu.Lock()
	s.asked++
	status, answer, f := s.answerLocked(c, w.Header(), pattern, raw, h)
	s.mu.Unlock()
	if f != nil {
		if f.Delay > 0 {
			t := time.NewTimer(f.Delay)
			defer t.Stop()
			select {
			case <-t.C:
			case <-r.Context().Done():
			}
		}
		if f.Drop {
			panic(http.ErrAbortHandler)
		}
	}
	var out []byte
	switch a := answer.(type) {
	case nil:
	case string:
		out = []byte(a)
	default:
		out, err = json.Marshal(answer)
		if err != nil {
			panic(err)
		}
	}
	if s.spec != nil && s.CheckAnswers && f == nil {
		if err := s.spec.Response(r, path, status, http.Header{"Content-Type": {"application/json"}}, out); err != nil {
			s.fail("an answer of discordtest is not as Discord describes it: %v\n%.2000s", err, out)
		}
	}
	s.mu.Lock()
	s.requests = append(s.requests, Request{Method: r.Method, Path: path, Query: r.URL.RawQuery, Body: string(raw),
		Reason: c.reason, Status: status, Answer: string(out[:min(len(out), 4096)])})
	s.touchLocked()
	s.mu.Unlock()
	if len(out) > 0 && w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(out)
}

// answerLocked applies the faults, the token, the limits and then the handler.
func (s *Server) answerLocked(c *call, header http.Header, pattern string, raw []byte, h handler) (int, any, *Fault) {
	path := c.r.URL.Path
	tokened := strings.Contains(path, "/interactions/") || strings.Contains(path, "/webhooks/")
	if s.closed {
		status, answer := refuse(503, 0, "down")
		return status, answer, nil
	}
	for _, f := range s.faults {
		if f.left > 0 && (f.method == "" || f.method == c.r.Method) && strings.Contains(path, f.part) {
			f.left--
			if f.Done || f.Status == 0 && !f.Drop {
				status, answer := s.doLocked(c, raw, h)
				if f.Status == 0 && !f.Drop {
					return status, answer, &f.Fault
				}
			}
			status, answer := f.answer(header)
			return status, answer, &f.Fault
		}
	}
	if !tokened && c.r.Header.Get("Authorization") != "Bot "+s.Token {
		status, answer := refuse(401, 0, "401: Unauthorized")
		return status, answer, nil
	}
	if !strings.HasPrefix(c.r.Header.Get("User-Agent"), "DiscordBot (https://") {
		s.fail("%s %s: the User-Agent %q would be blocked", c.r.Method, path, c.r.Header.Get("User-Agent"))
	}
	if status, answer := s.limitLocked(c, header, pattern, tokened); status != 0 {
		return status, answer, nil
	}
	status, answer := s.doLocked(c, raw, h)
	return status, answer, nil
}

func (s *Server) doLocked(c *call, raw []byte, h handler) (int, any) {
	if len(raw) > 0 && raw[0] == '{' {
		if err := json.Unmarshal(raw, &c.body); err != nil {
			return refuse(400, 50109, "The request body contains invalid JSON.")
		}
	} else if len(raw) > 0 {
		var list []any
		if err := json.Unmarshal(raw, &list); err != nil {
			return refuse(400, 50109, "The request body contains invalid JSON.")
		}
		c.body = obj{"": list}
	}
	if len(c.files) > 0 {
		c.attach(c.files)
	}
	return h(c)
}

// limitLocked counts the request and sets the headers that tell of it.
func (s *Server) limitLocked(c *call, header http.Header, pattern string, tokened bool) (int, any) {
	now := s.nowLocked()
	if !tokened {
		for len(s.global) > 0 && now.Sub(s.global[0]) >= time.Second {
			s.global = s.global[1:]
		}
		// Ten more than Discord's 50, since requests do not arrive in the rhythm in which they were
		// sent.
		if len(s.global) >= 60 {
			f := Fault{Status: 429, After: time.Second, Global: true, Scope: "global"}
			return f.answer(header)
		}
		s.global = append(s.global, now)
	}
	limit, window := s.Bucket, s.BucketWindow
	if limit == 0 {
		limit = 200
	}
	if window == 0 {
		window = time.Second
	}
	if s.ChannelLimits && (pattern == "POST /channels/{channel}/messages" || pattern == "PATCH "+
		"/channels/{channel}/messages/{message}") {
		limit, window = 5, 5*time.Second
	}
	key := pattern + " " + c.v("channel") + c.v("guild") + c.v("token")
	b := s.buckets[key]
	if b == nil || !now.Before(b.reset) {
		b = &rateBucket{reset: now.Add(window), remaining: limit}
		s.buckets[key] = b
		if len(s.buckets) > 10_000 {
			clear(s.buckets)
		}
	}
	after := b.reset.Sub(now)
	header.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	header.Set("X-RateLimit-Remaining", strconv.Itoa(max(b.remaining-1, 0)))
	header.Set("X-RateLimit-Reset", fmt.Sprintf("%.3f", float64(b.reset.UnixMilli())/1000))
	header.Set("X-RateLimit-Reset-After", fmt.Sprintf("%.3f", after.Seconds()))
	header.Set("X-RateLimit-Bucket", fmt.Sprintf("%08x", hash(pattern)))
	header.Set("Via", "1.1 google")
	if b.remaining <= 0 {
		f := Fault{Status: 429, After: after, Scope: "user"}
		return f.answer(header)
	}
	b.remaining--
	return 0, nil
}

func (f *Fault) answer(header http.Header) (int, any) {
	if f.Drop {
		return 0, nil
	}
	if f.Body != "" {
		return f.Status, f.Body
	}
	if f.Status != 429 {
		return refuse(f.Status, 0, fmt.Sprintf("%d: %s", f.Status, http.StatusText(f.Status)))
	}
	header.Set("Retry-After", strconv.Itoa(int((f.After+time.Second-1)/time.Second)))
	if f.HTML {
		header.Set("Content-Type", "text/html; charset=UTF-8")
		header.Del("Via")
		header.Set("Server", "cloudflare")
		return 429, "<!doctype html><html><head><title>Access denied | discord.com used Cloudflare to restrict " +
			"access</title></head><body>error code: 1015</body></html>"
	}
	scope := f.Scope
	if scope == "" {
		scope = "user"
	}
	header.Set("X-RateLimit-Scope", scope)
	header.Set("Via", "1.1 google")
	if f.Global {
		header.Set("X-RateLimit-Global", "true")
	}
	return 429, obj{"message": "You are being rate limited.", "retry_after": f.After.Seconds(), "global": f.Global}
}

func (c *call) gatewayBot() (int, any) {
	s := c.s
	return 200, obj{"url": s.GatewayURL(), "shards": max(s.Shards, 1),
		"session_start_limit": obj{"total": 1000, "remaining": max(s.Identifies, 0),
			"reset_after": 86400_000, "max_concurrency": max(s.MaxConcurrency, 1)}}
}

func (s *Server) ownUser() obj {
	o := s.Bot.json()
	o["mfa_enabled"], o["locale"], o["verified"], o["email"] = true, "en-US", true, nil
	return o
}

func (s *Server) application() obj {
	bot := s.Bot.json()
	return obj{"id": s.AppID, "name": s.Bot.Name, "icon": nil, "description": "", "bot": bot, "bot_public": true,
		"bot_require_code_grant": false,
		"summary":                "", "verify_key": strings.Repeat("ab",
			32), "flags": s.Flags, "flags_new": strconv.Itoa(s.Flags), "type": nil, "owner": bot, "team": nil,
		"rpc_origins":               []string{},
		"interactions_endpoint_url": nil, "role_connections_verification_url": nil, "redirect_uris": []string{}, "approximate_guild_count": len(s.guilds),
		"approximate_user_install_count": 0, "approximate_user_authorization_count": 0, "explicit_content_filter": 0, "integration_types_config": obj{"0": obj{}}, "event_webhooks_status": 1, "eligible_oauth2_scopes": []string{}}
}

func hash(s string) (h uint32) {
	h = 2166136261
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}
