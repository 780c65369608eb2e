//go:build goolm

package crypto

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"maunium.net/go/mautrix/id"
)

// lists are the device lists of people. A change is noted at once, durably, and fetched in the background, one server at a
// time: a sync never waits for another server, and a room only for the servers of its own members.
type lists struct {
	mu     sync.Mutex
	flying map[id.UserID]*flight // those that are being fetched
	rests  map[id.UserID]rest    // those whose server did not tell, or who had no device
	told   map[id.UserID]told    // what servers have told in this run of those who are in asked
	asked  map[claim]time.Time   // since when a device is looked for
	held   bool                  // whether an event waits for one of them
	next   time.Time             // when lists that are still outdated are looked at again without news
	ended  bool
}

// flight is a request for device lists.
type flight struct {
	done chan struct{}
	err  error // of the own server; set before done is closed
}

// rest is for how long nothing is asked.
type rest struct {
	until time.Time
	pause time.Duration
}

// longer is a rest after one more failure.
func (r rest) longer(now time.Time) rest {
	pause := min(max(2*r.pause, firstPause), lastPause)
	return rest{now.Add(pause), pause}
}

// told is what a server said when it was asked for the devices of somebody, at the time of the question.
type told struct {
	at      time.Time
	devices map[id.DeviceID]*id.Device
}

const (
	firstPause = 10 * time.Second
	lastPause  = time.Hour
	// lookFor is for how long it is remembered that somebody does not have a device.
	lookFor = 10 * time.Minute
	// maxLists bounds what is remembered of people in memory.
	maxLists = 10_000
	// maxAsked is how many people are asked for in one request.
	maxAsked = 200
)

func newLists() lists {
	return lists{flying: map[id.UserID]*flight{}, rests: map[id.UserID]rest{}, told: map[id.UserID]told{}, asked: map[claim]time.Time{}}
}

// bounded empties a map that has grown too large: what it knew is found out again.
func bounded[K comparable, V any](m map[K]V) map[K]V {
	if len(m) >= maxLists {
		clear(m)
	}
	return m
}

// resting reports whether somebody is not to be asked for now.
func (l *lists) resting(user id.UserID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Before(l.rests[user].until)
}

// devices returns the devices of somebody as their server has told them since one was looked for that is not known. It
// returns false where it has not yet: an event waits for that.
func (l *lists) devices(c claim) (map[id.DeviceID]*id.Device, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	since, looking := l.asked[c]
	if now := time.Now(); !looking || now.Sub(since) > lookFor {
		since = now
		bounded(l.asked)[c] = since
	}
	if is, ok := l.told[c.user]; ok && !is.at.Before(since) {
		return is.devices, true
	}
	l.held = true
	return nil, false
}

// hasTold reports whether the server of somebody has told their devices in this run. Where it has not, an event waits for that.
func (l *lists) hasTold(user id.UserID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, told := l.told[user]
	l.held = l.held || !told
	return told
}

// fetch begins to fetch the device lists of people. Those that are being fetched are not asked for a second time.
func (m *Machine) fetch(users []id.UserID) (flights []*flight) {
	l := &m.lists
	l.mu.Lock()
	defer l.mu.Unlock()
	servers := map[string][]id.UserID{}
	for _, user := range users {
		if f := l.flying[user]; f != nil {
			flights = append(flights, f)
		} else if server := user.Homeserver(); !slices.Contains(servers[server], user) {
			servers[server] = append(servers[server], user)
		}
	}
	if l.ended {
		return flights
	}
	for _, all := range servers {
		for some := range slices.Chunk(all, maxAsked) {
			f := &flight{done: make(chan struct{})}
			for _, user := range some {
				l.flying[user] = f
			}
			flights = append(flights, f)
			m.work.Go(func() { m.fetchNow(m.background, f, some) })
		}
	}
	return flights
}

// fetchNow fetches the device lists of people of one server.
func (m *Machine) fetchNow(ctx context.Context, f *flight, users []id.UserID) {
	began := time.Now()
	if slices.Contains(users, m.client.UserID) {
		m.olmMu.Lock() // the library keeps what it knows of the own devices without a lock
		defer m.olmMu.Unlock()
		m.ownMu.Lock()
		defer m.ownMu.Unlock()
	}
	var said map[id.UserID]map[id.DeviceID]*id.Device
	err := protect(func() (err error) {
		said, err = m.olm.FetchKeys(ctx, users, true)
		if _, own := said[m.client.UserID]; own && err == nil {
			_, err = m.olm.GetOwnCrossSigningPublicKeys(ctx) // which it has forgotten, and would look up anywhere
		}
		return err
	})
	if err != nil {
		m.store.c.Log.Debug("device lists could not be fetched", "network", "matrix", "err", err)
	}
	l := &m.lists
	l.mu.Lock()
	defer l.mu.Unlock()
	f.err = err
	if _, own := said[m.client.UserID]; own {
		m.later(m.vouchAgain)
	}
	again := firstPause
	for _, user := range users {
		if devices, is := said[user]; is {
			bounded(l.told)[user] = told{began, devices}
		}
		switch {
		case err != nil:
		case len(said[user]) > 0:
			delete(l.rests, user)
		default: // no answer, or no device, as people have whom a bridge has made
			bounded(l.rests)[user] = l.rests[user].longer(time.Now())
			again = max(again, l.rests[user].pause)
		}
		delete(l.flying, user)
	}
	l.next = earlier(l.next, time.Now().Add(again))
	if l.held {
		l.held = false
		time.AfterFunc(again+time.Millisecond, m.wake) // what still waits asks again
		if err == nil {
			m.wake()
		}
	}
	close(f.done)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// wait waits for requests. Its error is that of the context.
func wait(ctx context.Context, flights []*flight) error {
	for _, f := range flights {
		select {
		case <-f.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// changed notes that people have other devices than before, and has them fetched.
func (m *Machine) changed(ctx context.Context, users []id.UserID) error {
	tracked, err := m.store.keys.FilterTrackedUsers(ctx, users)
	if err != nil {
		return m.store.check(fmt.Errorf("note changed devices: %w", err))
	}
	l := &m.lists
	l.mu.Lock()
	due := len(tracked) > 0 || !time.Now().Before(l.next)
	for _, user := range tracked {
		delete(l.rests, user)
	}
	l.mu.Unlock()
	if len(tracked) > 0 {
		if err := m.store.keys.MarkTrackedUsersOutdated(ctx, tracked); err != nil {
			return m.store.check(fmt.Errorf("note changed devices: %w", err))
		}
	}
	if !due {
		return nil
	}
	outdated, err := m.outdated(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.next = time.Now().Add(lastPause) // unless a fetch fails
	l.mu.Unlock()
	m.fetch(slices.DeleteFunc(outdated, l.resting))
	return nil
}

// outdated returns those whose device lists are known to be old.
func (m *Machine) outdated(ctx context.Context) ([]id.UserID, error) {
	users, err := m.store.keys.GetOutdatedTrackedUsers(ctx)
	if err != nil {
		return nil, m.store.check(fmt.Errorf("look for changed devices: %w", err))
	}
	return users, nil
}

// isOutdated reports whether the device list of somebody is known to be old or is being fetched, which it has done.
func (m *Machine) isOutdated(ctx context.Context, user id.UserID) (bool, error) {
	users, err := m.outdated(ctx)
	if err != nil {
		return false, err
	}
	old := slices.Contains(users, user)
	if old && !m.lists.resting(user) {
		m.fetch([]id.UserID{user})
	}
	m.lists.mu.Lock()
	defer m.lists.mu.Unlock()
	// A list that comes in now is kept before the signatures that belong to it.
	old = old || m.lists.flying[user] != nil
	m.lists.held = m.lists.held || old
	return old, nil
}

// refresh waits for the device lists of the members of a room that are known to be old and can be had.
func (m *Machine) refresh(ctx context.Context, members []id.UserID) error {
	users, err := m.outdated(ctx)
	if err != nil {
		return err
	}
	return wait(ctx, m.fetch(slices.DeleteFunc(users, func(u id.UserID) bool {
		return u == m.client.UserID || !slices.Contains(members, u) || m.lists.resting(u)
	})))
}

// meet fetches the devices of people of whom none is known. A slow server of theirs holds up this room only, and who had no
// device is not asked for again for a while.
func (m *Machine) meet(ctx context.Context, members []id.UserID) error {
	var strangers []id.UserID
	for _, u := range members {
		devices, err := m.store.keys.GetDevices(ctx, u)
		if err != nil {
			return err
		}
		// Who had no device when they were asked for may have one that nobody has told of yet.
		if len(devices) == 0 && !m.lists.resting(u) {
			strangers = append(strangers, u)
		}
	}
	flights := m.fetch(strangers)
	if err := wait(ctx, flights); err != nil {
		return err
	}
	for _, f := range flights {
		if f.err != nil {
			return f.err // nothing is sealed for too few
		}
	}
	return nil
}
