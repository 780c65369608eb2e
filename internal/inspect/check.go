package inspect

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"moot/events"
	"moot/internal/finding"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/sealed"
	"moot/store"
)

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
func (in *Inspector) Check(ctx context.Context, q CheckQuery) ([]finding.Finding, error) {
	found := []finding.Finding{in.integrity(q)}
	if in.Bus == nil {
		found = append(found, finding.New(finding.Fail, "log of facts", in.BusErr.Error(), "restore the whole data folder from one backup"))
	}
	if in.Bus != nil && q.Full {
		found = append(found, in.replay(ctx))
	}
	err := in.Store.View(func(tx *store.Tx) error {
		if in.Bus != nil {
			found = append(found, logLine(tx, in.Bus))
			found = append(found, gapLines(tx, in.Bus)...)
		}
		found = append(found, deadLine(tx))
		found = append(found, sealedLines(tx)...)
		found = append(found, in.outboxLines(tx)...)
		found = append(found, roomLines(tx)...)
		if in.Features != nil {
			found = append(found, in.Features(tx)...)
		}
		return nil
	})
	return found, err
}

func (in *Inspector) integrity(q CheckQuery) finding.Finding {
	const what = "database"
	size := in.Store.Size()
	if size > quickFile && !q.Full {
		return finding.New(finding.OK, what, fmt.Sprintf("%s; not read completely, because it is large", Bytes(size)), "moot check --full reads it; messages wait meanwhile")
	}
	if err := in.Store.Check(); err != nil {
		return finding.New(finding.Fail, what, protocol.Shorten(protocol.OneLine(err.Error()), 500), "stop the bot and restore the data folder from the last good backup")
	}
	return finding.New(finding.OK, what, Bytes(size)+", every page read", "")
}

// replay makes all that the bot knows from its facts again, and compares.
func (in *Inspector) replay(ctx context.Context) finding.Finding {
	const what = "replay"
	v, err := in.Verify(ctx)
	switch {
	case err != nil:
		return finding.New(finding.Fail, what, protocol.Shorten(protocol.OneLine(err.Error()), 500), "restore the data folder from the last good backup")
	case v.Difference != "":
		return finding.New(finding.Fail, what, v.Difference, "report this as a bug of moot, with this line")
	}
	return finding.New(finding.OK, what, "the facts give exactly what the bot knows", "")
}

func logLine(tx *store.Tx, bus *events.Bus) finding.Finding {
	last := tx.NextFact() - 1
	return finding.New(finding.OK, "log of facts", fmt.Sprintf("%d facts, of %s", last, count(len(bus.Kinds(tx)), "kind", "kinds")), "")
}

// gapLines says what networks have kept to themselves lately.
func gapLines(tx *store.Tx, bus *events.Bus) []finding.Finding {
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
	text := fmt.Sprintf("in the last day the bot was disconnected %s in %s, most recently until %s ago",
		count(n, "time", "times"), count(len(scopes), "room", "rooms"), ago(tx, last.Until))
	if len(lost) > 0 {
		text += "; lost: " + strings.Join(lost, ", ")
	}
	return []finding.Finding{finding.New(finding.Warn, "missed", text, "moot log --kind room shows when; the network cannot deliver again what is lost")}
}

func deadLine(tx *store.Tx) finding.Finding {
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
		return finding.New(finding.OK, "dead letters", "none", "")
	}
	text := fmt.Sprintf("%s could not be handled, the first %s ago: %s", count(n, "event", "events"), ago(tx, first.Time), protocol.Shorten(protocol.OneLine(first.Error), 100))
	if retry > 0 {
		text += fmt.Sprintf("; %d will be tried again", retry)
	}
	return finding.New(finding.Warn, "dead letters", text, "moot dead lists them, moot dead retry ID tries one again, moot dead drop ID deletes one")
}

func sealedLines(tx *store.Tx) []finding.Finding {
	n := sealed.Count(tx, maxCount)
	if n == 0 {
		return nil
	}
	return []finding.Finding{finding.New(finding.Warn, "encryption", fmt.Sprintf("%s for the key that opens it", count(n, "event waits", "events wait")),
		"wait: a key may be late; the bot tells the room about messages whose key never comes")}
}

func (in *Inspector) outboxLines(tx *store.Tx) []finding.Finding {
	waiting, failing := 0, 0
	var oldest time.Time
	var fault string
	gone := map[protocol.Network]int{} // what waits for networks that are not configured
	for q := range tx.Queue("", 0) {
		if network := outbox.LaneNetwork(q.Lane); in.Networks != nil && !slices.Contains(in.Networks, network) {
			gone[network]++
			continue
		}
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
	line := finding.New(finding.OK, "outbox", "nothing waits to be sent", "")
	if waiting > 0 {
		line.Text = fmt.Sprintf("%s to be sent, the oldest for %s", count(waiting, "message waits", "messages wait"), ago(tx, oldest))
		if failing > 0 {
			line.Text += fmt.Sprintf("; %d failed at the last try, most recently because: %s", failing, protocol.Shorten(protocol.OneLine(fault), 100))
		}
		if failing > 0 || ago(tx, oldest) > patience {
			line.Status, line.Do = finding.Warn, "nothing: the bot sends them as soon as the network accepts them; moot outbox lists them"
		}
	}
	found := []finding.Finding{line}
	for _, network := range slices.Sorted(maps.Keys(gone)) {
		found = append(found, finding.New(finding.OK, "outbox", fmt.Sprintf("%s to be sent to %s, which is not configured", count(gone[network], "message waits", "messages wait"), network),
			"nothing: they expire in time, or go out if the network is configured again before that"))
	}
	lost := map[store.State]int{}
	looked := 0
	for s := range tx.RecentDeliveries() {
		if looked++; ago(tx, s.Time) > recent || looked > maxCount {
			break
		}
		if s.State == store.StateFailed || s.State == store.StateExpired || s.State == store.StateAmbiguous {
			lost[s.State]++
		}
	}
	if len(lost) == 0 {
		return found
	}
	var parts []string
	for _, s := range []store.State{store.StateFailed, store.StateExpired, store.StateAmbiguous} {
		if n := lost[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return append(found, finding.New(finding.Warn, "sent in the last day", strings.Join(parts, ", "), "moot outbox --state failed shows why; so do --state expired and --state ambiguous"))
}

func roomLines(tx *store.Tx) []finding.Finding {
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
	found := []finding.Finding{finding.New(finding.OK, "rooms", fmt.Sprintf("%s and %s", count(joined, "room", "rooms"), count(private, "private conversation", "private conversations")), "")}
	if len(unknown) > 0 {
		text := "the bot does not know who is in " + ids(unknown)
		if fault := unknown[0].Fault; fault != "" {
			text += "; the list could not be read because: " + protocol.Shorten(protocol.OneLine(fault), 100)
		}
		found = append(found, finding.New(finding.Warn, "members", text, "nothing: the bot asks again; until then nobody there counts as a member"))
	}
	if len(outage) > 0 {
		found = append(found, finding.New(finding.Warn, "outage", "the network cannot reach "+ids(outage), "nothing: the bot goes on when the network does"))
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
