package matrixtest

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Fault is how a request goes wrong.
type Fault struct {
	Status int
	Header map[string]string
	Body   string // written as it is
	// Cut closes the connection in place of an answer; Late does so after the request was carried out.
	Cut, Late bool
	// Garble cuts the answer off in the middle.
	Garble bool
	// Change lets the request be carried out and changes its answer.
	Change func(answer []byte) []byte
	// Hold lets the request wait until it is closed, and then carries it out as usual.
	Hold <-chan struct{}
	// Behind cuts the connection, and lets the request be carried out behind it when it is closed, as a server does that was
	// still at work on it.
	Behind <-chan struct{}
}

// TooMany is the answer to somebody who asks too often, with the wait in the body as older servers have it.
func TooMany(ms string) Fault {
	return Fault{Status: http.StatusTooManyRequests, Body: `{"errcode":"M_LIMIT_EXCEEDED","error":"slow down","retry_after_ms":` + ms + `}`}
}

// TooManyByHeader is the same with the wait in the header.
func TooManyByHeader(seconds string) Fault {
	return Fault{Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": seconds}, Body: `{"errcode":"M_LIMIT_EXCEEDED","error":"slow down"}`}
}

// Refusal is an answer with an error code of Matrix.
func Refusal(status int, code string) Fault {
	return Fault{Status: status, Body: `{"errcode":"` + code + `","error":"told to"}`}
}

type fault struct {
	match string
	left  int // how often still; negative means for ever
	Fault
}

// Break lets requests fail whose method and path contain match, n times; a negative n means until Heal.
func (s *Server) Break(match string, n int, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &fault{match: match, left: n, Fault: f})
	s.tellLocked() // also polls that wait fail
}

// Heal ends all faults.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Forget makes the server refuse every position that a sync has been given so far, as one does that was put back from a
// backup. It counts no requests, for one whose connection has just ended may still come.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = s.head
	s.head++
}

func (s *Server) hasForgotten(since int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return since > 0 && since <= s.lost
}

// Faults returns how many faults with an end have not happened yet.
func (s *Server) Faults() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		n += max(f.left, 0)
	}
	return n
}

// takeFault returns how a request goes wrong, nil if it does not.
func (s *Server) takeFault(req *http.Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.left != 0 && strings.Contains(req.Method+" "+req.URL.Path, f.match) {
			if f.left > 0 {
				f.left--
			}
			return &f.Fault
		}
	}
	return nil
}

// cut closes the connection of a request.
func cut(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

func (f *Fault) answer(w http.ResponseWriter) {
	if f.Cut || f.Status == 0 { // a poll that waits can only be cut
		cut(w)
		return
	}
	for k, v := range f.Header {
		w.Header().Set(k, v)
	}
	if json.Valid([]byte(f.Body)) {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(f.Status)
	_, _ = w.Write([]byte(f.Body))
}
