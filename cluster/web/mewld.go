package web

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"moot/cluster/fleet"
	"moot/internal/site"
)

// The shapes of mewld, with its names.
type (
	clusterMap struct {
		ID     int
		Name   string
		Shards []int
	}
	instance struct {
		StartedAt        time.Time
		SessionID        string
		ClusterID        int
		Shards           []int
		Active           bool
		ClusterHealth    []fleet.Health
		CurrentlyKilling bool
		LockClusterTime  *time.Time
		LaunchedFully    bool
		LastChecked      time.Time
	}
	startLimit struct {
		Total          int   `json:"total"`
		Remaining      int   `json:"remaining"`
		ResetAfter     int64 `json:"reset_after"`
		MaxConcurrency int   `json:"max_concurrency"`
	}
	gatewayBot struct {
		URL    string     `json:"url"`
		Shards int        `json:"shards"`
		Limit  startLimit `json:"session_start_limit"`
	}
	instanceList struct {
		LastClusterStartedAt time.Time
		Map                  []clusterMap
		Instances            []instance
		ShardCount           int
		GetGatewayBot        gatewayBot
		Dir                  string
		RollRestarting       bool
		FullyUp              bool
	}
)

func (p *Page) instanceList(w http.ResponseWriter, _ *http.Request, _ *site.Session) {
	v := p.View()
	g := v.Gateway
	list := instanceList{
		LastClusterStartedAt: v.LastStart, ShardCount: v.Shards, Dir: p.Folder, FullyUp: v.FullyUp,
		GetGatewayBot:  gatewayBot{g.URL, g.Shards, startLimit{g.Total, g.Remaining, g.ResetAfter.Milliseconds(), g.MaxConcurrency}},
		RollRestarting: v.Operation != nil && v.Operation.Kind == fleet.RollingRestart,
	}
	for _, c := range v.Clusters {
		list.Map = append(list.Map, clusterMap{c.ID, c.Name, c.Shards})
		session := ""
		if c.Alive {
			session = strconv.FormatUint(c.Run, 10)
		}
		list.Instances = append(list.Instances, instance{
			StartedAt: c.StartedAt, SessionID: session, ClusterID: c.ID, Shards: c.Shards, Active: c.Alive, ClusterHealth: c.Health,
			CurrentlyKilling: c.State == fleet.Stopping, LaunchedFully: c.Launched, LastChecked: c.Checked,
		})
	}
	p.json(w, http.StatusOK, list)
}

func (p *Page) actionLogs(w http.ResponseWriter, r *http.Request, _ *site.Session) {
	all, err := p.Actions(r.Context())
	if err != nil {
		p.Log.Error("the action log cannot be read", "err", err)
		p.json(w, http.StatusInternalServerError, map[string]string{"error": "Redis does not give the action log"})
		return
	}
	p.json(w, http.StatusOK, all)
}

func (p *Page) clusterHealth(w http.ResponseWriter, r *http.Request, _ *site.Session) {
	cid := r.FormValue("cid")
	if cid == "" {
		cid = "0"
	}
	_, err := strconv.Atoi(cid)
	c, ok := p.find(cid)
	switch {
	case err != nil:
		p.json(w, http.StatusBadRequest, map[string]string{"error": "Invalid cid, could not parse as int"})
	case !ok:
		p.json(w, http.StatusBadRequest, map[string]string{"error": "Invalid cid, no such instance"})
	case !c.Launched:
		p.json(w, http.StatusBadRequest, map[string]string{"error": "Instance not fully launched"})
	default:
		p.json(w, http.StatusOK, struct {
			Locked bool           `json:"locked"`
			Health []fleet.Health `json:"health"`
		}{c.State == fleet.Stopping, c.Health})
	}
}

func (p *Page) publish(w http.ResponseWriter, r *http.Request, _ *site.Session) {
	text, err := io.ReadAll(r.Body)
	if err != nil || !json.Valid(text) {
		p.json(w, http.StatusBadRequest, map[string]string{"error": "this is no JSON of at most 4 KiB"})
		return
	}
	p.Log.Info("something was published by the page")
	p.Publish(text)
}

func (p *Page) json(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.Log.Debug("an answer was not taken", "err", err)
	}
}
