package votes

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"moot/commands"
	"moot/internal/say"
	"moot/protocol"
)

const (
	// exportPage is how many characters one page of an export has at most as text, and exportFile as a file, unless its first vote
	// has more. A file is made in one commit, and so is none of all that there is.
	exportPage = 3000
	exportFile = 100_000
	// exportText is how many characters of a text stand in an export. All of it is shown by vote show.
	exportText = 300
)

// exported is a vote as it is exported. What the room does not see of a vote stands in none.
type exported struct {
	Vote    uint64        `json:"vote"`
	Type    string        `json:"type"`
	State   string        `json:"state"` // open, or what came of it
	Opened  string        `json:"opened"`
	Ended   string        `json:"ended,omitempty"`
	Opener  string        `json:"opener,omitempty"`
	Target  string        `json:"target,omitempty"`
	Text    string        `json:"text"`
	Could   int           `json:"could_vote"`
	Voted   int           `json:"voted"`
	Quorum  int           `json:"quorum,omitempty"`
	Secret  bool          `json:"secret,omitempty"`
	Choices []exportedFor `json:"choices,omitempty"` // of an election: how many ranked it first
	Why     string        `json:"why,omitempty"`     // it was cancelled
	Seats   int           `json:"seats,omitempty"`
	Elected []string      `json:"elected,omitempty"`
	Tied    []string      `json:"tied,omitempty"` // for seats that are left
	Role    string        `json:"role,omitempty"` // only who had it could vote
}

type exportedFor struct {
	Choice string `json:"choice"`
	Votes  int    `json:"votes"`
}

var exportHead = []string{"vote", "type", "state", "opened", "ended", "opener", "target", "text", "could_vote", "voted", "quorum", "secret", "choices", "why", "seats", "elected", "tied", "role"}

// exported returns the vote as it is exported.
func (h *atHand) exported() exported {
	e := exported{
		Vote: h.ID, Type: string(h.Type), State: string(h.Outcome), Opened: h.Opened.UTC().Format(time.RFC3339),
		Opener: string(h.userOf(h.Opener)), Target: string(h.userOf(h.Target)), Text: protocol.Shorten(h.text(h.Text), exportText),
		Could: h.Size, Voted: h.Turnout, Quorum: h.Tally.Quorum, Secret: h.Secret, Why: protocol.Shorten(h.text(h.Why), exportText),
		Role: h.Role.Name,
	}
	if h.Appeal {
		e.Type = "appeal"
	}
	switch {
	case h.Open():
		e.State = "open"
	case h.Status == Moved:
		e.State = "moved"
	}
	if !h.Ended.IsZero() {
		e.Ended = h.Ended.UTC().Format(time.RFC3339)
	}
	if h.Type == Election {
		e.Seats = max(1, h.Tally.Seats)
	}
	if !h.counts() {
		return e
	}
	if h.Election != nil {
		name := func(o int) string { return h.Options[o] }
		e.Elected, e.Tied = each(h.Election.Elected, name), each(h.Election.Tied, name)
	}
	for i, choice := range h.choices() {
		if i < len(h.Count.For) {
			e.Choices = append(e.Choices, exportedFor{choice, h.Count.For[i]})
		}
	}
	return e
}

// csv writes the vote as one line. A cell that a spreadsheet would take for a formula has an apostrophe before it.
func (e exported) csv() string {
	var choices []string
	for _, c := range e.Choices {
		choices = append(choices, c.Choice+": "+strconv.Itoa(c.Votes))
	}
	seats := ""
	if e.Seats > 0 {
		seats = strconv.Itoa(e.Seats)
	}
	return csvLine([]string{
		fmt.Sprint(e.Vote), e.Type, e.State, e.Opened, e.Ended, e.Opener, e.Target, e.Text, fmt.Sprint(e.Could), fmt.Sprint(e.Voted),
		fmt.Sprint(e.Quorum), fmt.Sprint(e.Secret), strings.Join(choices, "; "), e.Why,
		seats, strings.Join(e.Elected, "; "), strings.Join(e.Tied, "; "), e.Role,
	})
}

func csvLine(cells []string) string {
	for i, c := range cells {
		if c != "" && strings.ContainsRune("=+-@", rune(c[0])) {
			cells[i] = "'" + c
		}
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(cells) // a Builder takes everything
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

func (e exported) json() string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // it is read as text
	_ = enc.Encode(e)        // words and numbers can be encoded
	return strings.TrimSuffix(b.String(), "\n")
}

// exporting is what somebody wants exported, and how.
type exporting struct {
	*commands.Call
	line  func(exported) string
	json  bool
	text  bool
	flags string // with which the same is asked for again
	say.Speaker
}

// export is the command that writes votes in a form which programs read, for one person alone.
func (f *Feature) export(c *commands.Call) error {
	e := exporting{Call: c, line: exported.csv, flags: "--csv", text: c.Switch("text"), Speaker: f.alone(c)}
	switch {
	case c.Switch("csv") && c.Switch("json"):
		return sorry(f.alone(c), "motion-both", flag("One", "csv"), flag("Other", "json"))
	case c.Switch("json"):
		e.line, e.json, e.flags = exported.json, true, "--json"
	}
	if c.Has("vote") {
		v, err := f.theVote(c, "export")
		if err != nil {
			return err
		}
		e.flags = v.Number() + " " + e.flags
		return e.hand("vote-"+v.Number(), []string{e.line(v.exported())}, 0)
	}
	since, err := sinceOf(f.alone(c), c)
	if err != nil {
		return err
	}
	if c.Has("since") {
		e.flags += " --since " + c.Word("since")
	}
	most := exportFile
	if e.text {
		most = exportPage
	}
	var lines []string
	page, at, size, found := max(1, c.Integer("page")), int64(1), 0, false
	for one := range All(c.Tx, c.Room.ID) {
		if one.Opened.Before(since) {
			break // they stand in the order in which they were opened
		}
		written := e.line(f.at(c.Tx, c.Room.ID, one).exported())
		n := utf8.RuneCountInString(written)
		if size > 0 && size+n > most {
			if at == page {
				return e.hand(e.name(page), lines, page+1)
			}
			at, size, lines = at+1, 0, nil
		}
		size += n
		lines, found = append(lines, written), true
	}
	switch {
	case !found:
		return c.Whisper(f.alone(c).Say("export-none"))
	case at < page:
		return sorry(f.alone(c), "no-page", say.Number("Page", page))
	}
	return e.hand(e.name(page), lines, 0)
}

// name is that of a file with several votes, without what kind of file it is.
func (e exporting) name(page int64) string {
	name := "votes-" + e.Tx.Now().UTC().Format(time.DateOnly)
	if page > 1 {
		name += "-" + strconv.FormatInt(page, 10)
	}
	return name
}

// hand gives the person what was exported: as a file, or as text, where that is wanted. Next is the page that follows; zero means none.
func (e exporting) hand(name string, lines []string, next int64) error {
	more := func(flags string) protocol.Text {
		if next == 0 {
			return nil
		}
		return e.Say("more", say.Code("Command", e.Again(e.flags+flags+" --page "+strconv.FormatInt(next, 10))))
	}
	if e.text {
		if !e.json {
			lines = append([]string{csvLine(exportHead)}, lines...)
		}
		text := codeLines(lines)
		if next != 0 {
			text = protocol.Lines(text, more(" --text"))
		}
		return e.Whisper(text)
	}
	file := protocol.File{Name: name + ".csv", Type: "text/csv; charset=utf-8"}
	file.Data = []byte(csvLine(exportHead) + "\r\n" + strings.Join(lines, "\r\n") + "\r\n")
	if e.json {
		file.Name, file.Type = name+".json", "application/json"
		file.Data = []byte("[\n" + strings.Join(lines, ",\n") + "\n]\n")
	}
	text := e.Say("export-file", say.Code("File", protocol.Code(file.Name)), say.Count("Votes", len(lines)))
	if next != 0 {
		text = protocol.Lines(text, more(""))
	}
	return e.WhisperFile(text, file, e.Say("export-unsent", say.Code("Command", e.Again(e.flags+" --text"))))
}

// sinceOf returns from when on votes are exported: a day, or so long ago; zero means from the first on.
func sinceOf(s say.Speaker, c *commands.Call) (time.Time, error) {
	w := c.Word("since")
	if w == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.DateOnly, w); err == nil {
		return at, nil
	}
	if d, ok := commands.ParseDuration(w); ok && d >= 0 {
		return c.Tx.Now().Add(-d), nil
	}
	return time.Time{}, sorry(s, "export-since", say.Quoted("Word", w, 40), say.Code("Day", protocol.Code("2026-11-21")),
		say.Code("Length", protocol.Code("30d")))
}

// codeLines writes lines that are copied as they stand.
func codeLines(lines []string) protocol.Text {
	texts := make([]protocol.Text, len(lines))
	for i, l := range lines {
		texts[i] = protocol.Code(l)
	}
	return protocol.Lines(texts...)
}
