package clock

import (
	"net/http"
	"sync"
	"time"
)

var started = time.Now()

// Server is what one network's servers say the time is. It is a transport: it learns from the Date header of each answer
// that passes through it. The zero value has learned nothing. It is safe for concurrent use.
type Server struct {
	// Next makes the exchanges; nil means http.DefaultTransport.
	Next http.RoundTripper

	mu    sync.Mutex
	known bool
	read  Reading       // of the newest answer
	at    time.Duration // Elapsed when it came
}

// RoundTrip implements http.RoundTripper.
func (s *Server) RoundTrip(req *http.Request) (*http.Response, error) {
	next := s.Next
	if next == nil {
		next = http.DefaultTransport
	}
	began := Elapsed()
	resp, err := next.RoundTrip(req)
	if err == nil {
		s.learn(resp.Header, began, Elapsed())
	}
	return resp, err
}

// learn notes a Date header. Servers write it when a request begins or when its answer does, and without fractions.
func (s *Server) learn(h http.Header, began, ended time.Duration) {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known, s.at = true, ended
	s.read = Reading{date, date.Add(ended - began + time.Second)}
}

// CloseIdleConnections lets go of the connections of Next, as http.Client does.
func (s *Server) CloseIdleConnections() {
	if c, ok := s.Next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// Reading returns what the servers say the time is now; ok is false where they have said nothing yet.
func (s *Server) Reading() (r Reading, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	passed := Elapsed() - s.at
	return Reading{s.read.Low.Add(passed), s.read.High.Add(passed)}, s.known
}

// Readings returns what those servers say that have said something.
func Readings(servers []*Server) (all []Reading) {
	for _, s := range servers {
		if r, ok := s.Reading(); ok {
			all = append(all, r)
		}
	}
	return all
}
