package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"moot/replica"
	"moot/store"
)

// Log is a log in a server of Redis.
type Log struct {
	client     *goredis.Client
	name       string
	primary    string        // what Sentinel calls the server; empty where that is named
	bySentinel bool          // whether Sentinel says which server it is
	replicas   int           // how many have to have a change
	patience   time.Duration // for how long a change waits for them
	ownDisk    bool          // whether WAITAOF is asked for; set by Check
}

const (
	patience = 2 * time.Second
	// readChanges is how many changes are asked for at once.
	readChanges = 64
	partBytes   = 1 << 20
	// lookEvery is for how long a standby waits for the next change before it sees whether it is still to wait.
	lookEvery = 100 * time.Millisecond
)

// Open prepares a log on the server that a URL names, under a name of its own. Beside redis:// and rediss:// it may be
// sentinel://HOST:PORT,HOST:PORT/MASTER?db=0, or the same as redis+sentinel:// or, with TLS, rediss+sentinel://. What stands before
// the hosts is the password of Redis; that of Sentinel is the parameter sentinel_password. The parameter replicas is how many
// replicas have to have each change: 1 at least with Sentinel, which makes one of them the primary. Nothing is asked of the
// server yet.
func Open(address, name string) (*Log, error) {
	l := &Log{name: "{" + name + "}", patience: patience}
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the address of Redis cannot be read; write it like redis://:password@host:6379")
	}
	l.bySentinel = strings.HasSuffix(u.Scheme, "sentinel")
	query := u.Query()
	if l.bySentinel {
		l.replicas = 1
	}
	if text := query.Get("replicas"); text != "" {
		if l.replicas, err = strconv.Atoi(text); err != nil || l.replicas < 0 {
			return nil, fmt.Errorf("replicas=%s in the address of Redis: write a whole number", text)
		}
	}
	query.Del("replicas")
	u.RawQuery = query.Encode()
	if l.bySentinel {
		if l.replicas == 0 {
			return nil, errors.New("replicas=0 in the address of Sentinel: it may make a replica the primary that lacks what was acknowledged; write replicas=1, or more")
		}
		l.primary = strings.Trim(u.Path, "/")
		if l.client, err = sentinel(u); err != nil {
			return nil, err
		}
		return l, nil
	}
	o, err := goredis.ParseURL(u.String())
	if err != nil {
		return nil, fmt.Errorf("the address of Redis cannot be read: %w", errors.Unwrap(fmt.Errorf("%w", err)))
	}
	o.ContextTimeoutEnabled, o.DialTimeout, o.MaxRetries = true, patience, -1
	l.client = goredis.NewClient(o)
	return l, nil
}

// sentinelPort is that on which Sentinel listens where nobody says otherwise.
const sentinelPort = "26379"

func sentinel(u *url.URL) (*goredis.Client, error) {
	unread := errors.New("the address of Sentinel cannot be read; write it like sentinel://:password@host:26379,host:26379/mymaster?db=0")
	o := &goredis.FailoverOptions{
		MasterName: strings.Trim(u.Path, "/"), ContextTimeoutEnabled: true, DialTimeout: patience, MaxRetries: -1,
	}
	switch u.Scheme {
	case "sentinel", "redis+sentinel":
	case "rediss+sentinel":
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	default:
		return nil, unread
	}
	for host := range strings.SplitSeq(u.Host, ",") {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(host, sentinelPort)
		}
		o.SentinelAddrs = append(o.SentinelAddrs, host)
	}
	for name, values := range u.Query() {
		var err error
		switch name {
		case "db":
			o.DB, err = strconv.Atoi(values[0])
		case "sentinel_password":
			o.SentinelPassword = values[0]
		default:
			return nil, fmt.Errorf("the address of Sentinel has the parameter %q, which there is not", name)
		}
		if err != nil {
			return nil, unread
		}
	}
	if o.MasterName == "" || u.Host == "" || strings.Contains(o.MasterName, "/") {
		return nil, unread
	}
	o.Username = u.User.Username()
	o.Password, _ = u.User.Password()
	return goredis.NewFailoverClient(o), nil
}

// quiet is where the library would write what it returns as an error too.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

func init() { goredis.SetLogger(quiet{}) }

// Close lets go of the server.
func (l *Log) Close() error { return l.client.Close() }

func (l *Log) leadKey() string            { return l.name + ":lead" }
func (l *Log) logKey() string             { return l.name + ":log" }
func (l *Log) basePrefix() string         { return l.name + ":base:" }
func (l *Log) baseKey(n uint64) string    { return l.basePrefix() + text(n) }
func (l *Log) keys() []string             { return []string{l.leadKey(), l.logKey()} }
func text[N ~uint64 | ~int64](n N) string { return fmt.Sprint(n) }

// told turns what a script has said into an error.
func (l *Log) told(err error) error {
	said := (goredis.Error)(nil)
	if !errors.As(err, &said) {
		return l.refused(err)
	}
	switch word, rest, _ := strings.Cut(strings.TrimPrefix(said.Error(), "ERR "), " "); word {
	case saidFenced:
		return replica.ErrFenced
	case saidHeld:
		return replica.ErrHeld
	case saidOther:
		return replica.ErrOther
	case saidGap:
		return fmt.Errorf("%w: it ends at %q", replica.ErrGap, rest)
	}
	return l.refused(err)
}

// Stand says how the log stands.
func (l *Log) Stand(ctx context.Context) (s replica.Standing, err error) {
	h, err := standScript.Run(ctx, l.client, l.keys()).StringSlice()
	if err != nil {
		return s, l.refused(err)
	}
	number := func(text string) (n uint64) {
		if err == nil && text != "" {
			n, err = strconv.ParseUint(text, 10, 64)
		}
		return n
	}
	s = replica.Standing{Term: replica.Term(number(h[0])), Leader: h[1], Held: h[2] != "", Identity: h[3], Base: number(h[4]), Last: number(h[5])}
	return s, err
}

// Lead takes the lease where nobody has it.
func (l *Log) Lead(ctx context.Context, node string, ttl time.Duration) (replica.Term, error) {
	conn := l.client.Conn() // see write
	defer conn.Close()      //nolint:errcheck // it goes back to the pool
	t, err := leadScript.Run(ctx, conn, l.keys(), node, ttl.Milliseconds()).Uint64()
	if err == nil {
		err = l.settle(ctx, conn) // and with it all that was written before
	}
	return replica.Term(t), l.told(err)
}

// Renew has the lease run on. One that only a primary knows which was cut off, and has been replaced, is none.
func (l *Log) Renew(ctx context.Context, t replica.Term, ttl time.Duration) error {
	return l.write(ctx, renewScript, text(t), ttl.Milliseconds())
}

// Release gives the lease back.
func (l *Log) Release(ctx context.Context, t replica.Term) error {
	return l.told(releaseScript.Run(ctx, l.client, l.keys(), text(t)).Err())
}

// Append puts a change behind the last one.
func (l *Log) Append(ctx context.Context, t replica.Term, ch store.Change) error {
	return l.write(ctx, appendScript, text(t), text(ch.Number), text(ch.Number-1), ch.Body)
}

// write runs a script that changes something, and waits until that is where it has to be.
func (l *Log) write(ctx context.Context, script *goredis.Script, args ...any) error {
	if !l.waits() {
		return l.told(script.Run(ctx, l.client, l.keys(), args...).Err())
	}
	conn := l.client.Conn() // what waits, waits for what its own connection wrote
	defer conn.Close()      //nolint:errcheck // it goes back to the pool
	if err := l.told(script.Run(ctx, conn, l.keys(), args...).Err()); err != nil {
		return err
	}
	return l.settle(ctx, conn)
}

// waits reports whether what is written counts only when more than the server's memory has it.
func (l *Log) waits() bool { return l.replicas > 0 || l.ownDisk }

// settle waits until what was written on a connection is where it has to be.
func (l *Log) settle(ctx context.Context, conn *goredis.Conn) error {
	var have []int64
	var err error
	switch {
	case l.ownDisk:
		have, err = conn.Do(ctx, "WAITAOF", 1, l.replicas, l.patience.Milliseconds()).Int64Slice()
	case l.replicas > 0:
		var n int64
		n, err = conn.Do(ctx, "WAIT", l.replicas, l.patience.Milliseconds()).Int64()
		have = []int64{1, n}
	default:
		return nil
	}
	if err == nil && (len(have) != 2 || have[0] < 1 || have[1] < int64(l.replicas)) {
		err = fmt.Errorf("after %s it was not on as many disks as it has to be: its own %v, replicas %v of %d", l.patience, have[:1], have[1:], l.replicas)
	}
	return err
}

// Follow goes through the changes after a number.
func (l *Log) Follow(ctx context.Context, after uint64) iter.Seq2[store.Change, error] {
	return func(yield func(store.Change, error) bool) {
		for {
			next, err := l.read(ctx, after, yield)
			if err == errStopped { //nolint:errorlint // it is that value
				return
			}
			if err != nil {
				yield(store.Change{}, err)
				return
			}
			after = next
		}
	}
}

var errStopped = errors.New("the caller has stopped")

// read hands on what there is, waiting for it for a moment, and returns the number of the last.
func (l *Log) read(ctx context.Context, after uint64, yield func(store.Change, error) bool) (uint64, error) {
	s, err := l.Stand(ctx)
	switch {
	case err != nil:
		return after, err
	case after > s.Last:
		return after, fmt.Errorf("%w: it ends at change %d, and %d was asked for", store.ErrAhead, s.Last, after)
	}
	// The end of ctx does not wake who waits here.
	streams, err := l.client.XRead(context.WithoutCancel(ctx), &goredis.XReadArgs{
		Streams: []string{l.logKey()}, ID: text(after) + "-0", Count: readChanges, Block: lookEvery,
	}).Result()
	switch {
	case ctx.Err() != nil:
		return after, ctx.Err()
	case errors.Is(err, goredis.Nil) && after < s.Last:
		return after, store.ErrGone
	case errors.Is(err, goredis.Nil):
		return after, nil
	case err != nil:
		return after, err
	}
	// What a primary has may be lost with it as long as no replica has it. A standby that had it would be ahead of the log.
	if l.waits() {
		if err := l.write(ctx, touchScript); err != nil {
			return after, err
		}
	}
	for _, m := range streams[0].Messages {
		n, err := strconv.ParseUint(strings.TrimSuffix(m.ID, "-0"), 10, 64)
		body, ok := m.Values["body"].(string)
		switch {
		case err != nil || !ok:
			return after, fmt.Errorf("%w: the entry %s of the log", store.ErrDamaged, m.ID)
		case n != after+1:
			return after, store.ErrGone
		}
		if after = n; !yield(store.Change{Number: n, Body: []byte(body)}, nil) {
			return after, errStopped
		}
	}
	return after, nil
}

// asideFor is for how long a part of a base is kept that nobody continues: its writer was killed.
const asideFor = 10 * time.Minute

// PutBase puts a base in place of the one before it.
func (l *Log) PutBase(ctx context.Context, t replica.Term, identity string, number uint64, r io.Reader) error {
	aside := l.name + ":base:new:" + text(t)
	if err := l.client.Del(ctx, aside).Err(); err != nil {
		return err
	}
	part := make([]byte, partBytes)
	for {
		size, err := io.ReadFull(r, part)
		if size > 0 {
			_, err := l.client.TxPipelined(ctx, func(p goredis.Pipeliner) error {
				p.RPush(ctx, aside, part[:size])
				p.Expire(ctx, aside, asideFor)
				return nil
			})
			if err != nil {
				return errors.Join(err, l.client.Del(context.WithoutCancel(ctx), aside).Err())
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return errors.Join(err, l.client.Del(context.WithoutCancel(ctx), aside).Err())
		}
	}
	keys := append(l.keys(), aside, l.baseKey(number))
	if err := baseScript.Run(ctx, l.client, keys, text(t), identity, text(number), l.basePrefix()).Err(); err != nil {
		return errors.Join(l.told(err), l.client.Del(context.WithoutCancel(ctx), aside).Err())
	}
	return nil
}

// Base reads the base.
func (l *Log) Base(ctx context.Context) (uint64, io.ReadCloser, error) {
	s, err := l.Stand(ctx)
	switch {
	case err != nil:
		return 0, nil, err
	case s.Identity == "":
		return 0, nil, replica.ErrNoBase
	}
	parts, err := l.client.LLen(ctx, l.baseKey(s.Base)).Result()
	if err == nil && parts == 0 {
		err = errors.New("another base was put meanwhile")
	}
	return s.Base, &baseReader{ctx: ctx, log: l, key: l.baseKey(s.Base), parts: parts}, err
}

// baseReader reads a base, part by part.
type baseReader struct {
	ctx         context.Context
	log         *Log
	key         string
	next, parts int64
	rest        []byte
}

func (r *baseReader) Read(b []byte) (n int, err error) {
	if len(r.rest) == 0 {
		if r.next == r.parts {
			return 0, io.EOF
		}
		if r.rest, err = r.log.client.LIndex(r.ctx, r.key, r.next).Bytes(); err != nil {
			return 0, err
		}
		r.next++
	}
	n = copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *baseReader) Close() error { return nil }

// Trim lets go of the changes up to a number.
func (l *Log) Trim(ctx context.Context, t replica.Term, upTo uint64) error {
	s, err := l.Stand(ctx)
	if err != nil {
		return err
	}
	return l.told(trimScript.Run(ctx, l.client, l.keys(), text(t), text(min(upTo, s.Base)+1)).Err())
}
