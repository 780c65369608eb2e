package matrix

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/event/cmdschema"
	"maunium.net/go/mautrix/id"

	"moot/internal/pause"
	"moot/protocol"
)

// Command is one that rooms are told, for programs that complete what people type (MSC4391).
type Command struct {
	Path    []string
	Summary string
	Params  []CommandParam // by their position
}

// CommandParam is something that a command takes.
type CommandParam struct {
	Name, Summary string
	Kind          ParamKind
	Required      bool
	Choices       []string // zero means any value of the kind
}

// ParamKind is the kind of a parameter.
type ParamKind string

// The kinds. The last two can only be the last parameter.
const (
	ParamWord   ParamKind = ""
	ParamNumber ParamKind = "number"
	ParamPerson ParamKind = "person"
	ParamMany   ParamKind = "many" // several words
	ParamText   ParamKind = "text" // all the rest
)

// commandType is the state in which a command is described. Its key is made of the command and the bot, so that the commands of several
// bots stand beside one another.
var commandType = event.StateMSC4391BotCommand

// describedName begins the names of the cursors that keep which commands a room was told.
const describedName = "matrix-commands/"

// describeGap is the time between two rooms that are told something.
const describeGap = time.Second

// description is the commands as states, by their keys, and a name for all of them together.
type description struct {
	states  map[string]*cmdschema.EventContent
	version string
}

func describes(self id.UserID, commands []Command) description {
	states := map[string]*cmdschema.EventContent{}
	var all []string
	for _, c := range commands {
		d := &cmdschema.EventContent{Command: strings.Join(c.Path, " "), Description: event.MakeExtensibleText(c.Summary)}
		for _, p := range c.Params {
			schema := map[ParamKind]*cmdschema.ParameterSchema{
				ParamNumber: cmdschema.PrimitiveTypeInteger.Schema(), ParamPerson: cmdschema.PrimitiveTypeUserID.Schema(),
				ParamMany: cmdschema.Array(cmdschema.PrimitiveTypeString.Schema()),
			}[p.Kind]
			schema = cmp.Or(schema, cmdschema.PrimitiveTypeString.Schema())
			if len(p.Choices) > 0 {
				schema = &cmdschema.ParameterSchema{SchemaType: cmdschema.SchemaTypeUnion}
				for _, choice := range p.Choices {
					schema.Variants = append(schema.Variants, cmdschema.Literal(choice))
				}
			}
			if p.Kind == ParamText {
				d.TailParam = p.Name
			}
			d.Parameters = append(d.Parameters, &cmdschema.Parameter{
				Key: p.Name, Schema: schema, Optional: !p.Required, Description: event.MakeExtensibleText(p.Summary),
			})
		}
		states[d.StateKey(self)] = d
		text, err := json.Marshal(d)
		if err != nil {
			panic(err) // strings can be encoded
		}
		all = append(all, string(text))
	}
	return description{states, string(protocol.DeriveKey(all...))}
}

// describeLater has a room told the commands, if it was not.
func (r *run) describeLater(rooms ...id.RoomID) {
	if len(r.adapter.config.Commands) == 0 {
		return
	}
	r.mu.Lock()
	for _, room := range rooms {
		r.undescribed[room] = true
	}
	r.mu.Unlock()
	select {
	case r.describing <- struct{}{}:
	default:
	}
}

// describeAnew has a room told the commands once more in which the bot speaks now, if its language is another by now.
func (r *run) describeAnew(room id.RoomID) {
	if len(r.adapter.config.Commands) < 2 {
		return
	}
	known, err := r.rooms.Room(roomID(room))
	if err != nil {
		return // with the next word, or the next start
	}
	r.mu.Lock()
	was, seen := r.describedIn[room]
	r.mu.Unlock()
	if seen && was != known.Language {
		r.describeLater(room)
	}
}

// describe tells rooms the commands, until the context ends: those in which the bot is at the start, and others when it comes
// there, or gets more power.
func (r *run) describe(ctx context.Context) {
	var in struct {
		Rooms words `json:"joined_rooms"`
	}
	if err := r.request(ctx, http.MethodGet, mautrix.ClientURLPath{"v3", "joined_rooms"}, nil, nil, &in); err != nil && ctx.Err() == nil {
		r.log.Warn("rooms in which the bot is already are not told its commands", "err", err)
	}
	for _, room := range in.Rooms {
		r.describeLater(id.RoomID(room))
	}
	all := map[string]description{}
	for language, commands := range r.adapter.config.Commands {
		all[language] = describes(r.self, commands)
	}
	for ctx.Err() == nil {
		r.mu.Lock()
		rooms := slices.Sorted(maps.Keys(r.undescribed))
		clear(r.undescribed)
		r.mu.Unlock()
		for _, room := range rooms {
			if err := r.describeIn(ctx, room, all); err != nil && ctx.Err() == nil {
				r.log.Debug("a room could not be told all commands", "room", roomID(room), "err", err)
				_ = pause.Sleep(ctx, max(describeGap, retryAfter(err)))
				if retryAfter(err) > 0 {
					r.describeLater(room)
				}
			}
		}
		select {
		case <-r.describing:
		case <-ctx.Done():
		}
	}
}

// describeIn brings the descriptions in a room up to date where the bot may: only those that are others are written.
func (r *run) describeIn(ctx context.Context, room id.RoomID, all map[string]description) error {
	known, err := r.rooms.Room(roomID(room))
	if err != nil || known.Own != protocol.Joined || known.Private {
		return err
	}
	r.mu.Lock()
	r.describedIn[room] = known.Language
	r.mu.Unlock()
	d, has := all[known.Language]
	if !has {
		d = all[""]
	}
	saved, err := r.to.Cursor(describedName + string(room))
	if err != nil || saved == d.version {
		return err
	}
	states := maps.Clone(d.states)
	var resp []object
	if err := r.request(ctx, http.MethodGet, mautrix.ClientURLPath{"v3", "rooms", room, "state"}, nil, nil, &resp); err != nil {
		return err
	}
	var content object
	creators := map[string]bool{}
	stand := map[string]*cmdschema.EventContent{}
	for _, ev := range readEvents(resp) {
		switch {
		case ev.is(event.StatePowerLevels):
			content = ev.Content
		case ev.is(event.StateCreate):
			creators = creatorsOf(ev)
		case ev.is(commandType) && ev.Sender == word(r.self):
			d := new(cmdschema.EventContent)
			if json.Unmarshal(ev.Content, d) == nil && d.Command != "" {
				stand[ev.state()] = d
			}
		}
	}
	may := readPowers(content)
	if content == nil || createdByAll(room) {
		may.creators = creators
	}
	if !may.reaches(string(r.self), content, commandType.Type, "state_default", 50) {
		return nil // until it may
	}
	set := func(key string, content any) error {
		return r.request(ctx, http.MethodPut, mautrix.ClientURLPath{"v3", "rooms", room, "state", commandType.Type, key}, nil, content, nil)
	}
	for _, key := range slices.Sorted(maps.Keys(states)) {
		if !states[key].Equals(stand[key]) {
			if err := set(key, states[key]); err != nil {
				return err
			}
		}
		delete(stand, key)
	}
	for _, key := range slices.Sorted(maps.Keys(stand)) { // of commands that are no more
		if err := set(key, struct{}{}); err != nil {
			return err
		}
	}
	return r.to.Admit(ctx, nil, protocol.Cursor{Name: describedName + string(room), Value: d.version})
}

// described returns the command that somebody's program has completed by its description, as it is typed: it writes a mark before it,
// and may write the bot behind its name.
func (r reader) described(c messageContent, text string) (line string, yes bool) {
	command := string(c.Command.Command)
	if command == "" || !slices.Contains(c.Mentions.Users, string(r.self)) || len(text) < 2 {
		return "", false
	}
	rest, yes := strings.CutPrefix(text[1:], command)
	for _, name := range []string{string(r.self), protocol.MentionToken(userID(r.self))} {
		rest = strings.TrimPrefix(rest, name)
	}
	return command + rest, yes && (rest == "" || rest[0] == ' ')
}
