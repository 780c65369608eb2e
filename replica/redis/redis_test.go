package redis_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"moot/cluster/redistest"
	"moot/internal/effort"
	"moot/internal/finding"
	"moot/replica"
	"moot/replica/redis"
	"moot/replica/replicatest"
	"moot/store"
)

func open(t *testing.T, address, name string) replica.Log {
	t.Helper()
	l, err := redis.Open(address, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

var durable = []string{"--appendonly", "yes", "--appendfsync", "always"}

func TestLog(t *testing.T) {
	server := redistest.Start(t, durable...)
	replicatest.Run(t, func(t *testing.T, name string) replica.Log { return open(t, "redis://"+server.Address, name) })
	replicatest.Killed(t, open(t, "redis://"+server.Address, "killed"), server.Kill, server.Run)
}

// TestReplicas: with replicas in the address each change waits for them.
func TestReplicas(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	primary := redistest.Start(t, durable...)
	host, port, _ := strings.Cut(primary.Address, ":")
	l := open(t, "redis://"+primary.Address+"?replicas=1", "moot")
	if _, err := l.Stand(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Lead(t.Context(), "a", replica.TTL); err == nil {
		t.Error("it leads although no replica knows")
	}
	redistest.Start(t, append(durable, "--replicaof", host+" "+port)...)
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if info := primary.Info(t.Context(), "replication").Val(); strings.Contains(info, "state=online") {
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatal("the replica does not follow")
		}
	}
	replicatest.Run(t, func(t *testing.T, name string) replica.Log {
		return open(t, "redis://"+primary.Address+"?replicas=1", name)
	})
}

// TestWhatNoReplicaHas is taken by nobody: neither does it count, nor has a standby it, which would be ahead of the log if the primary were
// lost now.
func TestWhatNoReplicaHas(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	primary := redistest.Start(t, durable...)
	host, port, _ := strings.Cut(primary.Address, ":")
	second := redistest.Start(t, append(durable, "--replicaof", host+" "+port)...)
	for began := time.Now(); !strings.Contains(primary.Info(t.Context(), "replication").Val(), "state=online"); time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("the replica does not follow")
		}
	}
	l, other := open(t, "redis://"+primary.Address+"?replicas=1", "moot"), open(t, "redis://"+primary.Address+"?replicas=1", "moot")
	change := func(n uint64) store.Change { return store.Change{Number: n, Body: []byte("a change")} }
	term, err := l.Lead(t.Context(), "a", time.Minute)
	if err == nil {
		err = errors.Join(l.PutBase(t.Context(), term, "bot", 0, strings.NewReader("base")), l.Append(t.Context(), term, change(1)))
	}
	if err != nil {
		t.Fatal(err)
	}
	thaw := second.Freeze()
	defer thaw()
	if err := l.Append(t.Context(), term, change(2)); err == nil {
		t.Error("a change counts that no replica has")
	}
	if err := l.Renew(t.Context(), term, time.Minute); err == nil {
		t.Error("a lease was renewed that no replica knows of")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for ch, err := range other.Follow(ctx, 0) {
		if err == nil {
			t.Errorf("a standby has change %d, and no replica has", ch.Number)
		}
		break
	}
	thaw()
	if err := l.Append(t.Context(), term, change(2)); err != nil {
		t.Error(err)
	}
	next := uint64(0)
	for ch, err := range other.Follow(ctx, 0) {
		if next++; err != nil || ch.Number != next {
			t.Fatalf("change %d instead of %d: %v", ch.Number, next, err)
		}
		if next == 2 {
			break
		}
	}
}

// TestSentinel: the primary is killed, or stands still for so long that Sentinel makes another server the primary, while changes are appended.
// All that were acknowledged are in the log of the new primary, once.
func TestSentinel(t *testing.T) {
	effort.Slow(t)
	g := redistest.StartGroup(t, append(durable, "--min-replicas-to-write", "1")...)
	address := "redis+sentinel://" + g.Sentinels + "/moot"
	l, other := open(t, address, "moot"), open(t, "sentinel://"+g.Sentinels+"/moot?db=0&replicas=1", "moot")
	found, err := l.Check(t.Context())
	if err != nil || len(found) != 1 || found[0].Status != finding.OK {
		t.Errorf("as it should be: %+v, %v", found, err)
	}
	term, err := l.Lead(t.Context(), "a", 5*time.Minute)
	if err == nil {
		err = l.PutBase(t.Context(), term, "bot", 0, strings.NewReader("base"))
	}
	if err != nil {
		t.Fatal(err)
	}
	const all = 600
	refused := 0
	for n := uint64(1); n <= all; n++ {
		var back func()
		if n%200 == 0 {
			primary := g.Primary()
			if n == 400 {
				back = primary.Freeze()
			} else {
				primary.Kill()
				back = primary.Run
			}
		}
		for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
			err := l.Append(t.Context(), term, store.Change{Number: n, Body: fmt.Appendf(nil, "change %d", n)})
			if err == nil {
				break
			}
			refused++
			if errors.Is(err, replica.ErrFenced) || errors.Is(err, replica.ErrGap) || time.Since(began) > time.Minute {
				t.Fatalf("change %d: %v", n, err)
			}
		}
		if back != nil {
			t.Logf("after change %d another server is the primary: %s", n, g.Primary().Address)
			back()
			g.Settled()
		}
	}
	next := uint64(0)
	for ch, err := range other.Follow(t.Context(), 0) {
		if next++; err != nil || ch.Number != next || string(ch.Body) != fmt.Sprintf("change %d", next) {
			t.Fatalf("change %d, %q, instead of %d: %v", ch.Number, ch.Body, next, err)
		}
		if next == all {
			break
		}
	}
	if refused == 0 {
		t.Error("no primary was ever away")
	}
}

// TestWhoIsKilledLeavesNoBase: what a machine has put aside of a base when it is killed is not in the memory of the server for
// ever, and of two bases one stays.
func TestWhoIsKilledLeavesNoBase(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, durable...)
	l := open(t, "redis://"+server.Address, "moot")
	term, err := l.Lead(t.Context(), "a", time.Minute)
	for _, number := range []uint64{3, 7} {
		if err == nil {
			err = l.PutBase(t.Context(), term, "bot", number, strings.NewReader("base"))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	killed, err := redis.Open("redis://"+server.Address, "moot")
	if err != nil {
		t.Fatal(err)
	}
	first := io.LimitReader(strings.NewReader(strings.Repeat("x", 1<<20)), 1<<20)
	if err := killed.PutBase(t.Context(), term, "bot", 9, io.MultiReader(first, closes{killed})); err == nil {
		t.Fatal("a closed log has taken a base")
	}
	kept := map[string]bool{"{moot}:lead": true, "{moot}:base:7": true}
	aside := 0
	for _, key := range server.Keys(t.Context(), "*").Val() {
		ttl := server.TTL(t.Context(), key).Val()
		if kept[key] != (ttl < 0) {
			t.Errorf("%s is kept for %s", key, ttl)
		}
		if !kept[key] {
			aside++
		}
		delete(kept, key)
	}
	if len(kept) > 0 || aside != 1 {
		t.Errorf("missing: %v; put aside: %d", kept, aside)
	}
}

// closes closes a log when it is read, as if its machine were killed there.
type closes struct{ log replica.Log }

func (c closes) Read(b []byte) (int, error) { return len(b), c.log.Close() }

func TestServersThatForgetAreRefused(t *testing.T) {
	for _, c := range []struct {
		settings []string
		word     string
	}{
		{nil, "set appendonly yes"},
		{[]string{"--appendonly", "yes", "--maxmemory-policy", "allkeys-lru"}, "set maxmemory-policy noeviction"},
		{[]string{"--appendonly", "yes", "--replicaof", "127.0.0.1 1"}, "name the primary"},
	} {
		_, err := open(t, "redis://"+redistest.Start(t, c.settings...).Address, "moot").Check(t.Context())
		if !errors.Is(err, replica.ErrUnfit) || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%v: %v", c.settings, err)
		}
	}
}

// notYet checks a server until it says that it is not ready, and fails where that is taken for a reason to give up.
func notYet(t *testing.T, l replica.Log, word string) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		_, err := l.Check(t.Context())
		switch {
		case errors.Is(err, replica.ErrUnfit):
			t.Fatal(err)
		case err != nil && strings.Contains(err.Error(), word):
			return
		case time.Since(began) > time.Minute:
			t.Fatalf("after a minute the server does not say %q: %v", word, err)
		}
	}
}

// TestAServerThatLoadsIsWaitedFor: Redis says meanwhile that it has no append-only file.
func TestAServerThatLoadsIsWaitedFor(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	server := redistest.Start(t, append([]string{"--enable-debug-command", "yes", "--loading-process-events-interval-bytes", "1024"},
		durable...)...)
	for i := range 500 {
		if err := server.Set(t.Context(), strconv.Itoa(i), strings.Repeat("x", 100), 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.BgRewriteAOF(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := server.ConfigSet(t.Context(), "key-load-delay", "2000").Err(); err != nil { // microseconds for each key
		t.Fatal(err)
	}
	for { // a file that is rewritten has its keys in the form whose reading can be slowed down
		info, err := server.Info(t.Context(), "persistence").Result()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(info, "aof_rewrite_in_progress:0") && strings.Contains(info, "aof_rewrite_scheduled:0") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	read := make(chan error, 1)
	go func() { read <- server.Do(t.Context(), "debug", "loadaof").Err() }()
	notYet(t, open(t, "redis://"+server.Address, "moot"), "reads what it has")
	if err := <-read; err != nil {
		t.Fatal(err)
	}
}

// TestAPrimaryThatIsNoneAnyMoreIsWaitedFor: with Sentinel another one follows.
func TestAPrimaryThatIsNoneAnyMoreIsWaitedFor(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	group := redistest.StartGroup(t, durable...)
	l := open(t, "sentinel://"+group.Sentinels+"/moot", "moot")
	if _, err := l.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := group.Primary().Do(t.Context(), "replicaof", "127.0.0.1", "1").Err(); err != nil {
		t.Fatal(err)
	}
	notYet(t, l, "Sentinel still names it")
}

func TestServersThatRiskSomethingAreWarnedAbout(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "everysec")
	check := func() finding.Finding {
		t.Helper()
		found, err := open(t, "redis://"+server.Address, "moot").Check(t.Context())
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		return found[0]
	}
	if f := check(); f.Status != finding.Warn && !strings.Contains(f.Text, "7.2") {
		t.Errorf("with appendfsync everysec: %+v", f)
	}
	if err := server.ConfigSet(t.Context(), "appendfsync", "always").Err(); err != nil {
		t.Fatal(err)
	}
	if f := check(); f.Status != finding.OK {
		t.Errorf("with appendfsync always: %+v", f)
	}
}

func TestAddresses(t *testing.T) {
	for address, word := range map[string]string{
		"redis://:secret@localhost:x": "", "redis://localhost?replicas=some": "replicas=some", "sentinel://localhost:26379": "mymaster",
		"sentinel://:secret@localhost/moot?replicas=0": "replicas=1", "redis+sentinel://:secret@localhost/moot?master=x": "master", "sentinel:///moot": "mymaster",
		"sentinel://localhost/moot?db=x": "mymaster", "http+sentinel://localhost/moot": "mymaster",
		"http://localhost": "",
	} {
		if l, err := redis.Open(address, "moot"); err == nil || l != nil || !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
