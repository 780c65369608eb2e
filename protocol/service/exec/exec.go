// Package exec runs the programs of tasks: in any language, by lines of JSON on their standard input and output, in processes
// that can be contained and ended. It needs Linux.
//
// # Promises
//
//   - A program is started by its own name and arguments, never by a shell. It has an environment of its own, of which the
//     configuration names every variable that comes from the bot's.
//   - Each process leads a group of its own. When a job takes longer than it may, the group is told to end (SIGTERM), and what
//     has not after a second is killed. So is what a process leaves behind in its group when it ends.
//   - A process is killed when the bot dies, however the bot does. What has left the group meanwhile, or was started by the
//     process in turn, is not: a process that is to clean up reads its standard input, which ends then.
//   - Where the bot may make control groups, all that a process has started ends with it, also what has left its group, and there are
//     limits on how much of it there is.
//   - What it writes is read up to [result.MaxOutput] bytes; more is a fault, and ends it. What it writes to standard error goes to the
//     log, a limited number of lines.
//   - It has limits of its own on memory, open files, the size of files, and, where it is one process per job, on processor time.
//     They hold before the program does anything.
//   - A process per job reads one line and the end of its input. A warm one reads line after line and writes one for each. It is
//     ended when it has broken that, and when it has not been needed for a while. A second line that is there before the next job
//     is given to nobody; one that comes while the next job runs cannot be told from its answer.
package exec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"moot/protocol/service/result"
)

const (
	// grace is how long a process has between being told to end and being killed.
	grace = time.Second
	// idle is how long a warm process is kept that is not needed.
	idle = time.Minute
)

// ErrClosed is the error of Do where no more processes are started; all others are those of package result.
var ErrClosed = errors.New("no more processes are started")

// Config says what is run, and how.
type Config struct {
	// Argv is the program and its arguments. A program without a slash is looked for in Path.
	Argv []string
	// Folder is where it runs.
	Folder string
	// Env are its variables, each NAME=VALUE, beside PATH and LANG.
	Env []string
	// Timeout is how long a job may take.
	Timeout time.Duration
	// Text is whether what it writes is the answer as it stands, and no JSON.
	Text bool
	// Warm is whether a process serves one job after another. Min are kept from the beginning on, and Max is how many there
	// are at once; without Warm it is how many jobs there are at once.
	Warm     bool
	Min, Max int
	// Memory is how many bytes of its own a process may have; zero means no limit.
	Memory int64
	// Groups is the folder of a control group, in which each process gets one of its own; see Delegated. Zero means that it gets none.
	Groups string
	Log    *slog.Logger // nil means none
}

// Path is where programs are looked for.
const Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Pool runs one program for as many jobs as come. Its methods may be called concurrently.
type Pool struct {
	cfg   Config
	slots chan struct{} // has a value for each job that runs
	spawn *spawner

	mu     sync.Mutex
	idle   []*process // warm ones that wait, the one that has waited longest first; guarded by mu
	closed bool       // guarded by mu
	timer  *time.Timer
}

// New returns a pool. It starts nothing yet.
func New(c Config) (*Pool, error) {
	switch {
	case c.Timeout <= 0 || c.Max < 1 || c.Min < 0 || c.Min > c.Max:
		return nil, errors.New("exec: Timeout, Min or Max cannot be")
	case c.Warm && c.Text:
		return nil, errors.New("exec: a warm process writes JSON")
	}
	c, err := prepared(c)
	if err != nil {
		return nil, err
	}
	spawn, err := newSpawner()
	if err != nil {
		return nil, err
	}
	return &Pool{cfg: c, slots: make(chan struct{}, c.Max), spawn: spawn}, nil
}

// twice is what is logged of a warm process whose next line would be taken for the answer of another job.
const twice = "a warm process has written more than one line for a job, and is ended"

// find returns the path of a program.
func find(name, folder string) (string, error) {
	if strings.Contains(name, "/") {
		if !strings.HasPrefix(name, "/") {
			name = folder + "/" + name
		}
		if err := runnable(name); err != nil {
			return "", fmt.Errorf("the program %s cannot be run: %w", name, err)
		}
		return name, nil
	}
	for dir := range strings.SplitSeq(Path, ":") {
		if runnable(dir+"/"+name) == nil {
			return dir + "/" + name, nil
		}
	}
	return "", fmt.Errorf("there is no program %s in %s; write its whole path", name, Path)
}

func runnable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("it is a folder")
	case info.Mode()&0o111 == 0:
		return errors.New("it is not marked as a program (chmod +x)")
	}
	return nil
}

// Warm starts the processes that are to be there before they are needed. What cannot be started is in the log: it is tried
// again with a job.
func (p *Pool) Warm() {
	for range p.cfg.Min {
		proc, err := p.start(nil)
		if err != nil {
			p.cfg.Log.Warn("a process could not be started ahead", "err", err)
			return
		}
		p.put(proc)
	}
}

// Close ends all processes that wait, and returns when they are gone. Jobs that run have ended before.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	waiting := p.idle
	p.idle = nil
	if p.timer != nil {
		p.timer.Stop()
	}
	p.mu.Unlock()
	for _, proc := range waiting {
		proc.finish()
	}
	p.spawn.close()
}

// Do hands a process one line of JSON and returns what it answers, one JSON object. The variables are for a process that serves
// this job alone.
func (p *Pool) Do(ctx context.Context, line []byte, env ...string) (json.RawMessage, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.slots }()
	within, cancel := context.WithTimeoutCause(ctx, p.cfg.Timeout, result.ErrTimeout)
	defer cancel()
	var out []byte
	var err error
	if p.cfg.Warm {
		out, err = p.exchange(within, line)
	} else {
		out, err = p.once(within, line, env)
	}
	if err != nil {
		if cause := context.Cause(within); cause != nil && !errors.Is(err, result.ErrOutput) {
			return nil, cause
		}
		return nil, err
	}
	return result.Read(out, p.cfg.Text, p.cfg.Folder)
}

// once runs a process for one job.
func (p *Pool) once(ctx context.Context, line []byte, env []string) ([]byte, error) {
	proc, err := p.start(env)
	if err != nil {
		return nil, err
	}
	defer proc.finish()
	defer context.AfterFunc(ctx, proc.end)()
	return proc.once(line)
}

// exchange has a warm process do a job.
func (p *Pool) exchange(ctx context.Context, line []byte) ([]byte, error) {
	proc, err := p.take()
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, proc.end)
	out, err := proc.exchange(line)
	whole := stop() && err == nil
	if whole && !proc.silent() {
		p.cfg.Log.Warn(twice)
		whole = false
	}
	if !whole {
		proc.finish()
		return out, err
	}
	p.put(proc)
	return out, nil
}

// take returns a process that waits, or a new one.
func (p *Pool) take() (*process, error) {
	for {
		p.mu.Lock()
		n := len(p.idle)
		if n == 0 {
			p.mu.Unlock()
			return p.start(nil)
		}
		proc := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		if alive := proc.alive(); alive && proc.silent() {
			return proc, nil
		} else if alive {
			p.cfg.Log.Warn(twice)
		}
		proc.finish()
	}
}

// put keeps a process for the next job.
func (p *Pool) put(proc *process) {
	proc.since = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		go proc.finish()
		return
	}
	p.idle = append(p.idle, proc)
	if p.timer == nil && len(p.idle) > p.cfg.Min {
		p.timer = time.AfterFunc(idle, p.cool)
	}
}

// cool ends the processes that were not needed for a while.
func (p *Pool) cool() {
	p.mu.Lock()
	var cold []*process
	for len(p.idle) > p.cfg.Min && time.Since(p.idle[0].since) >= idle {
		cold, p.idle = append(cold, p.idle[0]), p.idle[1:]
	}
	p.timer = nil
	if !p.closed && len(p.idle) > p.cfg.Min {
		p.timer = time.AfterFunc(idle, p.cool)
	}
	p.mu.Unlock()
	for _, proc := range cold {
		proc.finish()
	}
}

// start starts a process.
func (p *Pool) start(env []string) (*process, error) {
	return p.spawn.start(p.cfg, append(environment(p.cfg), env...))
}
