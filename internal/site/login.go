package site

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"
)

const (
	// SessionLasts is for how long one is inside, and LinkLasts for how long a link is a way in.
	SessionLasts = 12 * time.Hour
	LinkLasts    = 5 * time.Minute
	// mostSessions and mostLinks are how many there are at once; the oldest goes first.
	mostSessions = 16
	mostLinks    = 16
)

// Session is one browser that is inside.
type Session struct {
	until time.Time // immutable

	mu   sync.Mutex
	said string // what came of what was just done; guarded by mu
}

// Say has the next page say what came of what was just done.
func (s *Session) Say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = text
}

func (s *Session) takeSaid() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	said := s.said
	s.said = ""
	return said
}

// Hash is that of a secret. Only hashes are kept.
type Hash = [sha256.Size]byte

// HashOf returns the hash of a secret.
func HashOf(secret string) Hash { return sha256.Sum256([]byte(secret)) }

// sessions are those who are inside, and the links by which others come in.
type sessions struct {
	now func() time.Time

	mu    sync.Mutex
	all   map[Hash]*Session  // guarded by mu
	links map[Hash]time.Time // until when each is a way in; guarded by mu
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, all: map[Hash]*Session{}, links: map[Hash]time.Time{}}
}

// NewSecret returns one that nobody guesses.
func NewSecret() string { return rand.Text() } // 128 bits at least

// LoginPath is that of the way in by a secret.
func LoginPath(secret string) string { return "/login?link=" + secret }

// add makes a secret a way in, of which it needs the hash only.
func (s *sessions) add(secret Hash, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.links) >= mostLinks {
		s.dropOldestLocked()
	}
	s.links[secret] = until
}

func (s *sessions) dropOldestLocked() {
	var oldest Hash
	var at time.Time
	for h, until := range s.links {
		if at.IsZero() || until.Before(at) {
			oldest, at = h, until
		}
	}
	delete(s.links, oldest)
}

// holds reports whether a link is still a way in.
func (s *sessions) holds(secret string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.links[HashOf(secret)]
	return ok && s.now().Before(until)
}

// begin begins a session by a link, which it uses up.
func (s *sessions) begin(secret string) (cookie string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := HashOf(secret)
	until, ok := s.links[h]
	delete(s.links, h)
	if !ok || !s.now().Before(until) {
		return "", false
	}
	for len(s.all) >= mostSessions {
		var oldest Hash
		var at time.Time
		for h, one := range s.all {
			if at.IsZero() || one.until.Before(at) {
				oldest, at = h, one.until
			}
		}
		delete(s.all, oldest)
	}
	cookie = rand.Text()
	s.all[HashOf(cookie)] = &Session{until: s.now().Add(SessionLasts)}
	return cookie, true
}

// of returns the session of a cookie; nil where it is none.
func (s *sessions) of(cookie string) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[HashOf(cookie)]
	if one == nil || !s.now().Before(one.until) {
		return nil
	}
	return one
}

// end ends the session of a cookie.
func (s *sessions) end(cookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, HashOf(cookie))
}

// Link returns the path of a way in, for one use within a few minutes.
func (p *Site) Link() string {
	secret := NewSecret()
	p.sessions.add(HashOf(secret), p.sessions.now().Add(LinkLasts))
	return LoginPath(secret)
}

// Session returns the session of a request; nil where it has none.
func (p *Site) Session(r *http.Request) *Session {
	cookie := p.cookie(r)
	if cookie == "" {
		return nil
	}
	return p.sessions.of(cookie)
}

// cookie returns that of a request, or what stands for it in a header for programs.
func (p *Site) cookie(r *http.Request) string {
	if p.Header != "" && r.Header.Get(p.Header) != "" {
		return r.Header.Get(p.Header)
	}
	c, err := r.Cookie(p.Cookie)
	if err != nil {
		return ""
	}
	return c.Value
}

// Inside lets a request through that has a session, and tells others the way in.
func (p *Site) Inside(f func(http.ResponseWriter, *http.Request, *Session)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := p.Session(r)
		if s == nil {
			p.closed(w, http.StatusUnauthorized, "")
			return
		}
		f(w, r, s)
	}
}

func (p *Site) closed(w http.ResponseWriter, status int, why string) {
	p.Write(w, status, nil, View{Title: "Closed", Template: "closed.html", Data: struct{ Why, Command string }{why, p.Command}})
}

// holds reports whether a link is a way in. One that another program has made is taken over first.
func (p *Site) holds(r *http.Request, secret string) bool {
	if p.sessions.holds(secret) {
		return true
	}
	if p.Take == nil || secret == "" || len(secret) > 100 || !p.Take(r.Context(), HashOf(secret)) {
		return false
	}
	p.sessions.add(HashOf(secret), p.sessions.now().Add(LinkLasts))
	return true
}

// showLogin shows the button behind which a session begins. It uses up no link.
func (p *Site) showLogin(w http.ResponseWriter, r *http.Request) {
	secret := r.FormValue("link")
	if !p.holds(r, secret) {
		p.closed(w, http.StatusForbidden, stale)
		return
	}
	p.Write(w, http.StatusOK, nil, View{Title: "Log in", Template: "login.html", Data: secret})
}

const stale = "This link is no way in any more: it was used, or is older than five minutes."

func (p *Site) login(w http.ResponseWriter, r *http.Request) {
	secret := r.PostFormValue("link")
	p.holds(r, secret)
	cookie, ok := p.sessions.begin(secret)
	if !ok {
		p.closed(w, http.StatusForbidden, stale)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: p.Cookie, Value: cookie, Path: "/", MaxAge: int(SessionLasts / time.Second), HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (p *Site) logout(w http.ResponseWriter, r *http.Request, _ *Session) {
	p.sessions.end(p.cookie(r))
	http.SetCookie(w, &http.Cookie{Name: p.Cookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
