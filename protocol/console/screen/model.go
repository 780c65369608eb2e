package screen

import (
	"context"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"moot/internal/alike"
	"moot/internal/say"
	"moot/protocol"
	"moot/protocol/console"
)

// model is what the screen shows. Only Update changes it.
type model struct {
	cfg   Config
	term  *console.Terminal
	speak say.Speaker
	ctx   context.Context
	theme theme
	cells cells

	width, height int
	look          int // a new one for each theme, way to measure, and choice of a message; see layout

	places    []console.Place
	here      console.Where
	timelines map[protocol.RoomID]*timeline
	after     uint64          // up to where the world was read
	grown     <-chan struct{} // closed when there is more
	jumped    <-chan struct{} // closed when the clock was moved since

	cards   []Card
	card    int // the card that takes keys, counted from 1; zero means the editor does
	inside  bool
	chosen  protocol.EventID // the message that is looked into
	trace   []Step
	page    []string // a long answer that covers the timeline; nil means that there is none
	pageTop int

	editor  editor
	history *history
	menu    []console.Suggestion
	picked  int // the suggestion that was chosen, counted from 1
	word    string
	notice  string // one line above the editor until the next key
	fault   bool   // whether the notice says that something was not done
	leaving bool   // whether Ctrl-C was pressed once
	drawn   func() // called for each view; nil where nobody draws it
	err     error
}

// The messages that come from outside.
type (
	// worldGrew says that the world has grown or its clock was moved.
	worldGrew struct{}
	// botActed says that the bot has committed something.
	botActed struct{}
	// noticed brings a sentence that comes by itself.
	noticed struct{ text string }
	// minutePassed lets what shows the time show it.
	minutePassed struct{}
	// stepDue is the time for the next step of the tour, if it is still the one.
	stepDue struct{ left int }
)

func newModel(ctx context.Context, cfg Config) *model {
	m := &model{
		cfg: cfg, term: cfg.Terminal, speak: catalogue.In(cfg.Terminal.Language()), ctx: ctx, theme: newTheme(true), cells: cells{ansi.WcWidth}, width: 80, height: 24,
		look: 1, timelines: map[protocol.RoomID]*timeline{}, history: openHistory(cfg.Dir),
	}
	m.read()
	for _, t := range m.timelines {
		t.unread = 0
	}
	for _, line := range append(m.term.Welcome(), cfg.Notes...) {
		m.remark(line)
	}
	m.refresh()
	return m
}

// Init implements tea.Model.
func (m *model) Init() tea.Cmd {
	cmds := []tea.Cmd{tea.RequestBackgroundColor, m.waitWorld(), minute()}
	if m.cfg.Commits != nil {
		cmds = append(cmds, m.waitCommit())
	}
	if m.cfg.Notices != nil {
		cmds = append(cmds, m.waitNotice())
	}
	return tea.Batch(append(cmds, m.nextStep())...)
}

func (m *model) waitNotice() tea.Cmd {
	notices, ctx := m.cfg.Notices, m.ctx
	return func() tea.Msg {
		select {
		case text := <-notices:
			return noticed{text}
		case <-ctx.Done():
			return nil
		}
	}
}

// gather is how long what happens is gathered before it is shown, so that a flood costs no frame for each message.
const gather = 15 * time.Millisecond

// waitWorld waits for what has come since the last reading.
func (m *model) waitWorld() tea.Cmd {
	grown, jumped, ctx := m.grown, m.jumped, m.ctx
	return func() tea.Msg {
		select {
		case <-grown:
		case <-jumped:
		case <-ctx.Done():
			return nil
		}
		time.Sleep(gather)
		return worldGrew{}
	}
}

func (m *model) waitCommit() tea.Cmd {
	commits, ctx := m.cfg.Commits, m.ctx
	return func() tea.Msg {
		select {
		case <-commits:
		case <-ctx.Done():
			return nil
		}
		time.Sleep(gather)
		return botActed{}
	}
}

func minute() tea.Cmd {
	return tea.Tick(time.Minute, func(time.Time) tea.Msg { return minutePassed{} })
}

// nextStep waits for the time of the next step of the tour.
func (m *model) nextStep() tea.Cmd {
	left := m.term.Steps()
	if left == 0 {
		return nil
	}
	return tea.Tick(m.term.StepPause(), func(time.Time) tea.Msg { return stepDue{left} })
}

// Update implements tea.Model.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = max(1, msg.Width), max(1, msg.Height)
	case tea.BackgroundColorMsg:
		m.theme = newTheme(msg.IsDark())
		m.look++
	case tea.ModeReportMsg:
		if msg.Mode == ansi.ModeUnicodeCore && (msg.Value == ansi.ModeReset || msg.Value == ansi.ModeSet || msg.Value == ansi.ModePermanentlySet) {
			m.cells = cells{ansi.GraphemeWidth} // from now on the library draws by these widths
			m.look++
		}
	case worldGrew:
		m.read()
		m.refresh()
		cmd = m.waitWorld()
	case botActed:
		m.refresh()
		cmd = m.waitCommit()
	case noticed:
		m.read()
		m.remark(msg.text)
		m.refresh()
		cmd = m.waitNotice()
	case minutePassed:
		m.refresh()
		cmd = minute()
	case stepDue:
		if msg.left == m.term.Steps() { // else it was stopped, and perhaps begun again
			cmd = tea.Batch(m.do(m.term.Step()), m.nextStep())
		}
	case tea.PasteMsg:
		m.stopTour()
		m.notice, m.leaving, m.card = "", false, 0
		m.editor.insert(msg.Content)
		m.suggest()
	case tea.KeyPressMsg:
		cmd = m.key(msg)
	}
	if m.err != nil {
		cmd = tea.Quit
	}
	return m, cmd
}

// read takes in what has happened in the world.
func (m *model) read() {
	m.jumped = m.term.Jumped()
	m.places = m.term.Places()
	entries, upTo, grown, err := m.term.Entries(m.after)
	if err != nil {
		m.err = err
		return
	}
	m.after, m.grown = upTo, grown
	for _, p := range m.places {
		m.timeline(p.ID)
	}
	here := m.term.Where().Room
	for _, e := range entries {
		if e.Room == "" {
			for _, t := range m.timelines {
				t.put(e)
			}
			continue
		}
		t := m.timeline(e.Room)
		if added := t.put(e); added && e.Number != 0 && e.Room != here {
			t.unread++
		} else if added && t.back > 0 {
			t.back += len(m.linesOf(t, len(t.entries)-1, m.paneWidth())) // what is being read stays where it is
		}
	}
}

func (m *model) timeline(id protocol.RoomID) *timeline {
	t := m.timelines[id]
	if t == nil {
		t = &timeline{}
		m.timelines[id] = t
	}
	return t
}

// refresh asks anew for all that is not read from the log of the world.
func (m *model) refresh() {
	m.here = m.term.Where()
	m.timeline(m.here.Room).unread = 0
	if m.cfg.Votes != nil {
		m.cards = m.cfg.Votes()
		m.card = min(m.card, len(m.cards))
	}
	if m.inside {
		m.trace = m.traced()
	}
}

// remark shows a line to the person alone, in the timeline where they are.
func (m *model) remark(line string) {
	m.timeline(m.term.Where().Room).put(console.Entry{At: m.term.Where().Now, Text: protocol.Plain(line)})
}

func (m *model) say(text string, fault bool) { m.notice, m.fault = text, fault }

// do does a line that was typed.
func (m *model) do(line string) tea.Cmd {
	trimmed := strings.TrimSpace(line)
	if trimmed == "" {
		return nil
	}
	if cmd, rest, _ := strings.Cut(trimmed, " "); alike.Fold(cmd) == "/inside" && strings.TrimSpace(rest) == "" {
		m.toggleInside()
		return nil
	}
	if told, ok := strings.CutPrefix(trimmed, "# "); ok { // of the tour
		m.remark(told)
		return nil
	}
	steps := m.term.Steps()
	answer, quit, err := m.term.Do(trimmed)
	if quit {
		return tea.Quit
	}
	m.page = nil
	switch {
	case err != nil:
		m.say(protocol.OneLine(err.Error()), true)
	case len(answer) > 3:
		m.page, m.pageTop = answer, 0
	case len(answer) == 1:
		m.say(strings.TrimSpace(answer[0]), false)
	default:
		for _, l := range answer {
			m.remark(strings.TrimSpace(l))
		}
	}
	m.timeline(m.term.Where().Room).back = 0
	m.read()
	m.refresh()
	if steps == 0 && m.term.Steps() > 0 {
		return m.nextStep()
	}
	return nil
}

// stopTour stops the tour and reports whether there was one.
func (m *model) stopTour() bool {
	if m.term.Steps() == 0 {
		return false
	}
	m.term.Stop()
	m.say(m.speak.Plain("tour-stopped"), false)
	return true
}

// move goes to another place: the next one, or the one before.
func (m *model) move(by int) {
	if len(m.places) == 0 {
		return
	}
	at := 0
	for i, p := range m.places {
		if p.ID == m.here.Room {
			at = i
		}
	}
	to := m.places[(at+by+len(m.places))%len(m.places)]
	if err := m.term.Go(to.ID); err != nil {
		m.say(err.Error(), true)
	}
	m.page = nil
	m.refresh()
}
