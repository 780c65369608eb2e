package services

import (
	"encoding/json"
	"fmt"

	"moot/internal/say"
	"moot/protocol"
	"moot/store"
)

// fileOf returns the file that the results of the tasks of a job want handed over; nil where there is none.
func fileOf(results map[string]json.RawMessage) (*protocol.File, error) {
	raw, ok := results["file"]
	if !ok || string(raw) == "null" {
		return nil, nil
	}
	var f struct {
		Name, Type    string
		Data          []byte
		Width, Height int
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("its file: %w", err)
	}
	file := &protocol.File{Name: f.Name, Type: f.Type, Data: f.Data, Width: f.Width, Height: f.Height}
	if err := file.Check(); err != nil {
		return nil, fmt.Errorf("its file: %w", err)
	}
	return file, nil
}

// withFile puts a file to what is said, and in its place, where that cannot be sent, that it could not.
func withFile(s say.Speaker, o protocol.Outgoing, file *protocol.File) protocol.Outgoing {
	if file == nil {
		return o
	}
	without := o
	switch act := o.Act.(type) {
	case protocol.Say:
		instead := act
		instead.Text = unsent(s, act.Text, file)
		without.Act = instead
		act.File = file
		o.Act = act
	case protocol.Whisper:
		instead := act
		instead.Text = unsent(s, act.Text, file)
		without.Act = instead
		act.File = file
		o.Act = act
	}
	o.Else = []protocol.Outgoing{without}
	return o
}

func unsent(s say.Speaker, text protocol.Text, file *protocol.File) protocol.Text {
	note := s.Say("file-unsent", say.Code("File", protocol.Code(file.Name)))
	if len(text) == 0 {
		return note
	}
	return protocol.Lines(text, note)
}

// progresses says how far a job is, where one of its tasks has said so and others follow: in the message that the answer takes the
// place of.
func (f *Feature) progresses(tx *store.Tx, s *Spec, j *Job) error {
	var words string
	if json.Unmarshal(j.Results["progress"], &words) != nil {
		return nil
	}
	text := visible(protocol.Shorten(words, maxAnswer))
	if len(text) == 0 {
		return nil
	}
	delete(j.Results, "progress")
	if j.Origin.Room == "" || len(s.To) > 0 || j.Origin.Whisper && !j.Origin.Private {
		return nil
	}
	if j.Progress {
		if !here(tx, j.Origin) || j.Origin.Room != now(tx, j.Origin.Room) {
			return nil
		}
		out := protocol.Outgoing{Room: j.Origin.Room, Place: j.Origin.Place, Cause: protocol.Ref{Room: j.Origin.Room, Event: j.Origin.Event}}
		return f.send(tx, *j, revision(*j, out, text), fmt.Sprintf("%s %d %d", progressKey, j.Task, j.Round))
	}
	err := f.tell(tx, *j, text, progressKey)
	j.Progress = true
	return err
}
