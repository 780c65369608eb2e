// Package cannon is the collector that reads what a service of botcannon answers, so that an installation of it can be moved over one
// service at a time: its collector and its tasks run on as they are, and moot says what comes of it.
//
//	botcannon: collector ─▶ NS|streams:SERVICE:data ─▶ tasks ─▶ NS|streams:SERVICE:taskback ─▶ botcannon's group CANNON
//	                                                                                        └▶ here ─▶ jobs
//
// # Promises
//
//   - Each entry of the stream is brought once, in order, from the cursor on, which is the id of an entry and in the store. What is in
//     the stream the first time is old. So nothing has to be acknowledged or claimed in Redis, and nothing is lost there.
//   - A group of its own, [Group] and the name of the service, shows in Redis how far the stream was read.
//   - The stream is trimmed of what all of its groups are done with, which botcannon never does. Where one of them has entries that it
//     has not acknowledged, nothing from there on is.
//   - What a job has of an entry is bounded: the end of a value that is too long is left out, and so are fields above what an entry may
//     have, which is in the log.
//   - While Redis is away it is tried again, after pauses that grow to a minute. Where it has lost the end of the stream, that is in the
//     log, and reading goes on with what is there.
package cannon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"moot/internal/pause"
	"moot/protocol"
	"moot/protocol/service"
)

const (
	// Group begins the name of the group in Redis.
	Group = "moot-"
	// atOnce is how many entries are read at once, and block how long Redis waits for one.
	atOnce = 64
	block  = 5 * time.Second
	// trimEvery is how often the stream is trimmed at most.
	trimEvery = time.Minute
	// maxValue is how many bytes of a field of an entry are handed on, maxName how many its name may have, and maxEntry how many all of
	// them may have together.
	maxValue = 64 << 10
	maxName  = 200
	maxEntry = 256 << 10
	// steady is how long a connection has to hold to count as one that works.
	steady = time.Minute
)

// Config says what a Collector is.
type Config struct {
	// Service is that of moot, and Name that of the collector.
	Service, Name string
	// Address is a host and a port, or the path of a socket.
	Address string
	// Password is that of Redis; zero means none.
	Password string
	// Namespace and Stream are the namespace and the service of botcannon.
	Namespace, Stream string
	Log               *slog.Logger // nil means none
}

// Collector reads a stream.
type Collector struct {
	cfg     Config
	key     string
	backoff pause.Backoff
	block   time.Duration
	trim    time.Duration
}

// New returns a collector.
func New(c Config) (*Collector, error) {
	if c.Service == "" || c.Name == "" || c.Address == "" || c.Namespace == "" || c.Stream == "" {
		return nil, errors.New("cannon: Service, Name, Address, Namespace or Stream is missing")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Collector{
		cfg: c, key: c.Namespace + "|streams:" + c.Stream + ":taskback", block: block, trim: trimEvery,
		backoff: pause.Backoff{First: time.Second, Most: time.Minute},
	}, nil
}

// Name implements service.Collector.
func (c *Collector) Name() string { return c.cfg.Name }

// Source implements service.Collector. A Redis may be put elsewhere, with what is in it.
func (c *Collector) Source() string { return "botcannon " + c.key }

// The library writes to standard error what its callers are told as an error anyway.
func init() { redis.SetLogger(quiet{}) }

type quiet struct{}

// Printf implements the logger of the library.
func (quiet) Printf(context.Context, string, ...any) {}

// sinkError is an error of the sink.
type sinkError struct{ error }

// Run implements service.Collector.
func (c *Collector) Run(ctx context.Context, to service.Sink) error {
	network := "tcp"
	if strings.HasPrefix(c.cfg.Address, "/") {
		network = "unix"
	}
	client := redis.NewClient(&redis.Options{
		Network: network, Addr: c.cfg.Address, Password: c.cfg.Password, DisableIdentity: true, MaxRetries: -1,
		ReadTimeout: c.block + 5*time.Second, ContextTimeoutEnabled: true,
	})
	defer client.Close()
	defer context.AfterFunc(ctx, func() { client.Close() })() // it waits for entries otherwise
	for failures := 0; ; failures++ {
		began := time.Now()
		err := c.follow(ctx, client, to)
		var sunk sinkError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &sunk):
			return sunk.error
		case time.Since(began) > steady:
			failures = 0
		}
		wait := c.backoff.After(failures)
		c.cfg.Log.Warn("the stream of a collector cannot be read", "stream", c.key, "err", err, "again in", wait.Round(time.Millisecond))
		if err := pause.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// follow reads the stream until something fails.
func (c *Collector) follow(ctx context.Context, client *redis.Client, to service.Sink) error {
	at, err := c.begin(ctx, client, to)
	if err != nil {
		return err
	}
	var trimmed time.Time
	for {
		if err := to.Ready(ctx); err != nil {
			return sinkError{err}
		}
		read, err := client.XRead(ctx, &redis.XReadArgs{Streams: []string{c.key, at}, Count: atOnce, Block: c.block}).Result()
		if errors.Is(err, redis.Nil) {
			if at, err = c.lost(ctx, client, at); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		for _, stream := range read {
			items := make([]service.Item, len(stream.Messages))
			for i, m := range stream.Messages {
				cut := 0
				if items[i], cut, err = item(m); err != nil {
					return err
				}
				if cut > 0 {
					c.cfg.Log.Warn("an entry of a stream is too large to be handed on as a whole", "stream", c.key, "entry", m.ID, "fields", cut)
				}
			}
			if err := to.Bring(ctx, items); err != nil {
				return sinkError{err}
			}
			at = stream.Messages[len(stream.Messages)-1].ID
		}
		if err := client.XGroupSetID(ctx, c.key, Group+c.cfg.Service, at).Err(); err != nil {
			if err := c.group(ctx, client, at); err != nil {
				return err
			}
		}
		if time.Since(trimmed) >= c.trim {
			trimmed = time.Now()
			if err := c.trimmed(ctx, client); err != nil {
				return err
			}
		}
	}
}

// begin returns the id behind which reading goes on.
func (c *Collector) begin(ctx context.Context, client *redis.Client, to service.Sink) (at string, err error) {
	value, err := to.Cursor()
	if err != nil {
		return "", sinkError{err}
	}
	if value != "" {
		if err := c.group(ctx, client, value); err != nil {
			return "", err
		}
		return c.lost(ctx, client, value)
	}
	if at, err = c.last(ctx, client); err != nil {
		return "", err
	}
	if err := c.group(ctx, client, at); err != nil {
		return "", err
	}
	if err := to.Mark(ctx, at); err != nil {
		return "", sinkError{err}
	}
	return at, nil
}

// group makes the own group, where there is none.
func (c *Collector) group(ctx context.Context, client *redis.Client, at string) error {
	err := client.XGroupCreateMkStream(ctx, c.key, Group+c.cfg.Service, at).Err()
	if err != nil && !strings.HasPrefix(err.Error(), "BUSYGROUP") {
		return err
	}
	return nil
}

// last returns the id of the last entry there ever was in the stream.
func (c *Collector) last(ctx context.Context, client *redis.Client) (string, error) {
	n, err := client.Exists(ctx, c.key).Result()
	if err != nil || n == 0 {
		return "0-0", err
	}
	info, err := client.XInfoStream(ctx, c.key).Result()
	if err != nil {
		return "", err
	}
	return info.LastGeneratedID, nil
}

// lost returns the id behind which reading goes on, which is the given one unless Redis has lost it.
func (c *Collector) lost(ctx context.Context, client *redis.Client, at string) (string, error) {
	last, err := c.last(ctx, client)
	if err != nil || !before(last, at) {
		return at, err
	}
	// What is in it still has been brought, or has an id that was not there yet.
	c.cfg.Log.Warn("Redis has lost the end of a stream", "stream", c.key, "read", at, "last", last)
	return last, nil
}

// before reports whether an id of an entry comes before another one.
func before(a, b string) bool {
	at, an := split(a)
	bt, bn := split(b)
	return at < bt || at == bt && an < bn
}

func split(id string) (at, n uint64) {
	left, right, _ := strings.Cut(id, "-")
	at, _ = strconv.ParseUint(left, 10, 64)
	n, _ = strconv.ParseUint(right, 10, 64)
	return at, n
}

// trimmed lets go of what all groups are done with.
func (c *Collector) trimmed(ctx context.Context, client *redis.Client) error {
	groups, err := client.XInfoGroups(ctx, c.key).Result()
	if err != nil {
		return err
	}
	least := ""
	for _, g := range groups {
		done := g.LastDeliveredID
		if g.Pending > 0 {
			p, err := client.XPending(ctx, c.key, g.Name).Result()
			if err != nil {
				return err
			}
			if p.Count > 0 {
				done = p.Lower
			}
		}
		if least == "" || before(done, least) {
			least = done
		}
	}
	if least == "" {
		return nil
	}
	return client.XTrimMinID(ctx, c.key, least).Err() // keeps that one
}

// item is an entry as something that was found, and how many of its fields are not handed on as a whole.
func item(m redis.XMessage) (_ service.Item, cut int, _ error) {
	fields, size := map[string]string{}, 0
	for _, k := range slices.SortedFunc(maps.Keys(m.Values), textFirst) {
		v := fmt.Sprint(m.Values[k])
		if len(k) > maxName || size+len(k)+min(len(v), maxValue) > maxEntry {
			cut++
			continue
		}
		if len(v) > maxValue {
			v = v[:maxValue]
			cut++
		}
		fields[k] = strings.ToValidUTF8(v, "\uFFFD")
		size += len(k) + len(v)
	}
	data, err := json.Marshal(fields)
	if err != nil {
		return service.Item{}, cut, fmt.Errorf("encode the entry %s: %w", m.ID, err)
	}
	return service.Item{
		ID: protocol.EventID("entry/" + m.ID), Cursor: m.ID,
		Collected: protocol.Collected{Kind: "botcannon", Text: fields["text"], Data: data},
	}, cut, nil
}

// textFirst orders the names of fields: the text first, which is what most tasks read.
func textFirst(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "text":
		return -1
	case b == "text":
		return 1
	}
	return strings.Compare(a, b)
}
