// Package site is what the pages of moot in a browser have in common: the way in, what browsers are held to, and the shell around each page.
//
// # Promises
//
//   - Nobody sees anything but the way in without a session. A session begins with a link that holds for one use and five minutes; the
//     page behind it begins the session when somebody presses its button, so that a program that only looks at links uses none up.
//   - A session is a cookie that no script can read and no other site can send, for twelve hours; what is kept of it is a hash, in memory.
//   - Nothing is changed by a GET, and no other site can have anything changed (http.CrossOriginProtection).
//   - Pages load nothing from elsewhere, and run no script but one of their own where they name it; a Content-Security-Policy holds
//     browsers to that.
//   - [OwnName] tells a request for this machine from one that was only led here (DNS rebinding). Who serves a site asks it.
package site

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Config says what a site is.
type Config struct {
	// Places are the pages, in the order of the menu.
	Places []Place
	// Version is that of the program, and Command the one that gives a link.
	Version, Command string
	// Cookie is the name of the cookie, which is not that of any other program on this machine: cookies do not know ports.
	Cookie string
	// Header is a header that stands for the cookie where a program asks; "" means none.
	Header string
	// Take takes a link that another program has made, by its hash, and reports whether there was one; nil means that there are none.
	Take func(context.Context, Hash) bool
	// Templates are those of the pages, each of which defines content; parts.html, if there, is for all of them.
	Templates fs.FS
	// Functions are for the templates, beside moment.
	Functions template.FuncMap
	Log       *slog.Logger
}

// Place is a page in the menu.
type Place struct{ Path, Name string }

// Site is the common part of a page. It is an http.Handler for all that was handed to Handle and Open.
type Site struct {
	Config
	sessions  *sessions
	templates map[string]*template.Template
	mux       *http.ServeMux
	handler   http.Handler
}

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var static embed.FS

// New returns a site to which nobody has a way in yet, and that has no pages but that one.
func New(c Config) *Site {
	p := &Site{Config: c, sessions: newSessions(time.Now), templates: map[string]*template.Template{}, mux: http.NewServeMux()}
	functions := template.FuncMap{"moment": Moment}
	for name, f := range c.Functions {
		functions[name] = f
	}
	shell := template.Must(template.New("").Funcs(functions).ParseFS(templateFiles, "templates/shell.html"))
	if _, err := fs.Stat(c.Templates, "parts.html"); err == nil {
		template.Must(shell.ParseFS(c.Templates, "parts.html"))
	}
	common, err := fs.Sub(templateFiles, "templates")
	if err != nil {
		panic(err) // they were embedded
	}
	for _, from := range []fs.FS{common, c.Templates} {
		names, err := fs.Glob(from, "*.html")
		if err != nil {
			panic(err) // the pattern is well formed
		}
		for _, name := range names {
			if name != "shell.html" && name != "parts.html" {
				p.templates[name] = template.Must(template.Must(shell.Clone()).ParseFS(from, name))
			}
		}
	}
	p.Open("GET /login", p.showLogin)
	p.Open("POST /login", p.login)
	p.Open("GET /style.css", Asset(static, "static/style.css", "text/css"))
	p.Open("GET /icon.svg", Asset(static, "static/icon.svg", "image/svg+xml"))
	p.Handle("POST /logout", p.logout)
	p.Handle("/", func(w http.ResponseWriter, r *http.Request, s *Session) {
		p.Write(w, http.StatusNotFound, s, View{Title: "Not here", Template: "refused.html", Data: "There is no such page."})
	})
	p.handler = http.NewCrossOriginProtection().Handler(p.mux)
	return p
}

// Open lets a path be answered to everybody, and Handle to those who are inside.
func (p *Site) Open(pattern string, f http.HandlerFunc) { p.mux.HandleFunc(pattern, f) }

// Handle lets a path be answered to those who are inside.
func (p *Site) Handle(pattern string, f func(http.ResponseWriter, *http.Request, *Session)) {
	p.mux.HandleFunc(pattern, p.Inside(f))
}

// Policy is what browsers are held to. A page with a script may run those of its own origin besides.
const (
	Policy       = "default-src 'none'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	ScriptPolicy = Policy + "; script-src 'self'"
)

// ServeHTTP implements http.Handler.
func (p *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", Policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin") // with less, a browser would call the origin of its own forms "null"
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	p.handler.ServeHTTP(w, r)
}

// Asset answers with a file that was embedded.
func Asset(files fs.FS, name, kind string) http.HandlerFunc {
	data, err := fs.ReadFile(files, name)
	if err != nil {
		panic(err) // it was embedded
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind+"; charset=utf-8")
		_, _ = w.Write(data) // whoever is gone needs it no more
	}
}

// View is what one page shows.
type View struct {
	Title    string
	Template string
	Data     any
	Script   string // the path of the one script that it runs; "" for none
}

// shell is what stands around each page.
type shell struct {
	View
	Places  []Place
	Inside  bool
	Said    string // what came of what was just done
	Version string
}

// Write writes a page. It is made as a whole first: what fails is no half page. The session is nil for those who are not inside.
func (p *Site) Write(w http.ResponseWriter, status int, s *Session, v View) {
	around := shell{View: v, Places: p.Places, Inside: s != nil, Version: p.Version}
	if s != nil {
		around.Said = s.takeSaid()
	}
	var out bytes.Buffer
	if err := p.templates[v.Template].ExecuteTemplate(&out, "shell.html", around); err != nil {
		p.Log.Error("the page could not be shown", "err", err)
		http.Error(w, "This could not be shown. The log says why.", http.StatusInternalServerError)
		return
	}
	if v.Script != "" {
		w.Header().Set("Content-Security-Policy", ScriptPolicy)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // whoever is gone needs it no more
}

// Moment writes a time.
func Moment(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// OwnName reports whether a request names this machine, or came by a socket. A page of another name that has been made to lead here
// (DNS rebinding) names that.
func OwnName(r *http.Request) bool {
	if at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && at.Network() == "unix" {
		return true
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = strings.Trim(r.Host, "[]")
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
