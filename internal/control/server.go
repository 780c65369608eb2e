package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"moot/internal/inspect"
	"moot/internal/pause"
)

const (
	// MaxRequest is the longest request in bytes.
	MaxRequest = 64 << 10
	// maxCalls is how many requests are answered at once.
	maxCalls = 32
	// slow is how long somebody may take to write a request or to read a row.
	slow = 10 * time.Second
)

// request is what a client writes.
type request struct {
	Do   string          `json:"do"`
	With json.RawMessage `json:"with,omitempty"`
}

// answer is a line of what it gets.
type answer struct {
	Row   json.RawMessage `json:"row,omitempty"`
	End   bool            `json:"end,omitempty"`
	Error *failure        `json:"error,omitempty"`
}

// failure is an error on its way to a client.
type failure struct {
	Kind string `json:"kind,omitempty"`
	Text string `json:"text"`
}

// kinds are the errors that are the same on both sides.
var kinds = []error{inspect.ErrNotFound, inspect.ErrAmbiguous}

func failureOf(err error) *failure {
	f := &failure{Text: err.Error()}
	for _, kind := range kinds {
		if errors.Is(err, kind) {
			f.Kind = kind.Error()
		}
	}
	return f
}

// Server listens on the socket of a data folder.
type Server struct {
	listener *net.UnixListener
	log      *slog.Logger
	slow     time.Duration // how long somebody may take; tests are in a hurry
}

// Listen removes a socket that was left over and listens. It is for the holder of the lock on the store alone. A nil log
// means none.
func Listen(folder string, log *slog.Logger) (*Server, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	paths, err := places(folder)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, path := range paths {
		l, err := listen(path, filepath.Base(path) != SocketName)
		if err == nil {
			return &Server{l, log, slow}, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("listen for commands of this machine: %w", errors.Join(errs...))
}

// listen makes the socket, and its folder where that is not the data folder.
func listen(path string, elsewhere bool) (*net.UnixListener, error) {
	if elsewhere {
		dir := filepath.Dir(path)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		if err := ownFolder(dir); err != nil {
			return nil, err
		}
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSocket == 0:
		return nil, fmt.Errorf("%s is in the way: it is not a socket", path)
	default:
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Close stops listening without ever having served. After Serve it does nothing.
func (s *Server) Close() error {
	if err := s.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Serve answers until the context ends, which is no error, and removes the socket. It cuts off who is still being
// answered then.
func (s *Server) Serve(ctx context.Context, h *Handler) error {
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(ctx, func() { s.Close() }) //nolint:errcheck // the second closing tells
	defer unhook()
	var calls sync.WaitGroup
	defer calls.Wait()
	defer cancel()

	free := make(chan struct{}, maxCalls)
	for {
		conn, err := s.listener.AcceptUnix()
		switch {
		case ctx.Err() != nil:
			if conn != nil {
				conn.Close()
			}
			return s.Close()
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			// Too many open files, most likely. They pass; the socket should not be lost over them.
			s.log.Warn("a command from this machine could not be accepted", "err", err)
			_ = pause.Sleep(ctx, time.Second)
			continue
		}
		select {
		case free <- struct{}{}:
			calls.Go(func() {
				defer func() { <-free }()
				s.call(ctx, conn, h)
			})
		default:
			calls.Go(func() {
				defer conn.Close()
				s.say(conn, answer{Error: &failure{Text: "The bot is answering too many questions at once. Try again in a moment."}}) //nolint:errcheck // nobody to tell
			})
		}
	}
}

// call answers one connection.
func (s *Server) call(ctx context.Context, conn *net.UnixConn, h *Handler) {
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(ctx, func() { conn.Close() })
	defer unhook()
	var listening sync.WaitGroup
	defer listening.Wait()
	defer cancel()

	err := checkPeer(conn)
	if err != nil {
		s.log.Warn("another user of this machine tried to command the bot", "err", err)
		s.say(conn, answer{Error: &failure{Text: "This bot belongs to another user of this machine."}}) //nolint:errcheck // nobody to tell
		return
	}
	in := bufio.NewReader(io.LimitReader(conn, MaxRequest+1))
	req, err := s.readRequest(conn, in)
	if err == nil {
		// The end of the connection is that of the request.
		listening.Go(func() {
			_, _ = io.Copy(io.Discard, in)
			cancel()
		})
		err = h.answer(ctx, req, func(row any) error {
			data, err := json.Marshal(row)
			if err != nil {
				return fmt.Errorf("write a row as JSON: %w", err)
			}
			return s.say(conn, answer{Row: data})
		})
	}
	last := answer{End: true}
	if err != nil {
		last = answer{Error: failureOf(err)}
	}
	if err := s.say(conn, last); err != nil && ctx.Err() == nil {
		s.log.Debug("an answer could not be delivered", "do", req.Do, "err", err)
	}
}

// answer is handle, which also survives a panic: a question must not end the bot.
func (h *Handler) answer(ctx context.Context, req request, out emit) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("answer %q: panic: %v", req.Do, p)
		}
	}()
	return h.handle(ctx, req.Do, req.With, out)
}

func (s *Server) readRequest(conn net.Conn, in *bufio.Reader) (req request, err error) {
	if err := conn.SetReadDeadline(time.Now().Add(s.slow)); err != nil {
		return req, err
	}
	line, err := in.ReadBytes('\n')
	switch {
	case len(line) > MaxRequest:
		return req, fmt.Errorf("the request is longer than %d bytes", MaxRequest)
	case err != nil:
		return req, fmt.Errorf("read the request: %w", err)
	}
	if err := json.Unmarshal(line, &req); err != nil {
		return req, fmt.Errorf("read the request: %w", err)
	}
	return req, conn.SetReadDeadline(time.Time{})
}

// say writes a line.
func (s *Server) say(conn net.Conn, a answer) error {
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := conn.SetWriteDeadline(time.Now().Add(s.slow)); err != nil {
		return err
	}
	_, err = conn.Write(append(data, '\n'))
	return err
}
