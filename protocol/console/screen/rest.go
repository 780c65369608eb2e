package screen

import (
	"reflect"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
)

const (
	frame = time.Second / 60
	// awake is how long the renderer goes on after the last view. It is many frames, so that the last one is drawn on a busy machine
	// too, and yet a small part of the time in which nobody types.
	awake = time.Second
)

// rest lets the renderer of the library sleep while there is nothing to draw. The library has it look for a new view sixty times a
// second for as long as the program runs, which costs 0.7 % of a processor, and has no option against that
// (charmbracelet/bubbletea#1776 and #1796, both open). Its ticker may be stopped and reset by anybody at any time, but it is in a
// field of its own: where a later version has no such field, the screen works as before, and TestTerminalRests fails.
type rest struct {
	program *tea.Program

	mu     sync.Mutex
	ticker *time.Ticker // of the library; nil until it has one
	timer  *time.Timer  // puts the ticker to sleep; nil while it sleeps or has not begun
	until  time.Time
	asleep bool
}

// wake has the renderer draw for a while from now on. It is called for each view.
func (r *rest) wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ticker == nil {
		field := reflect.ValueOf(r.program).Elem().FieldByName("ticker")
		if !field.IsValid() || field.Type() != reflect.TypeFor[*time.Ticker]() || field.IsNil() {
			return
		}
		r.ticker = (*time.Ticker)(field.UnsafePointer())
	}
	if r.asleep {
		r.asleep = false
		r.ticker.Reset(frame)
	}
	r.until = time.Now().Add(awake)
	if r.timer == nil {
		r.timer = time.AfterFunc(awake, r.sleep)
	}
}

func (r *rest) sleep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if left := time.Until(r.until); left > 0 {
		r.timer.Reset(left)
		return
	}
	r.ticker.Stop()
	r.timer, r.asleep = nil, true
}
