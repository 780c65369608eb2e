package clock

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// machine is a machine whose clock and whose time a test moves.
type machine struct {
	wall    time.Time
	elapsed time.Duration
}

// pass lets time pass.
func (m *machine) pass(d time.Duration) { m.wall, m.elapsed = m.wall.Add(d), m.elapsed+d }

func (m *machine) flow(last time.Time) *Flow {
	return NewFlow(func() time.Time { return m.wall }, func() time.Duration { return m.elapsed }, last)
}

func TestFlowFollowsAClockThatIsRight(t *testing.T) {
	m := &machine{wall: noon}
	f := m.flow(noon.Add(-time.Hour))
	for range 100 {
		if got := f.Now(); !got.Equal(m.wall) {
			t.Fatalf("%s at %s", got, m.wall)
		}
		f.Reached(m.wall)
		m.pass(13 * time.Second)
	}
}

// A flow that is ahead goes on, never back, and is caught up with.
func TestFlowHealsByItself(t *testing.T) {
	m := &machine{wall: noon}
	f := m.flow(noon.Add(2 * time.Hour))
	last := f.Now()
	hours := 0
	for ; f.Now().After(m.wall); hours++ {
		for range 60 {
			m.pass(time.Minute)
			now := f.Now()
			if d := now.Sub(last); d < 56*time.Second || d > time.Minute {
				t.Fatalf("in a minute it went on by %s", d)
			}
			f.Reached(now)
			last = now
		}
	}
	if hours < 31 || hours > 33 {
		t.Errorf("two hours were made good in %d hours", hours)
	}
}

func TestFlowOverAClockThatJumps(t *testing.T) {
	m := &machine{wall: noon}
	f := m.flow(noon)
	m.wall = noon.Add(-40 * 365 * 24 * time.Hour)
	for range 10 {
		m.pass(time.Second)
	}
	if d := f.Now().Sub(noon); d < 9*time.Second || d > 10*time.Second {
		t.Errorf("ten seconds after the clock went back it is %s later", d)
	}
	m.elapsed -= time.Hour // as on a machine whose timer is broken
	if f.Now().Before(noon) {
		t.Error("it went back")
	}
	still := NewFlow(func() time.Time { return m.wall }, nil, noon)
	if !still.Now().Equal(noon) {
		t.Error("a simulated clock does not stand still")
	}
}

func TestJudge(t *testing.T) {
	at := func(d time.Duration) Reading { return Reading{noon.Add(d), noon.Add(d + 2*time.Second)} }
	const years = 10 * 365 * 24 * time.Hour
	for _, c := range []struct {
		name    string
		store   time.Duration
		servers []Reading
		want    State
		by      time.Duration
	}{
		{"as ever", -time.Second, []Reading{at(0)}, Right, 0},
		{"nobody says anything", -time.Hour, nil, Right, 0},
		{"half a minute is nothing", 30 * time.Second, []Reading{at(30 * time.Second)}, Right, 0},
		{"the store is ahead", 2 * time.Hour, []Reading{at(0)}, StoreAhead, 2 * time.Hour},
		{"the store is ahead, and nobody vouches", 2 * time.Hour, nil, StoreAhead, 2 * time.Hour},
		{"the clock is behind", -time.Hour, []Reading{at(2 * time.Minute)}, Behind, 2 * time.Minute},
		{"the clock is behind both", years - time.Hour, []Reading{at(years)}, Behind, years},
		{"one of two servers agrees with the clock", -time.Hour, []Reading{at(years), at(0)}, Right, 0},
		{"both are ahead", -time.Hour, []Reading{at(years), at(time.Hour)}, Behind, time.Hour},
		{"the clock is ahead", -years - time.Hour, []Reading{at(-years)}, Ahead, years - 2*time.Second},
		{"the clock jumped ahead", -years - time.Second, []Reading{at(-years)}, Ahead, years - 2*time.Second},
		{"the store is hours ahead, and the clock jumps", -years, []Reading{at(-years - 3*time.Hour)}, Ahead, years + 3*time.Hour - 2*time.Second},
		{"two hours after the last commit a server is wrong", -2 * time.Hour, []Reading{at(-years)}, Right, 0},
		{"half an hour ahead is nothing to wait for", -time.Hour, []Reading{at(-30 * time.Minute)}, Right, 0},
		{"the server is behind what the store has seen", -time.Minute, []Reading{at(-years)}, Right, 0},
		{"the servers contradict each other", -years - time.Hour, []Reading{at(-years), at(years)}, Right, 0},
	} {
		got := Judge(noon, noon.Add(c.store), c.servers)
		if got.State != c.want || got.By != c.by || got.Vouched != (len(c.servers) > 0) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// A server is read from the Date header of whatever it answers, and its time goes on meanwhile.
func TestServer(t *testing.T) {
	date := noon
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", date.Format(http.TimeFormat))
		w.WriteHeader(http.StatusTeapot)
	}))
	defer srv.Close()
	s := &Server{}
	if _, ok := s.Reading(); ok || len(Readings([]*Server{s})) > 0 {
		t.Error("it knows before it was told")
	}
	get := func() {
		t.Helper()
		resp, err := (&http.Client{Transport: s}).Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	get()
	r, ok := s.Reading()
	if !ok || r.Low.Before(noon) || r.Low.After(noon.Add(time.Minute)) || r.High.Sub(r.Low) < time.Second {
		t.Errorf("%+v, %v", r, ok)
	}
	s.at -= time.Hour
	if later, _ := s.Reading(); later.Low.Sub(r.Low) < time.Hour {
		t.Errorf("an hour later it is %s", later.Low)
	}
	date = noon.Add(-time.Hour) // its own clock was put right
	get()
	if r, _ := s.Reading(); r.High.After(noon) {
		t.Errorf("then it is %+v", r)
	}
	date = time.Time{}
	get()
	if r, ok := s.Reading(); !ok || r.Low.After(noon) { // year 1 is a date like any other
		t.Errorf("then it is %+v, %v", r, ok)
	}
}

func TestElapsedGoesOn(t *testing.T) {
	a := Elapsed()
	time.Sleep(2 * time.Millisecond)
	if b := Elapsed(); b <= a {
		t.Errorf("%s, then %s", a, b)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "less than a second", 90 * time.Second: "1 minute 30 seconds", 2 * time.Hour: "2 hours", 25*time.Hour + time.Second: "1 day 1 hour",
		(10*365 + 3) * 24 * time.Hour: "10 years 3 days", 24*time.Hour + time.Minute: "1 day",
	} {
		if got := Span(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}
