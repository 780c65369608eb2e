package page

import (
	"net/http"
	"os"
	"time"

	"moot/backup"
	"moot/internal/bot"
	"moot/internal/files"
	"moot/rooms"
	"moot/sealed"
	"moot/store"
	"moot/votes"
)

// most is up to what is counted that has to be gone through.
const most = 500

// overview is how the bot is, in a few numbers.
type overview struct {
	Version, Folder string
	Started         time.Time
	PID             int
	Networks        []bot.NetworkStatus
	Down            int // networks that cannot be reached
	Rooms, Private  int
	Votes           int
	Waiting         int
	Oldest          time.Time // of what waits; zero where nothing does
	Dead, Sealed    int
	Bytes, Free     int64
	Change          uint64
	Backup          time.Time
	Most            int
	Standby         string // which machine leads where this one stands by
}

func (p *Page) overview(*http.Request) (view, error) {
	o := overview{Version: p.Version, Folder: p.Folder, Started: p.Started, PID: os.Getpid(), Networks: p.Networks(), Most: most}
	if p.Standby != nil {
		o.Standby = p.Standby()
	}
	for _, n := range o.Networks {
		if !n.Up {
			o.Down++
		}
	}
	o.Free, _ = files.Free(p.Folder)
	_, o.Backup = p.Backups()
	stats, err := p.Inspector.Store.Stats()
	if err != nil {
		return view{}, err
	}
	o.Bytes, o.Change = stats.Bytes+stats.Log, stats.Change
	err = p.Inspector.Store.View(func(tx *store.Tx) error {
		for info := range rooms.All(tx) {
			switch {
			case !info.Joined():
			case info.Private:
				o.Private++
			default:
				o.Rooms++
			}
		}
		o.Votes, o.Sealed = votes.CountOpen(tx, most), sealed.Count(tx, most)
		for q := range tx.Queue("", 0) {
			if o.Oldest.IsZero() || q.Created.Before(o.Oldest) {
				o.Oldest = q.Created
			}
			if o.Waiting++; o.Waiting == most {
				break
			}
		}
		for range tx.Letters(0) {
			if o.Dead++; o.Dead == most {
				break
			}
		}
		return nil
	})
	return view{Title: "Overview", Template: "overview.html", Data: o}, err
}

func (p *Page) networks(*http.Request) (view, error) {
	data := struct {
		Networks []bot.NetworkStatus
		Shards   []Shard
		Down     int // shards
	}{Networks: p.Networks()}
	if p.Shards != nil {
		data.Shards = p.Shards()
	}
	for _, s := range data.Shards {
		if !s.Up {
			data.Down++
		}
	}
	return view{Title: "Networks", Template: "networks.html", Data: data}, nil
}

func (p *Page) backups(*http.Request) (view, error) {
	var data struct {
		Made []backup.Backup
		Last time.Time
	}
	data.Made, data.Last = p.Backups()
	return view{Title: "Backups", Template: "backups.html", Data: data}, nil
}
