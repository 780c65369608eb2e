package exec

import (
	"errors"
	"log/slog"
	"syscall"
	"time"

	"moot/protocol/service/result"
)

// patience is how long a program may take to read a line that it is given.
const patience = 10 * time.Second

// Stream is a program that runs on, and exchanges lines both ways. One goroutine may read while others write.
type Stream struct {
	proc  *process
	spawn *spawner
}

// Check reports what is wrong with how a program is to be started; nil where it can be.
func Check(c Config) error {
	_, err := prepared(c)
	return err
}

// Start starts a program. Of the Config it takes Argv, Folder, Env, Memory, Groups and Log.
func Start(c Config) (*Stream, error) {
	c, err := prepared(c)
	if err != nil {
		return nil, err
	}
	c.Warm = true // no limit on processor time
	spawn, err := newSpawner()
	if err != nil {
		return nil, err
	}
	proc, err := spawn.start(c, environment(c))
	if err != nil {
		spawn.close()
		return nil, err
	}
	return &Stream{proc, spawn}, nil
}

// prepared finds the program of a Config.
func prepared(c Config) (Config, error) {
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return c, errors.New("exec: there is no program")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	program, err := find(c.Argv[0], c.Folder)
	if err != nil {
		return c, err
	}
	c.Argv = append([]string{program}, c.Argv[1:]...)
	return c, nil
}

// environment is what every process has in its environment.
func environment(c Config) []string {
	return append([]string{"PATH=" + Path, "LANG=C.UTF-8"}, c.Env...)
}

// Read returns the next line that the program has written, of at most [result.MaxOutput] bytes, without its end. A last line
// without an end is left out: the program may have been killed in the middle of it.
func (s *Stream) Read() ([]byte, error) {
	line, err := s.proc.read()
	if errors.Is(err, result.ErrOutput) {
		s.End()
	}
	return line, err
}

// Write gives the program a line. One that does not read it within ten seconds is told to end; one that has closed its input is not.
func (s *Stream) Write(line []byte) error {
	err := s.proc.write(line, patience)
	if err != nil && !errors.Is(err, syscall.EPIPE) {
		s.End()
	}
	return err
}

// End has the program end, and does not wait for that.
func (s *Stream) End() { s.proc.end() }

// Close ends the program, where the end of its input does not, and returns nil, or how it has ended where that was no good end,
// when it is gone.
func (s *Stream) Close() error {
	s.proc.dismiss()
	s.proc.finish()
	s.spawn.close()
	return s.proc.fate()
}
