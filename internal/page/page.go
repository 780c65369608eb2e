package page

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"moot/backup"
	"moot/internal/bot"
	"moot/internal/inspect"
)

// Config says what is shown.
type Config struct {
	Inspector *inspect.Inspector
	// Version is that of the program, Started when it was started, and Folder its data folder.
	Version string
	Started time.Time
	Folder  string
	// Networks say how each network fares, and Shards which connections there are; nil means that there are none.
	Networks func() []bot.NetworkStatus
	Shards   func() []Shard
	// Backups are those that the bot has made since its start, the last first, and when it last made one or added to one.
	Backups func() (made []backup.Backup, last time.Time)
	// Retry has a dead letter tried again and says what came of it, and Drop lets go of one.
	Retry func(ctx context.Context, id uint64) (string, error)
	Drop  func(ctx context.Context, id uint64) error
	// Tail is the log of the bot.
	Tail *Tail
	Log  *slog.Logger
}

// Shard is one of the connections to a network.
type Shard struct {
	Number int
	Up     bool
}

// Page is the page. It is an http.Handler for everything that nobody else answers.
type Page struct {
	Config
	sessions *sessions
	handler  http.Handler
}

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var static embed.FS

// places are the pages, in the order of the menu.
var places = []struct{ Path, Name string }{
	{"/", "Overview"}, {"/rooms", "Rooms"}, {"/votes", "Votes"}, {"/outbox", "Outbox"}, {"/dead", "Dead letters"},
	{"/events", "Events"}, {"/networks", "Networks"}, {"/backups", "Backups"}, {"/log", "Log"},
}

// New returns a page to which nobody has a way in yet.
func New(c Config) *Page {
	p := &Page{Config: c, sessions: newSessions(time.Now)}
	mux := http.NewServeMux()
	open := map[string]http.HandlerFunc{
		"GET /login": p.showLogin, "POST /login": p.login, "GET /style.css": asset("style.css", "text/css"), "GET /live.js": asset("live.js", "text/javascript"),
		"GET /icon.svg": asset("icon.svg", "image/svg+xml"),
	}
	for pattern, f := range open {
		mux.HandleFunc(pattern, f)
	}
	views := map[string]func(*http.Request) (view, error){
		"/{$}": p.overview, "/rooms": p.rooms, "/room": p.room, "/votes": p.votes, "/vote": p.vote, "/outbox": p.outbox,
		"/dead": p.dead, "/events": p.events, "/networks": p.networks, "/backups": p.backups, "/log": p.logPage,
	}
	for path, f := range views {
		mux.HandleFunc("GET "+path, p.inside(func(w http.ResponseWriter, r *http.Request, s *session) { p.show(w, r, s, f) }))
	}
	mux.HandleFunc("GET /log/stream", p.inside(p.stream))
	mux.HandleFunc("POST /dead", p.inside(p.changeDead))
	mux.HandleFunc("POST /logout", p.inside(p.logout))
	mux.HandleFunc("/", p.inside(func(w http.ResponseWriter, r *http.Request, s *session) {
		p.write(w, http.StatusNotFound, s, view{Title: "Not here", Template: "refused.html", Data: "There is no such page."})
	}))
	p.handler = http.NewCrossOriginProtection().Handler(mux)
	return p
}

// policy is what browsers are held to. The page of the live log may run scripts of the bot besides.
const (
	policy     = "default-src 'none'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	livePolicy = policy + "; script-src 'self'"
)

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin") // with less, a browser would call the origin of its own forms "null"
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	p.handler.ServeHTTP(w, r)
}

func asset(name, kind string) http.HandlerFunc {
	data, err := static.ReadFile("static/" + name)
	if err != nil {
		panic(err) // it was embedded
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind+"; charset=utf-8")
		_, _ = w.Write(data) // whoever is gone needs it no more
	}
}

// view is what one page shows.
type view struct {
	Title    string
	Template string
	Data     any
	Live     bool // whether it runs the script of the live log
}

// show shows what a function finds.
func (p *Page) show(w http.ResponseWriter, r *http.Request, s *session, find func(*http.Request) (view, error)) {
	v, err := find(r)
	if err != nil {
		p.refuse(w, s, err)
		return
	}
	p.write(w, http.StatusOK, s, v)
}

// refuse says why something cannot be shown or done.
func (p *Page) refuse(w http.ResponseWriter, s *session, err error) {
	status, text := http.StatusInternalServerError, "This could not be read. The log of the bot says why."
	switch {
	case isQuestion(err):
		status, text = http.StatusNotFound, err.Error()
	default:
		p.Log.Error("the page could not be shown", "err", err)
	}
	p.write(w, status, s, view{Title: "Not here", Template: "refused.html", Data: text})
}

// shell is what stands around each page.
type shell struct {
	view
	Places  []struct{ Path, Name string }
	Inside  bool
	Said    string // what came of what was just done
	Version string
}

// write writes a page. It is made as a whole first: what fails is no half page.
func (p *Page) write(w http.ResponseWriter, status int, s *session, v view) {
	around := shell{view: v, Places: places, Inside: s != nil, Version: p.Version}
	if s != nil {
		around.Said = s.takeSaid()
	}
	var out bytes.Buffer
	if err := templates[v.Template].ExecuteTemplate(&out, "shell.html", around); err != nil {
		p.Log.Error("the page could not be shown", "err", err)
		http.Error(w, "This could not be shown. The log of the bot says why.", http.StatusInternalServerError)
		return
	}
	if v.Live {
		w.Header().Set("Content-Security-Policy", livePolicy)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // whoever is gone needs it no more
}

// templates are those of the pages by their files, each with the shell around it.
var templates = func() map[string]*template.Template {
	shell := template.Must(template.New("").Funcs(functions).ParseFS(templateFiles, "templates/shell.html", "templates/parts.html"))
	all := map[string]*template.Template{}
	entries, err := templateFiles.ReadDir("templates")
	if err != nil {
		panic(err) // they were embedded
	}
	for _, e := range entries {
		if name := e.Name(); name != "shell.html" && name != "parts.html" {
			all[name] = template.Must(template.Must(shell.Clone()).ParseFS(templateFiles, "templates/"+name))
		}
	}
	return all
}()

var functions = template.FuncMap{
	"moment": func(t time.Time) string {
		if t.IsZero() {
			return "–"
		}
		return t.UTC().Format("2006-01-02 15:04:05")
	},
	"ago":   func(t time.Time) string { return span(time.Since(t)) },
	"bytes": inspect.Bytes,
	"list":  func(caption, when string, rows any) list { return list{caption, when, rows} },
}

// list is a table of votes or of what is sent.
type list struct {
	Caption, When string
	Rows          any
}

// span writes a length of time in one or two units.
func span(d time.Duration) string {
	switch d = max(0, d); {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d/time.Second))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d/time.Minute))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d/time.Hour))
	}
	return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
}
