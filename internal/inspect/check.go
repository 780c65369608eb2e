package inspect

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"moot/events"
	"moot/protocol"
	"moot/rooms"
	"moot/sealed"
	"moot/store"
)

// Status is how well something is.
type Status string

// The states. Warn is what somebody should look at; Fail is what keeps the bot from doing its work.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
)

// Finding is one line of a check.
type Finding struct {
	Status Status `json:"status"`
	What   string `json:"what"` // the thing that was looked at
	Text   string `json:"text"` // how it is
	Do     string `json:"do,omitempty"`
}

// CheckQuery says how much is looked at.
type CheckQuery struct {
	// Full reads the whole file and replays the whole log, however long that takes. Commits wait for the first.
	Full bool `json:"full,omitempty"`
}

const (
	// quickFile is the longest file that is read as a whole without being asked to: about a second's work.
	quickFile = 128 << 20
	// recent is how long ago what went wrong in the outbox is still worth a line.
	recent = 24 * time.Hour
	// patience is for how long something may wait in the outbox before that is worth a line.
	patience = 5 * time.Minute
	maxCount = 10_000
)

// Check looks at the store and the log. It does not return a page: a full check takes as long as it takes, or until the
// context ends.
func (d *Desk) Check(ctx context.Context, q CheckQuery) ([]Finding, error) {
	found := []Finding{d.integrity(q)}
	if d.Bus == nil {
		found = append(found, Finding{Fail, "log of facts", d.BusErr.Error(), "put facts.archive back as it was, from the same backup as moot.db"})
	}
	if d.Bus != nil && q.Full {
		found = append(found, d.replay(ctx))
	}
	err := d.Store.View(func(tx *store.Tx) error {
		if d.Bus != nil {
			found = append(found, logLine(tx, d.Bus))
			found = append(found, gapLines(tx, d.Bus)...)
		}
		found = append(found, deadLine(tx))
		found = append(found, sealedLines(tx)...)
		found = append(found, outboxLines(tx)...)
		found = append(found, roomLines(tx)...)
		if d.Features != nil {
			found = append(found, d.Features(tx)...)
		}
		return nil
	})
	return found, err
}

func (d *Desk) integrity(q CheckQuery) Finding {
	const what = "database"
	size := d.Store.Size()
	if size > quickFile && !q.Full {
		return Finding{OK, what, fmt.Sprintf("%s; not read as a whole, because it is large", Bytes(size)), "bot check --full reads it; messages wait meanwhile"}
	}
	if err := d.Store.Check(); err != nil {
		return Finding{Fail, what, protocol.Shorten(protocol.OneLine(err.Error()), 500), "stop the bot and put back the last good backup of the data folder"}
	}
	return Finding{OK, what, Bytes(size) + ", every page read", ""}
}

// replay makes all that the bot knows from its facts again, and compares.
func (d *Desk) replay(ctx context.Context) Finding {
	const what = "replay"
	v, err := d.Verify(ctx)
	switch {
	case err != nil:
		return Finding{Fail, what, protocol.Shorten(protocol.OneLine(err.Error()), 500), "put back the last good backup of the data folder"}
	case v.Difference != "":
		return Finding{Fail, what, v.Difference, "report this as a fault of moot, with this line"}
	}
	return Finding{OK, what, "the facts give exactly what the bot knows", ""}
}

func logLine(tx *store.Tx, bus *events.Bus) Finding {
	last := tx.NextRecord() - 1
	return Finding{OK, "log of facts", fmt.Sprintf("%d facts, of %s", last, count(len(bus.Kinds(tx)), "kind", "kinds")), ""}
}

// gapLines says what networks have kept to themselves lately.
func gapLines(tx *store.Tx, bus *events.Bus) []Finding {
	n, scopes, lost := 0, map[protocol.Scope]bool{}, []string{}
	var last protocol.Gap
	for f, err := range bus.Matching(tx, events.Query{Kind: "room", Filters: map[string]string{"what": "gap"}, Backward: true, Limit: maxCount}) {
		if err != nil || ago(tx, f.Time) > recent {
			break
		}
		var g protocol.Gap
		if f.Decode(&g) != nil {
			continue
		}
		if n++; n == 1 {
			last = g
		}
		scopes[f.Scope] = true
		for _, l := range g.Lost {
			if !slices.Contains(lost, l) {
				lost = append(lost, l)
			}
		}
	}
	if n == 0 {
		return nil
	}
	text := fmt.Sprintf("in the last day the bot was not connected %s in %s, the last time until %s ago",
		count(n, "time", "times"), count(len(scopes), "room", "rooms"), ago(tx, last.Until))
	if len(lost) > 0 {
		text += "; lost: " + strings.Join(lost, ", ")
	}
	return []Finding{{Warn, "missed", text, "bot log --kind room shows when; what is lost the network cannot give back"}}
}

func deadLine(tx *store.Tx) Finding {
	n, retry := 0, 0
	var first store.Letter
	for l := range tx.Letters(0) {
		if n == 0 {
			first = l
		}
		if n++; l.Retry {
			retry++
		}
		if n == maxCount {
			break
		}
	}
	if n == 0 {
		return Finding{OK, "dead letters", "none", ""}
	}
	text := fmt.Sprintf("%s could not be handled, the first %s ago: %s", count(n, "event", "events"), ago(tx, first.Time), protocol.Shorten(protocol.OneLine(first.Error), 100))
	if retry > 0 {
		text += fmt.Sprintf("; %d will be tried again", retry)
	}
	return Finding{Warn, "dead letters", text, "bot dead lists them, bot dead retry ID tries one again, bot dead drop ID lets it go"}
}

func sealedLines(tx *store.Tx) []Finding {
	n := sealed.Count(tx, maxCount)
	if n == 0 {
		return nil
	}
	return []Finding{{Warn, "encryption", fmt.Sprintf("%s for the key that opens it", count(n, "event waits", "events wait")),
		"wait: a key may be late; the room is told of those whose key never comes"}}
}

func outboxLines(tx *store.Tx) []Finding {
	waiting, failing := 0, 0
	var oldest time.Time
	var fault string
	for q := range tx.Queue("", 0) {
		if waiting++; q.Fault != "" {
			failing, fault = failing+1, q.Fault
		}
		if oldest.IsZero() || q.Created.Before(oldest) {
			oldest = q.Created
		}
		if waiting == maxCount {
			break
		}
	}
	line := Finding{OK, "outbox", "nothing waits to be sent", ""}
	if waiting > 0 {
		line.Text = fmt.Sprintf("%s to be sent, the oldest for %s", count(waiting, "message waits", "messages wait"), ago(tx, oldest))
		if failing > 0 {
			line.Text += fmt.Sprintf("; %d were tried in vain, the last one because: %s", failing, protocol.Shorten(protocol.OneLine(fault), 100))
		}
		if failing > 0 || ago(tx, oldest) > patience {
			line.Status, line.Do = Warn, "bot outbox shows them; they go out by themselves when their network takes them"
		}
	}
	lost := map[store.State]int{}
	looked := 0
	for s := range tx.RecentlySent() {
		if looked++; ago(tx, s.Time) > recent || looked > maxCount {
			break
		}
		if s.State == store.StateFailed || s.State == store.StateExpired || s.State == store.StateAmbiguous {
			lost[s.State]++
		}
	}
	if len(lost) == 0 {
		return []Finding{line}
	}
	var parts []string
	for _, s := range []store.State{store.StateFailed, store.StateExpired, store.StateAmbiguous} {
		if n := lost[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return []Finding{line, {Warn, "sent in the last day", strings.Join(parts, ", "), "bot outbox --state failed shows why, and so for the other states"}}
}

func roomLines(tx *store.Tx) []Finding {
	joined, private := 0, 0
	var unknown, outage []rooms.Info
	for info := range rooms.All(tx) {
		switch {
		case !info.Joined():
			continue
		case info.Private:
			private++
			continue
		}
		joined++
		if info.Members != rooms.Known {
			unknown = append(unknown, info)
		}
		if info.Outage {
			outage = append(outage, info)
		}
	}
	found := []Finding{{OK, "rooms", fmt.Sprintf("%s and %s", count(joined, "room", "rooms"), count(private, "private conversation", "private conversations")), ""}}
	if len(unknown) > 0 {
		text := "it is not known who is in " + ids(unknown)
		if fault := unknown[0].Fault; fault != "" {
			text += "; the list could not be read because: " + protocol.Shorten(protocol.OneLine(fault), 100)
		}
		found = append(found, Finding{Warn, "members", text, "the bot asks again by itself; until then nobody there counts as a member"})
	}
	if len(outage) > 0 {
		found = append(found, Finding{Warn, "outage", "the network cannot reach " + ids(outage), "wait; the bot goes on when the network does"})
	}
	return found
}

func count(n int, one, many string) string {
	switch {
	case n == 1:
		return "1 " + one
	case n >= maxCount:
		return fmt.Sprintf("%d or more %s", n, many)
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Bytes writes a size for people.
func Bytes(n int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	v, i := float64(n), 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}
