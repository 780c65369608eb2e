// Package wire is how a bot and a network in another process write to each other: one JSON object a line, with bodies under
// the name of their kind and faults with all that a sender has to know of them. Package remote calls over such lines.
//
// Over two pipes they say the lines below. The network is then the parent process, usually a test, and the bot a child that
// may be killed at any moment.
//
//	network ─▶ bot
//	  {"id":7,"event":{"Room":"console:lobby","ID":"e1",…}}           something has happened
//	  {"id":8,"events":[{…},{…}]}                                     several things, to be admitted at once
//	  {"sent":"KEY","ref":{"Room":"console:lobby","Event":"e9"}}      a send has worked; it stands there
//	  {"answer":"KEY","body":{"MemberList":{…}}}                      what an ask has learned; body may be missing
//	  {"failed":"KEY","error":"why","final":true,"gone":true,         a send or an ask has not worked
//	   "ambiguous":false,"retry_after_ms":500}
//
//	bot ─▶ network
//	  {"ack":7}                                                       the events of line 7 are durable
//	  {"send":{"Key":"KEY",…},"attempt":{"N":1,…}}                    wants a sent or failed
//	  {"ask":{"Key":"KEY",…},"attempt":{…}}                           wants an answer or failed
//	  {"refused":"why","line":3,"id":7}                               a line, counted from 1, that made no sense
//
// The network delivers what was not acknowledged again, to the next life of the bot too, under the same id and with
// the same events. The bot asks a question again that had no answer when it died. So the network answers a key
// that it has seen with what it answered before.
//
// Blank lines mean nothing. A line has at most [MaxLine] bytes; the rest of a longer one is skipped. Neither side
// stops at a line that it cannot read.
package wire

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"moot/protocol"
)

// MaxLine is the longest line in bytes, without its newline, where a Reader is not told otherwise.
const MaxLine = 4 << 20

// In is a line that the network writes.
type In struct {
	ID     int64            `json:"id,omitempty"` // of Event and Events; never zero
	Event  *protocol.Event  `json:"event,omitempty"`
	Events []protocol.Event `json:"events,omitempty"`
	Now    time.Time        `json:"now,omitzero"`

	Sent protocol.Key  `json:"sent,omitempty"`
	Ref  *protocol.Ref `json:"ref,omitempty"`

	Answer protocol.Key `json:"answer,omitempty"`
	Body   *Body        `json:"body,omitempty"`

	Failed protocol.Key `json:"failed,omitempty"`
	Fault
}

// Fault is why something has not worked.
type Fault struct {
	Error        string         `json:"error,omitempty"`
	Final        bool           `json:"final,omitempty"`
	Gone         bool           `json:"gone,omitempty"` // whether the cause is protocol.ErrGone
	Ambiguous    bool           `json:"ambiguous,omitempty"`
	RetryAfterMS int64          `json:"retry_after_ms,omitempty"`
	Limits       protocol.Limit `json:"limits,omitempty"` // of a SendError
}

// Out is a line that the bot writes.
type Out struct {
	Ack     int64              `json:"ack,omitempty"`
	Send    *protocol.Outgoing `json:"send,omitempty"`
	Ask     *protocol.Ask      `json:"ask,omitempty"`
	Attempt *protocol.Attempt  `json:"attempt,omitempty"`
	Refused string             `json:"refused,omitempty"`
	Line    int64              `json:"line,omitempty"`
	ID      int64              `json:"id,omitempty"`
}

// Check tells what is wrong with a line.
func (in In) Check() error {
	kinds := 0
	for _, is := range []bool{in.Event != nil, len(in.Events) > 0, !in.Now.IsZero(), in.Sent != "", in.Answer != "", in.Failed != ""} {
		if is {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		return fmt.Errorf("it has %d of event, events, now, sent, answer and failed, and one is wanted", kinds)
	case (in.Event != nil || len(in.Events) > 0 || !in.Now.IsZero()) && in.ID == 0:
		return errors.New("events need an id, a number other than 0, and so does now")
	case in.RetryAfterMS < 0 || in.RetryAfterMS > int64(24*time.Hour/time.Millisecond):
		return errors.New("retry_after_ms lies between 0 and a day")
	}
	return nil
}

// All returns the events of the line.
func (in In) All() []protocol.Event {
	if in.Event != nil {
		return []protocol.Event{*in.Event}
	}
	return in.Events
}

// Failure returns the line that reports an error of an adapter.
func Failure(key protocol.Key, err error) In { return In{Failed: key, Fault: FaultOf(err)} }

// FaultOf returns what is said of an error of an adapter.
func FaultOf(err error) Fault {
	f := Fault{Error: err.Error(), Gone: errors.Is(err, protocol.ErrGone)}
	var se *protocol.SendError
	if errors.As(err, &se) && se.Err != nil {
		f.Error = se.Err.Error()
	}
	if se != nil {
		f.Final, f.Ambiguous, f.RetryAfterMS, f.Limits = se.Final, se.Ambiguous, se.RetryAfter.Milliseconds(), se.Limits
	}
	return f
}

// Err is the inverse of FaultOf.
func (f Fault) Err() error {
	err := error(remote(f.Error))
	if f.Gone {
		err = goneError{err}
	}
	if !f.Final && !f.Ambiguous && f.RetryAfterMS == 0 {
		return err
	}
	return &protocol.SendError{
		Final: f.Final, Ambiguous: f.Ambiguous,
		RetryAfter: time.Duration(f.RetryAfterMS) * time.Millisecond, Limits: f.Limits,
		Err: err,
	}
}

type remote string

func (r remote) Error() string { return string(r) }

type goneError struct{ error }

func (goneError) Is(target error) bool { return target == protocol.ErrGone }

// Body writes a body under the name of its kind, as the protocol does within an Answer.
type Body struct{ protocol.Body }

type result struct{ Result json.RawMessage }

// MarshalJSON writes {"kind":{…}}.
func (b Body) MarshalJSON() ([]byte, error) {
	data, err := json.Marshal(protocol.Answer{Result: b.Body})
	if err != nil {
		return nil, err
	}
	var r result
	err = json.Unmarshal(data, &r)
	return r.Result, err
}

// UnmarshalJSON reads what MarshalJSON writes.
func (b *Body) UnmarshalJSON(data []byte) error {
	wrapped, err := json.Marshal(result{data})
	if err != nil {
		return err
	}
	var a protocol.Answer
	if err := json.Unmarshal(wrapped, &a); err != nil {
		return err
	}
	b.Body = a.Result
	return nil
}

// Reader reads lines. It is not safe for concurrent use.
type Reader struct {
	r    *bufio.Reader
	n    int64
	most int
}

// ErrLong is the error of a line that is longer than the Reader takes.
var ErrLong = errors.New("the line is longer than what is read")

// NewReader returns a reader of lines of at most [MaxLine] bytes.
func NewReader(r io.Reader) *Reader { return NewReaderOf(r, MaxLine) }

// NewReaderOf returns a reader of lines of at most so many bytes.
func NewReaderOf(r io.Reader, most int) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, 64<<10), most: most}
}

// Next returns the next line that is not blank, and its number. After ErrLong the reader stands at the line
// behind. The end is io.EOF; what stands there without a newline was cut short and is no line. The slice is the caller's.
func (r *Reader) Next() (line []byte, n int64, err error) {
	for {
		line, err := r.next()
		if err != nil && !errors.Is(err, ErrLong) {
			return nil, r.n, err
		}
		r.n++
		if err != nil || len(bytes.TrimSpace(line)) > 0 {
			return line, r.n, err
		}
	}
}

func (r *Reader) next() ([]byte, error) {
	var line []byte
	long := false
	for {
		part, err := r.r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		if !long {
			line = append(line, part...)
		}
		if len(line) > r.most+1 {
			long, line = true, nil
		}
		if err == nil {
			if long {
				return nil, ErrLong
			}
			return bytes.TrimSuffix(line, []byte("\n")), nil
		}
	}
}

// Writer writes lines, each in one piece. It is safe for concurrent use.
type Writer struct {
	mu sync.Mutex
	w  io.Writer
}

// NewWriter returns a writer of lines.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write writes an In or an Out as one line.
func (w *Writer) Write(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err = w.w.Write(append(data, '\n'))
	return err
}
