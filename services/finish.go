package services

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"moot/internal/alike"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

const (
	// answerExpiry is after what time an answer is of no use any more. Jobs may wait long, and their answers with them.
	answerExpiry = 24 * time.Hour
	// maxAnswer is how many characters an answer has.
	maxAnswer = 3500
	// maxEdit is how many characters of an answer take the place of the progress of its job: on Discord a message has 2,000, of which
	// some are marks, and an edit cannot make two of one.
	maxEdit = 900
	// maxResults is how many bytes the results of the tasks of a job may have together.
	maxResults = 1 << 20
	// maxReaction is how many bytes a reaction has.
	maxReaction = 40
	// progressKey is the part of the key by which the message is known that the answer takes the place of.
	progressKey = "progress"
	// shownInput is how many characters of an input a dead letter shows.
	shownInput = 2000
)

// errResults is the fault of a task whose output is of no use.
var errResults = errors.New("the results of its tasks are too long")

// answered goes on with the job whose task has ended.
func (f *Feature) answered(tx *store.Tx, a protocol.Answer) (store.Outcome, error) {
	key := protocol.Key(tx.Get(asks, store.Key(tx.Scope(), string(a.Ask))))
	j, ok := getJob(tx, tx.Scope(), key)
	switch {
	case key == "" || !ok || j.Ask != a.Ask:
		return store.WasIgnored("the job is no longer there"), nil
	case j.State == Failed || j.State == Ambiguous: // a dead letter that is tried again
		s := f.service(tx)
		if s == nil {
			return store.Outcome{}, fmt.Errorf("the configuration has no service %s any more", j.Service)
		}
		return store.WasHandled("a job is tried again"), f.again(tx, s, j)
	case j.State != Waiting:
		return store.WasIgnored("the job has ended"), nil
	}
	s := f.service(tx)
	if s == nil || j.Task >= len(s.tasks(j)) {
		return f.fails(tx, j, "", "the configuration has no such task any more")
	}
	task := s.tasks(j)[j.Task]
	if a.Fault != "" {
		if tx.Delivery(a.Ask).State == store.StateAmbiguous {
			return f.isAmbiguous(tx, s, j, task, a.Fault)
		}
		return f.fails(tx, j, task.Name, a.Fault)
	}
	done, _ := a.Result.(protocol.TaskDone)
	if err := merge(&j, done.Output); err != nil {
		return f.fails(tx, j, task.Name, err.Error())
	}
	if _, err := fileOf(j.Results); err != nil {
		return f.fails(tx, j, task.Name, err.Error())
	}
	if j.Task++; j.Task < len(s.tasks(j)) {
		return store.WasHandled(task.Name + " is done"), errors.Join(f.progresses(tx, s, &j), f.next(tx, s, j))
	}
	if err := f.gives(tx, s, j); err != nil {
		j.Task--
		return f.fails(tx, j, task.Name, err.Error())
	}
	what := fmt.Sprintf("a job of %s is done", s.Name)
	if len(s.To) == 0 && unheard(tx, j.Origin) {
		what += ", and the bot is no longer where its answer belongs"
	}
	return store.WasHandled(what), f.done(tx, s, j)
}

// gives gives the command that the results of the tasks of a job want given.
func (f *Feature) gives(tx *store.Tx, s *Spec, j Job) error {
	raw, ok := j.Results["command"]
	if !ok || s.As == "" {
		return nil // without a person it is a result like any other
	}
	var line string
	if err := json.Unmarshal(raw, &line); err != nil {
		return fmt.Errorf("the command is no text: %w", err)
	}
	if line == "" {
		return nil
	}
	where := s.To
	if len(where) == 0 && j.Origin.Room != "" && !j.Origin.Private {
		where = []protocol.RoomID{j.Origin.Room}
	}
	for _, room := range where {
		ev := protocol.Event{Room: room, ID: protocol.EventID("service/" + keyOf(j, "command "+string(room))), Sender: s.As, Time: tx.Now()}
		if err := f.Behalf(tx, ev, line, s.Allow); err != nil {
			return err
		}
	}
	return nil
}

// merge adds the output of a task to the results of the job. What is there under the same name is overwritten.
func merge(j *Job, output json.RawMessage) error {
	var fresh map[string]json.RawMessage
	if err := json.Unmarshal(output, &fresh); err != nil {
		return fmt.Errorf("its output is no JSON object: %w", err)
	}
	if j.Results == nil {
		j.Results = map[string]json.RawMessage{}
	}
	size := 0
	for k, v := range fresh {
		j.Results[k] = v
	}
	for k, v := range j.Results {
		size += len(k) + len(v)
	}
	if size > maxResults {
		return errResults
	}
	return nil
}

// Answer returns what the results of the tasks of a job want said.
func Answer(results map[string]json.RawMessage) protocol.Text {
	raw, ok := results["answer"]
	if !ok {
		return nil
	}
	var words string
	if err := json.Unmarshal(raw, &words); err != nil {
		words = string(raw) // a number, say: it is meant to be read
	}
	return visible(protocol.Shorten(strings.TrimSpace(words), maxAnswer))
}

// visible is markup, but for what shows nothing: networks refuse it.
func visible(words string) protocol.Text {
	text := markup(words)
	if alike.Blank(text.Plain()) {
		return nil
	}
	return text
}

// reaction returns with what the results of the tasks of a job want the message reacted to.
func reaction(results map[string]json.RawMessage) (r string) {
	if json.Unmarshal(results["reaction"], &r) != nil || len(r) > maxReaction || protocol.OneLine(r) != r || strings.ContainsAny(r, " <>") {
		return ""
	}
	return r
}

// done ends a job that went well, and says what its tasks want said.
func (f *Feature) done(tx *store.Tx, s *Spec, j Job) error {
	return f.ends(tx, s, j, Answer(j.Results))
}

// ends ends a job that has not failed, with an answer.
func (f *Feature) ends(tx *store.Tx, s *Spec, j Job, text protocol.Text) error {
	sign := reaction(j.Results)
	if j.Origin.Room != now(tx, j.Origin.Room) {
		sign = "" // what it would be on is in a room that has ended
	}
	file, _ := fileOf(j.Results) // it was looked at when it came
	j.State, j.Changed = Done, tx.Now()
	origin := j.Origin
	j.Origin.Handle, j.Input, j.Results = "", Input{Kind: j.Input.Kind, Collector: j.Input.Collector, Command: j.Input.Command, Event: j.Input.Event, Time: j.Input.Time}, nil // no longer needed
	tx.Delete(asks, store.Key(tx.Scope(), string(j.Ask)))
	if err := putJob(tx, j); err != nil {
		return err
	}
	f.clearLater(tx, s.Keep)
	j.Origin = origin
	reacts := sign != "" && j.Origin.Typed && here(tx, j.Origin) && (!j.Origin.Whisper || j.Origin.Private)
	if reacts {
		o := protocol.Outgoing{Room: j.Origin.Room, Place: j.Origin.Place, Act: protocol.React{Target: j.Origin.Event, Reaction: sign}}
		if j.Input.Kind == "command" && !j.Progress && (s.elsewhere(j.Origin) || len(text) == 0 && file == nil) {
			// It is all that who gave the command sees, and the network may not know such a reaction, or not let the bot react.
			instead := o
			instead.Act = protocol.Say{Text: protocol.Plain(sign), ReplyTo: j.Origin.Event}
			o.Else = []protocol.Outgoing{instead}
		}
		if err := f.send(tx, j, o, "reaction"); err != nil {
			return err
		}
	}
	return f.say(tx, s, j, text, file, reacts && !j.Progress)
}

// say says the answer of a job where it belongs. Who has given a command hears something in any case, unless they can see already
// that it is done.
func (f *Feature) say(tx *store.Tx, s *Spec, j Job, text protocol.Text, file *protocol.File, seen bool) error {
	back := text
	if len(s.To) > 0 {
		for _, to := range s.To {
			if len(text) == 0 && file == nil {
				break
			}
			room := now(tx, to)
			o := withFile(in(tx, room), protocol.Outgoing{Room: room, Act: protocol.Say{Text: text}}, file)
			if err := f.send(tx, j, o, "to "+string(to)); err != nil {
				return err
			}
		}
		if j.Origin.Room == "" || !s.elsewhere(j.Origin) {
			return nil
		}
		back, file = nil, nil // it is said elsewhere
	}
	if len(back) == 0 && file != nil {
		back = protocol.Code(file.Name)
	}
	if len(back) == 0 {
		if j.Input.Kind != "command" && !j.Progress || seen {
			return nil
		}
		back = of(tx, j.Origin).Say("done")
	}
	return f.hand(tx, j, back, file, "answer")
}

// fails ends a job of which a task has failed for good.
func (f *Feature) fails(tx *store.Tx, j Job, task, fault string) (store.Outcome, error) {
	input, fault := f.shown(j, fault)
	j.State, j.Fault, j.Changed = Failed, protocol.Shorten(protocol.OneLine(fault), 500), tx.Now()
	out := store.WasHandled("a job of " + j.Service + " has failed")
	out.Fault = fmt.Sprintf("task %s of %s has failed: %s; job %s, input: %s", task, j.Service, j.Fault, j.Key,
		protocol.Shorten(input, shownInput))
	text := of(tx, j.Origin).Say("failed", named("Service", j.Service))
	return out, errors.Join(putJob(tx, j), f.tell(tx, j, text, fmt.Sprint("failed ", j.Round)))
}

// isAmbiguous ends a job of which a task may have run, and may not run again.
func (f *Feature) isAmbiguous(tx *store.Tx, _ *Spec, j Job, task Task, fault string) (store.Outcome, error) {
	_, fault = f.shown(j, fault)
	j.State, j.Fault, j.Changed = Ambiguous, protocol.Shorten(protocol.OneLine(fault), 500), tx.Now()
	text := of(tx, j.Origin).Say("ambiguous", named("Service", j.Service))
	return store.WasHandled("nobody can know whether " + task.Name + " was done"),
		errors.Join(putJob(tx, j), f.tell(tx, j, text, fmt.Sprint("ambiguous ", j.Round)))
}

// tell says something about a job to whom it came from.
func (f *Feature) tell(tx *store.Tx, j Job, text protocol.Text, what string) error {
	return f.hand(tx, j, text, nil, what)
}

// hand is tell with a file, where there is one.
func (f *Feature) hand(tx *store.Tx, j Job, text protocol.Text, file *protocol.File, what string) error {
	o := j.Origin
	if o.Room == "" {
		return nil // nobody waits for it
	}
	if room := now(tx, o.Room); room != o.Room {
		o.Room, o.Place, o.Typed, j.Progress = room, "", false, false // what stood in the old one stays there
	}
	out := protocol.Outgoing{Handle: o.Handle, Cause: protocol.Ref{Room: j.Origin.Room, Event: o.Event}}
	if o.Whisper && !o.Private {
		out.Act = protocol.Whisper{User: o.Sender, Text: text, Asked: true}
		return f.send(tx, j, withFile(of(tx, o), out, file), what)
	}
	if !here(tx, o) {
		return nil // nobody is there who could hear it
	}
	say := protocol.Say{Text: text}
	if o.Typed {
		say.ReplyTo = o.Event
	}
	out.Room, out.Place, out.Act = o.Room, o.Place, say
	if !j.Progress {
		return f.send(tx, j, withFile(of(tx, o), out, file), what)
	}
	out.Handle = ""
	if utf8.RuneCountInString(text.Plain()) > maxEdit {
		edit := revision(j, out, of(tx, o).Say("done"))
		return errors.Join(f.send(tx, j, edit, what+" done"), f.send(tx, j, withFile(of(tx, o), out, file), what))
	}
	edit := revision(j, out, text)
	edit.Else = []protocol.Outgoing{out} // what stood there may be deleted, or was never sent
	if err := f.send(tx, j, edit, what); err != nil || file == nil {
		return err
	}
	// A file cannot be put to what stands already.
	say.Text = protocol.Code(file.Name)
	out.Act = say
	return f.send(tx, j, withFile(of(tx, o), out, file), what+" file")
}

// revision is what is said in place of the progress of a job.
func revision(j Job, out protocol.Outgoing, text protocol.Text) protocol.Outgoing {
	out.Handle, out.Act = "", protocol.Revise{Original: keyOf(j, progressKey), Text: text}
	return out
}

// now returns the room in which one goes on by now, where both say so and the bot is there; otherwise the room itself.
func now(tx *store.Tx, room protocol.RoomID) protocol.RoomID {
	for range 10 { // more upgrades than happen while a job runs
		info, ok := rooms.Get(tx, room)
		if !ok || info.Successor == "" || !rooms.Follows(tx, info.Successor) {
			break
		}
		if next, ok := rooms.Get(tx, info.Successor); !ok || !next.Joined() {
			break
		}
		room = info.Successor
	}
	return room
}

// unheard reports whether what a job says is heard by nobody, since the bot is out of the room that it came from.
func unheard(tx *store.Tx, o Origin) bool {
	o.Room = now(tx, o.Room)
	return o.Room != "" && (!o.Whisper || o.Private) && !here(tx, o)
}

// here reports whether the bot is still where a job came from.
func here(tx *store.Tx, o Origin) bool {
	info, known := rooms.Get(tx, o.Room)
	return o.Private || !known || info.Joined()
}

// send puts something into the outbox, under a key of the job, so that the same is never said twice.
func (f *Feature) send(tx *store.Tx, j Job, o protocol.Outgoing, what string) error {
	o.Key, o.Expires = keyOf(j, what), tx.Now().Add(answerExpiry)
	_, err := outbox.Send(tx, o)
	return err
}

// keyOf is the key of something that is said about a job.
func keyOf(j Job, what string) protocol.Key {
	return protocol.DeriveKey("service", string(j.Key), what)
}

// markup reads the light markup of an answer: **strong** and `code`. Everything else is shown as it stands, and mentions
// nobody.
func markup(s string) protocol.Text {
	var text protocol.Text
	for s != "" {
		strong, code := strings.Index(s, "**"), strings.Index(s, "`")
		mark, at := "**", strong
		if strong < 0 || code >= 0 && code < strong {
			mark, at = "`", code
		}
		if at < 0 {
			break
		}
		inner, rest, ok := strings.Cut(s[at+len(mark):], mark)
		if !ok || inner == "" || strings.Contains(inner, "\n") {
			text = append(text, protocol.Plain(s[:at+len(mark)])...)
			s = s[at+len(mark):]
			continue
		}
		if at > 0 {
			text = append(text, protocol.Plain(s[:at])...)
		}
		if mark == "`" {
			text = append(text, protocol.Code(inner)...)
		} else {
			text = append(text, protocol.Strong(inner)...)
		}
		s = rest
	}
	if s != "" {
		text = append(text, protocol.Plain(s)...)
	}
	return text
}
