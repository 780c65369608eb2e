package homeserver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"
)

// shield stands before the server and brings each request to its end, also where whoever made it was killed meanwhile.
// Dendrite v0.15.2 on SQLite loses a connection to its database, for good, when a request is given up within a transaction:
// from then on it answers 500 ("cannot start a transaction within a transaction"). A bot that is killed at any moment,
// as the tests do, would hit that sooner or later, which says nothing about the bot.
type shield struct {
	server *http.Server
	done   chan struct{}

	mu     sync.Mutex
	down   bool
	refuse chan struct{} // told of each connection that was cut while it is down
}

// startShield returns a shield before the server at the address, and its own URL.
func startShield(to string) (*shield, string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 200, DisableCompression: true}
	s := &shield{done: make(chan struct{}), refuse: make(chan struct{})}
	s.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s.cut(w, r) {
				return
			}
			pass(w, r, to, transport)
		}),
		// What a connection says that was cut is of no interest.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(l) // it ends by stop alone
	}()
	return s, "http://" + l.Addr().String(), nil
}

// pass passes a request on, and its answer back.
func pass(w http.ResponseWriter, r *http.Request, to string, transport http.RoundTripper) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // it never came whole
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 2*time.Minute)
	defer cancel()
	out, err := http.NewRequestWithContext(ctx, r.Method, to+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out.Header = r.Header.Clone()
	resp, err := transport.RoundTrip(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(answer) // to somebody who may be gone
}

// cut cuts the connection of a request while the server is said to be down.
func (s *shield) cut(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	down := s.down
	s.mu.Unlock()
	if !down {
		return false
	}
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		conn.Close()
	}
	select {
	case s.refuse <- struct{}{}:
	case <-r.Context().Done():
	case <-time.After(time.Second): // nobody counts
	}
	return true
}

// Down cuts every connection through the shield from here on, as if the server were gone, and waits until so many requests
// have been cut. Who uses Direct does not notice.
func (s *Server) Down(ctx context.Context, cut int) error {
	s.shield.mu.Lock()
	s.shield.down = true
	s.shield.mu.Unlock()
	for n := range cut {
		select {
		case <-s.shield.refuse:
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * patience):
			return fmt.Errorf("after %d requests nobody asks any more", n)
		}
	}
	return nil
}

// Up ends what Down has begun.
func (s *Server) Up() {
	s.shield.mu.Lock()
	s.shield.down = false
	s.shield.mu.Unlock()
}

func (s *shield) stop() {
	_ = s.server.Close()
	<-s.done
}
