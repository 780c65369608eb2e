package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"moot/internal/bot"
	"moot/internal/files"
	"moot/internal/site"
)

const (
	// livePatience is how long the loop may take to come to a step before it does not live.
	livePatience = 15 * time.Second
	// leastFree is how much space the disk has to have for the bot to be ready.
	leastFree = 20 << 20
	// newcomer is for how long a network may be out of reach without the bot not being ready: it comes and goes.
	newcomer = 2 * time.Minute
)

// Listen listens on an address of this machine, or on "unix:" and the path of a socket, which only this user can
// reach. A socket that was left over is replaced.
func Listen(address string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, "unix:")
	if !isUnix {
		return net.Listen("tcp", address)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Serve answers on a listener until the context ends, which is no error, and closes it. What it does not know itself is
// answered by page; nil means that there is nothing else.
func (m *Metrics) Serve(ctx context.Context, l net.Listener, page http.Handler, log *slog.Logger) error {
	s := &http.Server{
		Handler: m.Handler(page), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return ctx }, // an answer that goes on for ever ends with the bot
	}
	return site.Serve(ctx, s, l)
}

// HookPath begins the paths to which webhooks are posted.
const HookPath = "/hook/"

// Hooks lets webhooks be answered, by their paths. It is called before Serve.
func (m *Metrics) Hooks(hooks http.Handler) { m.hooks = hooks }

// Handler answers /metrics, /livez, /healthz (which is the same) and /readyz, and lets page answer the rest; nil means that
// there is nothing else.
func (m *Metrics) Handler(page http.Handler) http.Handler {
	mux := http.NewServeMux()
	if page != nil {
		mux.Handle("/", page)
	}
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	mux.HandleFunc("GET /livez", m.livez)
	mux.HandleFunc("GET /healthz", m.livez)
	mux.HandleFunc("GET /readyz", m.readyz)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.hooks != nil && strings.HasPrefix(r.URL.Path, HookPath) {
			m.hooks.ServeHTTP(w, r) // those who post know a secret, and come by whatever name a web server has
			return
		}
		if !site.OwnName(r) {
			http.Error(w, "This is for programs on this machine.", http.StatusForbidden)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	})
}

func (m *Metrics) livez(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), livePatience)
	defer cancel()
	if _, err := m.sources.Live(ctx); err != nil {
		http.Error(w, "the loop does not come to a step: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// Check is how one thing is that the bot needs.
type Check struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Text  string `json:"text,omitempty"`
}

// Ready says how each thing is that the bot needs for its work.
func (m *Metrics) Ready(ctx context.Context) (all []Check) {
	ctx, cancel := context.WithTimeout(ctx, livePatience)
	defer cancel()
	began := time.Now()
	held, err := m.sources.Live(ctx)
	loop := Check{"loop", err == nil && held == nil, "made a step within " + time.Since(began).Round(time.Millisecond).String()}
	switch {
	case errors.Is(err, bot.ErrStopping):
		loop.Text = "the bot is stopping"
	case err != nil:
		loop.Text = "does not come to a step: " + err.Error()
	case held != nil:
		loop.Text = "holds still: " + held.Error()
	}
	if m.sources.Standby != nil {
		loop = readyStandby(m.sources.Standby())
	}
	all = append(all, loop)
	for _, n := range m.sources.Networks() {
		if _, is := n.Network.Service(); is {
			continue // nobody talks there, and one that an operator has paused keeps the bot from nothing
		}
		c := Check{"network " + string(n.Network), n.Up || n.Fault == "" && time.Since(n.Since) < newcomer, "can be reached"}
		switch {
		case n.Fault != "":
			c.Text = n.Fault
		case !n.Up:
			c.Text = "cannot be reached since " + n.Since.UTC().Format(time.RFC3339)
		}
		all = append(all, c)
	}
	if free, ok := files.Free(m.sources.Folder); ok {
		all = append(all, Check{"disk", free >= leastFree, fmt.Sprintf("%d MiB free", free>>20)})
	}
	return all
}

// outOfSight is after how long a standby that does not see the log is not ready to take over.
const outOfSight = 10 * time.Second

func readyStandby(s Standby) Check {
	switch {
	case s.Seen.IsZero():
		return Check{"standby", false, "has not come to the log yet"}
	case time.Since(s.Seen) > outOfSight:
		return Check{"standby", false, "has not seen the log since " + s.Seen.UTC().Format(time.RFC3339)}
	}
	return Check{"standby", true, fmt.Sprintf("%s leads, and this machine is %d changes behind", s.Leader, s.Behind)}
}

func (m *Metrics) readyz(w http.ResponseWriter, r *http.Request) {
	all := m.Ready(r.Context())
	w.Header().Set("Content-Type", "application/jsonl")
	for _, c := range all {
		if !c.OK {
			w.WriteHeader(http.StatusServiceUnavailable)
			break
		}
	}
	enc := json.NewEncoder(w)
	for _, c := range all {
		if enc.Encode(c) != nil {
			return // nobody reads it any more
		}
	}
}
