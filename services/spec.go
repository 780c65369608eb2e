package services

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"moot/commands"
	"moot/protocol"
	"moot/store"
)

// Spec is one service, as the configuration has it.
type Spec struct {
	// Name is one word of a-z, 0-9 and -.
	Name string
	// Who may use it: operators, moderators, or everybody.
	Who commands.Role
	// Rooms are those in which it may be used; none means all. A Pattern needs some.
	Rooms []protocol.RoomID
	// To are the rooms in which its answers are said; none means where the job came from.
	To []protocol.RoomID
	// Private is whether the person alone sees the answer.
	Private bool
	// Progress is what is said at once to who has given a command or written what a pattern fits; the answer takes its place. Zero
	// means nothing, and so it is where the answer is private.
	Progress string

	Commands []Command
	Pattern  *regexp.Regexp // nil means none
	Schedule Schedule       // nil means none
	// Late is whether what the schedule has missed is made up for, by one job.
	Late bool
	// Text is what a job of the schedule works on.
	Text string

	Tasks []Task
	// Back are the collectors that take back what the tasks have made of what they have brought, each with the task by which
	// it does.
	Back map[string]Task
	// As is for whom a task may give the commands that Allow names, by their titles, where its answer is said; zero means that it may
	// give none.
	As    protocol.UserID
	Allow []string
	// Queue is how many jobs of a conversation may wait.
	Queue int
	// Keep is how long jobs are remembered that are done.
	Keep time.Duration
	// Redact names the keys whose values are shown to nobody.
	Redact []string
}

// tasks are those of a job: those of the service, and then the one by which its collector takes back.
func (s *Spec) tasks(j Job) []Task {
	if back, ok := s.Back[j.Input.Collector]; ok && j.Input.Collector != "" {
		return append(slices.Clip(s.Tasks), back)
	}
	return s.Tasks
}

// elsewhere reports whether what a job of that origin answers is said in other rooms than where it came from.
func (s *Spec) elsewhere(o Origin) bool {
	return len(s.To) > 0 && !(len(s.To) == 1 && s.To[0] == o.Room)
}

// Task is one of the tasks of a service.
type Task struct {
	Name string
	// Once is whether it runs at most once for a job.
	Once bool
	// Torch are the commands of the service as one of which the text of the job is read, for the tasks that follow. The network does
	// not know of such a task. None means that it is another task.
	Torch []string
}

// Command is a command that a service declares.
type Command struct {
	Name, Summary, Detail string
	Examples              []string
	Params                []commands.Param
}

// Schedule says when something is due.
type Schedule interface {
	// Next returns the first time after the given one; zero if there is none.
	Next(after time.Time) time.Time
	// String is the same for the same schedule.
	String() string
}

// Config says what a Feature is made of.
type Config struct {
	Services  []Spec
	Operators []protocol.UserID
	// Meant reports whether a message is a command, so that no pattern is looked for in it.
	Meant func(protocol.Event, protocol.Message) bool
	// Behalf gives a command for the sender of the event, in its room, where it is one of those allowed. Whether it can be given does
	// not depend on the room: what a room has against it is said there.
	Behalf func(tx *store.Tx, ev protocol.Event, line string, allowed []string) error
	// Challenged reports whether the person is challenged in the room.
	Challenged func(tx *store.Tx, room protocol.RoomID, user protocol.UserID) (why protocol.Text, is bool)
}

// Feature makes jobs and follows them. It keeps nothing but what is in the store.
type Feature struct {
	Config
	byName map[string]*Spec
	trees  map[string]*commands.Commands // by which texts are read, by the name of the service
}

// New returns the feature.
func New(c Config) (*Feature, error) {
	f := &Feature{Config: c, byName: map[string]*Spec{}, trees: map[string]*commands.Commands{}}
	for i := range c.Services {
		s := &c.Services[i]
		switch {
		case s.Name == "" || protocol.CheckID(s.Name) != nil:
			return nil, fmt.Errorf("services: %q is no name", s.Name)
		case f.byName[s.Name] != nil:
			return nil, fmt.Errorf("services: two are called %q", s.Name)
		case len(s.Tasks) == 0:
			return nil, fmt.Errorf("services: %s has no task", s.Name)
		case len(s.Tasks[len(s.Tasks)-1].Torch) > 0:
			return nil, fmt.Errorf("services: nothing follows the torch of %s", s.Name)
		case s.Pattern != nil && len(s.Rooms) == 0:
			return nil, fmt.Errorf("services: the pattern of %s needs rooms", s.Name)
		case s.Queue < 1 || s.Keep <= 0:
			return nil, fmt.Errorf("services: %s needs a Queue and a Keep", s.Name)
		}
		f.byName[s.Name] = s
		var err error
		if f.trees[s.Name], err = torches(s); err != nil {
			return nil, err
		}
	}
	if c.Meant == nil || c.Challenged == nil || c.Behalf == nil {
		return nil, errors.New("services: Meant, Challenged or Behalf is missing")
	}
	return f, nil
}

// PausedCursor is the name of the cursor that says whether a service is paused, and PausedYes the value with which it is.
func PausedCursor(service string) string { return string(protocol.ServiceNetwork(service)) + "/paused" }

// PausedYes is the value of the cursor of a service that is paused.
const PausedYes = "yes"

// Paused reports whether a service is paused.
func Paused(tx *store.Tx, service string) bool { return tx.Cursor(PausedCursor(service)) == PausedYes }
