package page

import (
	"context"
	"embed"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"moot/backup"
	"moot/internal/bot"
	"moot/internal/inspect"
	"moot/internal/site"
	"moot/protocol"
	"moot/services"
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
	// Jobs are those of services, and Order has one of them tried again, or dropped, and says what came of it; nil means that there are
	// no services.
	Jobs  func(services.JobQuery) (services.JobPage, error)
	Order func(ctx context.Context, what protocol.OrderKind, job protocol.Key) (string, error)
	// Standby says which machine leads where this one stands by; nil where it leads, or is alone.
	Standby func() string
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
	*site.Site
}

// The words of a site, which all pages here use.
type (
	session = site.Session
	view    = site.View
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var static embed.FS

// cookieName is the name of the cookie of a session.
const cookieName = "moot-session"

// liveScript is the path of the script of the live log.
const liveScript = "/live.js"

// places are the pages, in the order of the menu.
var places = []site.Place{
	{Path: "/", Name: "Overview"}, {Path: "/rooms", Name: "Rooms"}, {Path: "/votes", Name: "Votes"}, {Path: "/outbox", Name: "Outbox"},
	{Path: "/dead", Name: "Dead letters"}, {Path: "/jobs", Name: "Jobs"}, {Path: "/events", Name: "Events"}, {Path: "/networks", Name: "Networks"}, {Path: "/backups", Name: "Backups"},
	{Path: "/log", Name: "Log"},
}

// New returns a page to which nobody has a way in yet.
func New(c Config) *Page {
	templates, err := fs.Sub(templateFiles, "templates")
	if err != nil {
		panic(err) // they were embedded
	}
	p := &Page{Config: c, Site: site.New(site.Config{
		Places: places, Version: c.Version, Command: "moot web", Cookie: cookieName, Templates: templates, Functions: functions, Log: c.Log,
	})}
	p.Open("GET "+liveScript, site.Asset(static, "static/live.js", "text/javascript"))
	views := map[string]func(*http.Request) (view, error){
		"/{$}": p.overview, "/rooms": p.rooms, "/room": p.room, "/votes": p.votes, "/vote": p.vote, "/outbox": p.outbox,
		"/dead": p.dead, "/jobs": p.jobs, "/events": p.events, "/networks": p.networks, "/backups": p.backups, "/log": p.logPage,
	}
	for path, f := range views {
		p.Handle("GET "+path, func(w http.ResponseWriter, r *http.Request, s *session) { p.show(w, r, s, f) })
	}
	p.Handle("GET /log/stream", p.stream)
	p.Handle("POST /dead", p.changeDead)
	p.Handle("POST /jobs", p.changeJob)
	return p
}

// show shows what a function finds.
func (p *Page) show(w http.ResponseWriter, r *http.Request, s *session, find func(*http.Request) (view, error)) {
	v, err := find(r)
	if err != nil {
		p.refuse(w, s, err)
		return
	}
	p.Write(w, http.StatusOK, s, v)
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
	p.Write(w, status, s, view{Title: "Not here", Template: "refused.html", Data: text})
}

var functions = template.FuncMap{
	"ago":   func(t time.Time) string { return site.Span(time.Since(t)) },
	"bytes": inspect.Bytes,
	"list":  func(caption, when string, rows any) list { return list{caption, when, rows} },
}

// list is a table of votes or of what is sent.
type list struct {
	Caption, When string
	Rows          any
}
