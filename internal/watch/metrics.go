package watch

import (
	"context"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"moot/internal/bot"
	"moot/internal/files"
	"moot/protocol"
	"moot/sealed"
	"moot/store"
)

const (
	// MaxSeries is how many series there are at most.
	MaxSeries = 80
	// MaxCount is up to what is counted that has to be gone through.
	MaxCount = 500
)

// Sources are what a bot is watched by. Its functions may be called concurrently.
type Sources struct {
	Store *store.Store
	// Folder is the data folder.
	Folder string
	// Version is that of the program.
	Version string
	// Networks say how each network fares.
	Networks func() []bot.NetworkStatus
	// Live is that of a Runner.
	Live func(context.Context) (held, err error)
	// Votes counts the votes that are open, up to a limit.
	Votes func(tx *store.Tx, limit int) int
	// Jobs counts the jobs of services that have not come to an end, and Stuck those that have failed, or are ambiguous.
	Jobs, Stuck func(tx *store.Tx) uint64
	// Backup says when the last backup was made; zero where none was.
	Backup func() time.Time
	// Standby says how this machine of several stands by; nil where it leads, or is alone.
	Standby func() Standby
}

// Standby is how a machine stands by.
type Standby struct {
	Leader string    // which leads, or led last
	Behind uint64    // by how many changes this one is behind
	Seen   time.Time // when it saw that
}

// Metrics are what is measured. They are a Meter for the loop, and a Collector of what is looked at with each
// scrape.
type Metrics struct {
	sources  Sources
	registry *prometheus.Registry
	hooks    http.Handler // nil means that there are none

	events   *prometheus.CounterVec
	attempts *prometheus.CounterVec
	steps    prometheus.Histogram

	mu     sync.Mutex
	last   time.Time                      // when the last step was made; guarded by mu
	latest map[protocol.Network]time.Time // when an event of the network was last handled; guarded by mu
}

// NewMetrics returns metrics that measure nothing yet. The sources are given by Watch.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "moot_events_total", Help: "Events of a network, by what became of them.",
		}, []string{"network", "disposition"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "moot_attempts_total", Help: "Attempts to send or to ask something, by how they ended.",
		}, []string{"result"}),
		steps: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "moot_step_seconds", Help: "How long a step of the loop takes: what it handles, and its commit.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1, 5},
		}),
		latest: map[protocol.Network]time.Time{},
	}
	for _, r := range []bot.Result{bot.ResultDone, bot.ResultRefused, bot.ResultAmbiguous, bot.ResultLimited, bot.ResultFailed} {
		m.attempts.WithLabelValues(string(r))
	}
	return m
}

// Stepped implements bot.Meter.
func (m *Metrics) Stepped(took time.Duration, did bot.Counts) {
	m.steps.Observe(took.Seconds())
	for r, n := range did.Attempts {
		m.attempts.WithLabelValues(string(r)).Add(float64(n))
	}
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = now
	for e, n := range did.Events {
		m.events.WithLabelValues(string(e.Network), e.Disposition.String()).Add(float64(n))
		m.latest[e.Network] = now
	}
}

// Watch begins to look at a bot. It is called once.
func (m *Metrics) Watch(s Sources) {
	m.sources = s
	m.registry.MustRegister(m.events, m.attempts, m.steps, m, collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
}

// gauges are what is looked at with each scrape.
var gauges = struct {
	build, goroutines, lastStep                     *prometheus.Desc
	up, since, lastEvent                            *prometheus.Desc
	waiting, oldest, dead, sealed, votes            *prometheus.Desc
	jobs, stuck, standby, behind                    *prometheus.Desc
	change, bytes, memory, seen, diskFree, backedUp *prometheus.Desc
}{
	build:      gauge("moot_build_info", "1, with the version of the program.", "version"),
	goroutines: gauge("moot_goroutines", "Goroutines of the program."),
	lastStep:   gauge("moot_last_step_timestamp_seconds", "When the loop last made a step; it makes one each minute at least."),
	up:         gauge("moot_network_up", "Whether a network can be reached.", "network"),
	since:      gauge("moot_network_since_timestamp_seconds", "Since when it can be reached, or cannot.", "network"),
	lastEvent:  gauge("moot_network_last_event_timestamp_seconds", "When an event of a network was last handled.", "network"),
	waiting:    gauge("moot_outbox_waiting", "Messages and questions that wait to be sent; 500 stands for more."),
	oldest:     gauge("moot_outbox_oldest_seconds", "For how long the oldest of them waits."),
	dead:       gauge("moot_dead_letters", "Events that could not be handled; 500 stands for more."),
	sealed:     gauge("moot_sealed_waiting", "Encrypted events that wait for their key; 500 stands for more."),
	votes:      gauge("moot_votes_open", "Votes that are open; 500 stands for more."),
	jobs:       gauge("moot_jobs_unfinished", "Jobs of services that wait or are worked on."),
	stuck:      gauge("moot_jobs_stuck", "Jobs of services that have failed or are ambiguous, and wait for somebody."),
	standby:    gauge("moot_standby", "Whether this machine stands by, and another one leads."),
	behind:     gauge("moot_standby_behind", "By how many changes it is behind the log of several machines."),
	change:     gauge("moot_store_change", "The number of the last commit that changed something."),
	bytes:      gauge("moot_store_bytes", "Bytes of the database in use, free within it, and of its log.", "part"),
	memory:     gauge("moot_store_memory_bytes", "Bytes of rows that are only in the log and in memory."),
	seen:       gauge("moot_store_seen", "Events that are remembered."),
	diskFree:   gauge("moot_disk_free_bytes", "Bytes that the disk of the data folder still takes."),
	backedUp:   gauge("moot_backup_timestamp_seconds", "When this process last made a backup, or added to one; 0 for never."),
}

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, out) }

// Collect implements prometheus.Collector. What cannot be read is left out: a scrape that lacks it says so.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	g, s := &gauges, m.sources
	send(g.build, 1, s.Version)
	send(g.goroutines, float64(runtime.NumGoroutine()))
	m.mu.Lock()
	if s.Standby == nil { // a standby makes no steps
		send(g.lastStep, stamp(m.last))
	}
	for network, at := range m.latest {
		send(g.lastEvent, stamp(at), string(network))
	}
	m.mu.Unlock()
	for _, n := range s.Networks() {
		up := 0.0
		if n.Up {
			up = 1
		}
		send(g.up, up, string(n.Network))
		send(g.since, stamp(n.Since), string(n.Network))
	}
	if s.Standby != nil {
		send(g.standby, 1)
		send(g.behind, float64(s.Standby().Behind))
	} else {
		send(g.standby, 0)
	}
	if free, ok := files.Free(s.Folder); ok {
		send(g.diskFree, float64(free))
	}
	if s.Backup != nil {
		send(g.backedUp, stamp(s.Backup()))
	}
	if st, err := s.Store.Stats(); err == nil {
		send(g.change, float64(st.Change))
		send(g.bytes, float64(st.Bytes), "used")
		send(g.bytes, float64(st.Free), "free")
		send(g.bytes, float64(st.Log), "log")
		send(g.memory, float64(st.Memory))
		send(g.seen, float64(st.Seen.Events))
	}
	_ = s.Store.View(func(tx *store.Tx) error {
		waiting, dead := 0, 0
		var oldest time.Time
		for q := range tx.Queue("", 0) {
			if oldest.IsZero() || q.Created.Before(oldest) {
				oldest = q.Created
			}
			if waiting++; waiting == MaxCount {
				break
			}
		}
		for range tx.Letters(0) {
			if dead++; dead == MaxCount {
				break
			}
		}
		age := 0.0
		if waiting > 0 {
			age = max(0, time.Since(oldest).Seconds())
		}
		send(g.waiting, float64(waiting))
		send(g.oldest, age)
		send(g.dead, float64(dead))
		send(g.sealed, float64(sealed.Count(tx, MaxCount)))
		if s.Votes != nil {
			send(g.votes, float64(s.Votes(tx, MaxCount)))
		}
		if s.Jobs != nil {
			send(g.jobs, float64(s.Jobs(tx)))
		}
		if s.Stuck != nil {
			send(g.stuck, float64(s.Stuck(tx)))
		}
		return nil
	})
}

func stamp(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
