package page

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"
)

const (
	// cookieName is not that of any other program on this machine: cookies do not know ports.
	cookieName = "moot-session"
	// sessionLasts is for how long one is inside, and linkLasts for how long a link is a way in.
	sessionLasts = 12 * time.Hour
	linkLasts    = 5 * time.Minute
	// mostSessions and mostLinks are how many there are at once; the oldest goes first.
	mostSessions = 16
	mostLinks    = 16
)

// session is one browser that is inside.
type session struct {
	until time.Time // immutable

	mu   sync.Mutex
	said string // what came of what was just done; guarded by mu
}

func (s *session) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = text
}

func (s *session) takeSaid() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	said := s.said
	s.said = ""
	return said
}

type hash = [sha256.Size]byte

// sessions are those who are inside, and the links by which others come in.
type sessions struct {
	now func() time.Time

	mu    sync.Mutex
	all   map[hash]*session  // guarded by mu
	links map[hash]time.Time // until when each is a way in; guarded by mu
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, all: map[hash]*session{}, links: map[hash]time.Time{}}
}

// link returns the secret of a new link.
func (s *sessions) link() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.links) >= mostLinks {
		s.dropOldestLocked()
	}
	secret := rand.Text() // 128 bits at least
	s.links[sha256.Sum256([]byte(secret))] = s.now().Add(linkLasts)
	return secret
}

func (s *sessions) dropOldestLocked() {
	var oldest hash
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
	until, ok := s.links[sha256.Sum256([]byte(secret))]
	return ok && s.now().Before(until)
}

// begin begins a session by a link, which it uses up.
func (s *sessions) begin(secret string) (cookie string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := sha256.Sum256([]byte(secret))
	until, ok := s.links[h]
	delete(s.links, h)
	if !ok || !s.now().Before(until) {
		return "", false
	}
	for len(s.all) >= mostSessions {
		var oldest hash
		var at time.Time
		for h, one := range s.all {
			if at.IsZero() || one.until.Before(at) {
				oldest, at = h, one.until
			}
		}
		delete(s.all, oldest)
	}
	cookie = rand.Text()
	s.all[sha256.Sum256([]byte(cookie))] = &session{until: s.now().Add(sessionLasts)}
	return cookie, true
}

// of returns the session of a request; nil where it has none.
func (s *sessions) of(r *http.Request) *session {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[sha256.Sum256([]byte(c.Value))]
	if one == nil || !s.now().Before(one.until) {
		return nil
	}
	return one
}

// end ends the session of a request.
func (s *sessions) end(r *http.Request) {
	if c, err := r.Cookie(cookieName); err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.all, sha256.Sum256([]byte(c.Value)))
	}
}

// Link returns the path of a way in, for one use within a few minutes.
func (p *Page) Link() string { return "/login?link=" + p.sessions.link() }

// inside lets a request through that has a session, and tells others the way in.
func (p *Page) inside(f func(http.ResponseWriter, *http.Request, *session)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := p.sessions.of(r)
		if s == nil {
			p.write(w, http.StatusUnauthorized, nil, view{Title: "Closed", Template: "closed.html"})
			return
		}
		f(w, r, s)
	}
}

// showLogin shows the button behind which a session begins. It uses up no link.
func (p *Page) showLogin(w http.ResponseWriter, r *http.Request) {
	secret := r.FormValue("link")
	if !p.sessions.holds(secret) {
		p.write(w, http.StatusForbidden, nil, view{Title: "Closed", Template: "closed.html", Data: stale})
		return
	}
	p.write(w, http.StatusOK, nil, view{Title: "Log in", Template: "login.html", Data: secret})
}

const stale = "This link is no way in any more: it was used, or is older than five minutes."

func (p *Page) login(w http.ResponseWriter, r *http.Request) {
	cookie, ok := p.sessions.begin(r.PostFormValue("link"))
	if !ok {
		p.write(w, http.StatusForbidden, nil, view{Title: "Closed", Template: "closed.html", Data: stale})
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: cookie, Path: "/", MaxAge: int(sessionLasts / time.Second), HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (p *Page) logout(w http.ResponseWriter, r *http.Request, _ *session) {
	p.sessions.end(r)
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
