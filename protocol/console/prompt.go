package console

import (
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/chzyer/readline"
)

// HistoryName is the name of the file that keeps what was typed.
const HistoryName = "console_history"

const maxHistory = 1000

// prompt is the line editor. What is printed while a person types goes above their line and does not disturb it.
//
// The library draws from a goroutine of its own and guards not all of its state against others. So nothing else
// draws while a line is edited: print queues, and wakes that goroutine by a key that nobody types.
type prompt struct {
	rl      *readline.Instance
	keys    *keys
	resized atomic.Bool
	resize  func() // tells the library of another width; only its goroutine calls it

	mu      sync.Mutex
	reading bool
	queue   []string
}

// wakeKey is Ctrl-^.
const wakeKey = 0x1e

// newPrompt returns a line editor on standard input and output. Complete is called from another goroutine.
func newPrompt(dir string, complete func(line string) ([]string, string)) (*prompt, error) {
	in, stop, err := stoppable(readline.Stdin)
	if err != nil {
		return nil, err
	}
	p := &prompt{keys: newKeys(in, stop)}
	cfg := &readline.Config{
		Stdin:               p.keys,
		HistoryLimit:        maxHistory,
		HistorySearchFold:   true,
		AutoComplete:        completer(complete),
		UniqueEditLine:      true, // what is said shows as a message; it need not stand there twice
		FuncFilterInputRune: p.filter,
		FuncOnWidthChanged:  func(f func()) { p.resize = f },
		FuncGetWidth: func() int {
			if w := readline.GetScreenWidth(); w >= 20 {
				return w
			}
			return 80 // the library divides by it
		},
	}
	if dir != "" {
		cfg.HistoryFile = filepath.Join(dir, HistoryName)
		// The library would make it readable by all.
		if f, err := os.OpenFile(cfg.HistoryFile, os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			f.Close()
		}
	}
	if p.rl, err = readline.NewEx(cfg); err != nil {
		p.keys.Close()
		return nil, err
	}
	return p, nil
}

// readLine lets a person type a line. It returns io.EOF for Ctrl-D and after stop, and readline.ErrInterrupt for Ctrl-C.
func (p *prompt) readLine(text string) (string, error) {
	p.flush(os.Stdout)
	p.rl.SetPrompt(text)
	p.mu.Lock()
	p.reading = true
	p.mu.Unlock()
	unwatch := p.watchSize()
	line, err := p.rl.Readline()
	unwatch()
	p.mu.Lock()
	p.reading = false
	p.mu.Unlock()
	if err != nil {
		_, _ = io.WriteString(os.Stdout, "\r\n") // the line that was given up stays where it is
	}
	p.flush(os.Stdout)
	return line, err
}

// print prints whole lines.
func (p *prompt) print(text string) {
	p.mu.Lock()
	p.queue = append(p.queue, text)
	reading := p.reading
	p.mu.Unlock()
	if reading {
		p.keys.wake()
	} else {
		p.flush(os.Stdout)
	}
}

func (p *prompt) flush(to io.Writer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) > 0 {
		_, _ = io.WriteString(to, strings.Join(p.queue, ""))
		p.queue = nil
	}
}

// filter sees each key before the library does, on the goroutine that draws.
func (p *prompt) filter(key rune) (rune, bool) {
	switch key {
	case wakeKey:
		if p.resized.Swap(false) {
			p.resize()
		}
		p.flush(p.rl.Stdout())         // which draws the line again below
		return readline.CharBell, true // which only closes a menu
	case readline.CharCtrlZ:
		// The library would stop the parent process too, which under "go run" is not a shell.
		return readline.CharBell, true
	}
	return key, true
}

// watchSize redraws after a change of the size of the window.
func (p *prompt) watchSize() (stop func()) {
	if sizeChanged == nil {
		return func() {}
	}
	changes := make(chan os.Signal, 1)
	signal.Notify(changes, sizeChanged)
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-changes:
				p.resized.Store(true)
				p.keys.wake()
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(changes)
		close(done)
		<-ended
	}
}

// stop makes readLine return io.EOF, now and ever after.
func (p *prompt) stop() { p.keys.Close() }

// close leaves the terminal as it was. The goroutine of the library that draws then finds its input at an end and
// goes by itself; it offers no way to wait for that.
func (p *prompt) close() {
	p.stop()
	_ = p.rl.Terminal.Close() // waits for its reader of keys
}

// completer puts what Terminal.complete returns as the library wants it: what is to be added to the word.
type completer func(line string) ([]string, string)

func (c completer) Do(line []rune, pos int) (added [][]rune, shared int) {
	candidates, word := c(string(line[:pos]))
	width := readline.GetScreenWidth()
	for _, candidate := range candidates {
		// A menu with an entry wider than the screen makes the library divide by zero.
		if width <= 0 || len(candidate)+2 < width {
			added = append(added, []rune(candidate[len(word):]+" "))
		}
	}
	return added, len([]rune(word))
}

// keys is what a person types, with a key between that wakes the line editor.
type keys struct {
	typed chan []byte
	wakes chan struct{}
	done  chan struct{}
	close func()
	ended chan struct{} // closed when the reader is down
	rest  []byte        // owned by Read
}

func newKeys(in io.Reader, stop func()) *keys {
	k := &keys{
		typed: make(chan []byte), wakes: make(chan struct{}, 1),
		done: make(chan struct{}), ended: make(chan struct{}),
	}
	k.close = sync.OnceFunc(func() {
		close(k.done)
		stop()
		<-k.ended
	})
	go k.read(in)
	return k
}

func (k *keys) read(in io.Reader) {
	defer close(k.ended)
	defer close(k.typed)
	for {
		b := make([]byte, 1024)
		n, err := in.Read(b)
		if n > 0 {
			select {
			case k.typed <- b[:n]:
			case <-k.done:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// Read returns what was typed. A wake comes between two reads, so it does not tear the bytes of one key apart.
func (k *keys) Read(b []byte) (int, error) {
	if len(k.rest) == 0 {
		select {
		case typed, ok := <-k.typed:
			if !ok {
				return 0, io.EOF
			}
			k.rest = typed
		case <-k.wakes:
			k.rest = []byte{wakeKey}
		case <-k.done:
			return 0, io.EOF
		}
	}
	n := copy(b, k.rest)
	k.rest = k.rest[n:]
	return n, nil
}

func (k *keys) wake() {
	select {
	case k.wakes <- struct{}{}:
	default: // one is on its way
	}
}

// Close makes Read return io.EOF.
func (k *keys) Close() error {
	k.close()
	return nil
}
