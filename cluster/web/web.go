// Package web is the page of `moot cluster`, with the routes of mewld beside it, for those who are logged in.
//
// # Promises
//
//   - The way in and what browsers are held to are those of package site.
//   - Pages need no scripts. What stops something asks first.
//   - GET /ping, /instance-list, /action-logs and /cluster-health and POST /redis/pub answer what mewld answers, but that health is 200, that
//     nothing is told to pages of other origins, and that who is outside gets 401 in place of a way to a login at Discord. A program sends what
//     the cookie has in the header X-Session.
package web

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"moot/cluster/fleet"
	"moot/internal/site"
)

// Config says what is shown. Its functions may be called concurrently.
type Config struct {
	Version, Channel, Folder string
	Started                  time.Time
	// Reshard is whether a reshard may be asked for.
	Reshard bool
	// View is what the fleet is like.
	View func() fleet.View
	// Command has something done, and says what came of it.
	Command func(ctx context.Context, a fleet.Action, id int) (string, error)
	// Actions are the action log, the oldest first.
	Actions func(ctx context.Context) ([]map[string]any, error)
	// Publish publishes on the channel.
	Publish func([]byte)
	// Take takes a link that `moot cluster web` has made.
	Take func(context.Context, site.Hash) bool
	Now  func() time.Time
	Log  *slog.Logger
}

// Page is the page. It is an http.Handler for requests that name this machine, and refuses others.
type Page struct {
	Config
	*site.Site
}

//go:embed templates/*.html
var templateFiles embed.FS

// cookieName is the name of the cookie of a session.
const cookieName = "moot-cluster-session"

// New returns a page to which nobody has a way in yet.
func New(c Config) *Page {
	templates, err := fs.Sub(templateFiles, "templates")
	if err != nil {
		panic(err) // they were embedded
	}
	p := &Page{Config: c}
	p.Site = site.New(site.Config{
		Places:  []site.Place{{Path: "/", Name: "Clusters"}, {Path: "/actions", Name: "Action log"}},
		Version: c.Version, Command: "moot cluster web -c config.yaml", Cookie: cookieName, Header: "X-Session", Take: c.Take, Templates: templates,
		Functions: template.FuncMap{"ago": func(t time.Time) string { return ago(t, c.Now()) }, "shards": shardsText}, Log: c.Log,
	})
	p.Handle("GET /{$}", p.overview)
	p.Handle("GET /cluster", p.cluster)
	p.Handle("GET /actions", p.actions)
	p.Handle("POST /do", p.do)
	p.Handle("GET /ping", func(w http.ResponseWriter, _ *http.Request, _ *site.Session) { _, _ = io.WriteString(w, "pong") })
	p.Handle("GET /instance-list", p.instanceList)
	p.Handle("GET /action-logs", p.actionLogs)
	p.Handle("GET /cluster-health", p.clusterHealth)
	p.Handle("POST /redis/pub", p.publish)
	return p
}

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !site.OwnName(r) {
		http.Error(w, "This is for browsers and programs on this machine.", http.StatusForbidden)
		return
	}
	p.Site.ServeHTTP(w, r)
}

// Serve answers on a listener until the context ends, which is no error, and closes it.
func (p *Page) Serve(ctx context.Context, l net.Listener) error {
	s := &http.Server{
		Handler: p, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(p.Log.Handler(), slog.LevelDebug),
	}
	return site.Serve(ctx, s, l)
}

// row is what is shown of a cluster.
type row struct {
	fleet.ClusterView
	Up      int // shards that are up
	Latency float64
	Guilds  uint64
	Users   uint64
	Bad     bool
}

func rowOf(c fleet.ClusterView) row {
	r := row{ClusterView: c, Bad: c.State == fleet.Unresponsive || c.State == fleet.BackingOff}
	sum := 0.0
	for _, h := range c.Health {
		if h.Up {
			r.Up++
			sum += h.Latency
		}
		r.Guilds += h.Guilds
		r.Users += h.Users
	}
	if r.Up > 0 {
		r.Latency = sum / float64(r.Up)
	}
	return r
}

// CanStart and CanStop say which orders make sense.
func (r row) CanStart() bool { return r.State == fleet.Stopped || r.State == fleet.BackingOff }

// CanStop reports whether there is something to stop.
func (r row) CanStop() bool { return r.State != fleet.Stopped && r.State != fleet.Stopping }

func rowsOf(all []fleet.ClusterView) []row {
	var rows []row
	for _, c := range all {
		rows = append(rows, rowOf(c))
	}
	return rows
}

func (p *Page) overview(w http.ResponseWriter, _ *http.Request, s *site.Session) {
	v := p.View()
	data := struct {
		Config
		fleet.View
		Rows, Former []row
		Up           int
		Guilds       uint64
		ResetAfter   string
	}{Config: p.Config, View: v, Rows: rowsOf(v.Clusters), Former: rowsOf(v.Others), ResetAfter: site.Span(v.Gateway.ResetAfter)}
	for _, r := range data.Rows {
		if data.Guilds += r.Guilds; r.State == fleet.Up {
			data.Up++
		}
	}
	p.Write(w, http.StatusOK, s, site.View{Title: "Clusters", Template: "clusters.html", Data: data})
}

// find returns the cluster that a request names.
func (p *Page) find(id string) (fleet.ClusterView, bool) {
	n, err := strconv.Atoi(id)
	all := p.View().Clusters
	if err != nil || n < 0 || n >= len(all) {
		return fleet.ClusterView{}, false
	}
	return all[n], true
}

func (p *Page) cluster(w http.ResponseWriter, r *http.Request, s *site.Session) {
	c, ok := p.find(r.FormValue("id"))
	if !ok {
		p.Write(w, http.StatusNotFound, s, site.View{Title: "Not here", Template: "refused.html", Data: "There is no such cluster."})
		return
	}
	p.Write(w, http.StatusOK, s, site.View{Title: fmt.Sprintf("Cluster %d, %s", c.ID, c.Name), Template: "cluster.html", Data: rowOf(c)})
}

// action is an entry of the action log, as it is shown.
type action struct {
	Time    time.Time
	Event   string
	Details string
}

func (p *Page) actions(w http.ResponseWriter, r *http.Request, s *site.Session) {
	all, err := p.Actions(r.Context())
	if err != nil {
		p.Log.Error("the action log cannot be read", "err", err)
		p.Write(w, http.StatusBadGateway, s, site.View{Title: "Not here", Template: "refused.html", Data: "Redis does not give the action log. The log of the launcher says why."})
		return
	}
	var shown []action
	for i := len(all) - 1; i >= 0; i-- {
		one := action{Event: fmt.Sprint(all[i]["event"])}
		if ts, is := all[i]["ts"].(float64); is {
			one.Time = time.UnixMicro(int64(ts))
		}
		delete(all[i], "event")
		delete(all[i], "ts")
		if text, err := json.Marshal(all[i]); err == nil && len(all[i]) > 0 {
			one.Details = string(text)
		}
		shown = append(shown, one)
	}
	p.Write(w, http.StatusOK, s, site.View{Title: "Action log", Template: "actions.html", Data: shown})
}

// do has something done that a form asks for.
func (p *Page) do(w http.ResponseWriter, r *http.Request, s *site.Session) {
	id, a := 0, fleet.Action(r.PostFormValue("do"))
	back := "/"
	switch a {
	case fleet.Start, fleet.Stop, fleet.Restart:
		c, ok := p.find(r.PostFormValue("id"))
		if !ok {
			p.notUnderstood(w, s)
			return
		}
		id, back = c.ID, "/cluster?id="+strconv.Itoa(c.ID)
	case fleet.RollingRestart, fleet.Reshard:
	default:
		p.notUnderstood(w, s)
		return
	}
	text, err := p.Command(r.Context(), a, id)
	switch {
	case err != nil:
		text = "The launcher is ending."
	case text == "ok":
		p.Log.Info("something was ordered on the page", "what", a, "cluster", id)
		text = done[a]
	default:
		text = strings.ToUpper(text[:1]) + text[1:] + "."
	}
	s.Say(text)
	http.Redirect(w, r, back, http.StatusSeeOther)
}

// done says that an order is under way.
var done = map[fleet.Action]string{
	fleet.Start: "The cluster is started when its turn comes.", fleet.Stop: "The cluster is told to end.",
	fleet.Restart: "The cluster is restarted when its turn comes.", fleet.RollingRestart: "The clusters are restarted, one after another.",
	fleet.Reshard: "Discord is asked for the number of shards. The clusters of before work on until the next ones are up.",
}

func (p *Page) notUnderstood(w http.ResponseWriter, s *site.Session) {
	p.Write(w, http.StatusBadRequest, s, site.View{Title: "Not understood", Template: "refused.html", Data: "This was no order of this page."})
}

// ago writes how long ago a time was.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return site.Span(now.Sub(t))
}

// shardsText writes shards, which follow one another, by the first and the last.
func shardsText(shards []int) string {
	if len(shards) < 2 {
		return strings.Trim(fmt.Sprint(shards), "[]")
	}
	return fmt.Sprintf("%d–%d", shards[0], shards[len(shards)-1])
}
