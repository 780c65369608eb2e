package discord

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"moot/internal/say"
	"moot/protocol"
	"moot/protocol/discord/rest"
)

// The types of first answers (developer documentation, "Receiving and Responding").
const (
	callbackMessage  = 4
	callbackDefer    = 5
	callbackComplete = 8
	callbackForm     = 9

	// answerWithin is how long Discord waits for the first answer.
	answerWithin = 3 * time.Second

	flagEphemeral = 1 << 6
	flagLoading   = 1 << 7
)

// callback is the first answer to an interaction.
type callback struct {
	Type int `json:"type"`
	Data any `json:"data,omitempty"`
}

// form is a modal that asks for what is missing.
type form struct {
	CustomID   string      `json:"custom_id"`
	Title      string      `json:"title"`
	Components []component `json:"components"`
}

// onInteraction takes in what somebody did in Discord's own interface. What only asks for more, a
// completion or a form, is answered at once and leaves no trace; all else becomes the event of a
// command.
func (a *Adapter) onInteraction(ctx context.Context, i *interaction, backlog bool, delivery string) error {
	person, ok := i.person()
	if !ok || !isSnowflake(i.ID) || !isSnowflake(i.Channel) || i.Token == "" || i.Guild != "" && !isSnowflake(i.Guild) {
		return a.unreadable(ctx, "INTERACTION_CREATE", delivery)
	}
	// Discord takes a first answer for three seconds. It may also replay that it had resumed before, and so
	// seem to have come to an end with it.
	late := a.rest.Now().Sub(timeOf(i.ID)) > answerWithin+time.Second // in whole seconds Discord tells the time
	if backlog = backlog || late; backlog {
		if mark, err := a.to.Cursor(roomCursor(roomOf(i.Guild, i.Channel))); err == nil && placeIn(ctx).within(mark) {
			return nil // an earlier run has dealt with it, and answers it by the outbox
		}
	}
	h := handle{ID: i.ID, Token: i.Token, User: person.ID, Channel: i.Channel, Guild: i.Guild, Locale: localeOf(i.Locale),
		Arrived: time.Now().UTC(),
		Quiet:   i.Type == interactionCommand && i.Data.Type == typeUser}
	if i.Type == interactionComplete {
		if late {
			return nil // they have typed on
		}
		a.quickly(func(ctx context.Context) { a.complete(ctx, i, h) })
		return nil
	}
	if i.Guild != "" && !a.guilds.with(i.Guild, func(*guild) {}) && !a.cfg.State.Room(guildRoom(i.Guild)).Joined {
		a.quickly(func(ctx context.Context) { a.tooEarly(ctx, h) })
		return nil
	}
	p, ok := a.pressed(i)
	switch {
	case !ok:
		a.log.Info("an interaction is not of this bot, or of another version", "delivery", delivery, "user",
			userID(person.ID))
		a.quickly(func(ctx context.Context) { a.outdatedControl(ctx, h) })
		return nil
	case i.Type != interactionForm:
		if c := a.tree.find(p.Path); c != nil {
			if missing := c.missing(p.Args, p.Form); len(missing) > 0 {
				if late {
					return nil // Discord has told them that the bot did not answer
				}
				a.quickly(func(ctx context.Context) { a.askFor(ctx, h, c, p, missing) })
				return nil
			}
		}
	}
	private := h.Guild != "" && (h.Quiet || a.tree.private(p.Path))
	if i.Guild != "" {
		a.chunks.hurry(i.Guild)
	}
	after := a.cfg.DeferAfter
	if l, ok := a.to.(protocol.Loaded); ok && (l.Backlog() > busy || l.Held()) {
		after = 0 // it would be late
	}
	if !a.replies.open(h, private, after, a.acknowledge) {
		return nil // delivered twice; the first is on its way
	}
	about := a.powerShown(i, person, delivery)
	ev := protocol.Event{
		Room: roomOf(i.Guild, i.Channel), Place: placeOf(i.Guild, i.Channel), Private: i.Guild == "",
		Hidden: a.guilds.hidden(i.Guild, i.Channel), Mute: i.mute(),
		ID: interactionID(i.ID), Sender: userID(person.ID), Time: timeOf(i.ID), Backlog: backlog, Handle: h.String(),
		Body: protocol.Invocation{Path: p.Path, Args: p.Args, Bot: person.Bot, Locale: h.Locale},
	}
	a.aged(&ev)
	w := work{room: ev.Room, about: person.ID,
		make: func(context.Context) []protocol.Event { return append(about(), ev) }}
	if ev.Private {
		w.about = everyState
		w.make = func(context.Context) []protocol.Event { return append(a.enters(ev), ev) }
	}
	return a.lanes.put(ctx, w)
}

// powerShown returns what makes the event of somebody whose power is another than the store has it:
// an interaction shows what its person is allowed at this moment, and so a command is never judged
// by what they were before.
func (a *Adapter) powerShown(i *interaction, person account, delivery string) func() []protocol.Event {
	if i.Member == nil || i.Guild == "" {
		return func() []protocol.Event { return nil }
	}
	allowed, err := strconv.ParseInt(i.Member.Permissions, 10, 64)
	return func() []protocol.Event {
		room, user := guildRoom(i.Guild), userID(person.ID)
		known, in := a.cfg.State.Member(room, user)
		if moderator := allowed&moderates != 0; err == nil && in && known.Moderator != moderator {
			power := protocol.PowerMember
			if moderator {
				power = protocol.PowerModerator
			}
			return []protocol.Event{{Room: room, ID: protocol.EventID("member-" + person.ID + "-" + delivery),
				Sender: user, Body: protocol.MemberChange{
					User: user, Membership: protocol.Joined, Profile: true, Bot: person.Bot, Power: power,
				}}}
		}
		return nil
	}
}

// quickly answers what is not recorded, in a goroutine of its own.
func (a *Adapter) quickly(answer func(ctx context.Context)) {
	select {
	case a.quick <- struct{}{}:
	default:
		a.log.Warn("too many completions and forms at once; one was dropped")
		return
	}
	a.jobs.Go(func() {
		defer func() { <-a.quick }()
		ctx, cancel := context.WithTimeout(a.ctx, 3*time.Second)
		defer cancel()
		answer(ctx)
	})
}

// pressed returns the command of an interaction.
func (a *Adapter) pressed(i *interaction) (p press, ok bool) {
	switch {
	case i.Type == interactionCommand && i.Data.Type == typeUser:
		c := a.tree.menus[i.Data.Name]
		if c == nil || !isSnowflake(i.Data.Target) {
			return p, false
		}
		slot, ok := c.person()
		return press{Path: c.Path, Args: map[string]string{slot: mentionOf(i.Data.Target)}}, ok
	case i.Type == interactionCommand:
		path, args, _ := flatten(i.Data.Name, i.Data.Options)
		a.name(i.Guild, args)
		return press{Path: path, Args: args}, i.Data.Name != ""
	case i.Type == interactionComponent:
		p, err := decodePress(i.Data.CustomID)
		if err != nil {
			return p, false
		}
		if p.Menu != "" {
			c := a.tree.find(p.Path)
			if c == nil || c.fill(p.Args, p.Menu, i.Data.Values) != nil {
				return p, false
			}
			p.Menu = ""
		}
		return p, true
	case i.Type == interactionForm:
		p, err := decodePress(i.Data.CustomID)
		if err != nil {
			return p, false
		}
		typed := map[string]string{}
		for _, c := range i.Data.Components {
			c.inputs(typed, 4)
		}
		a.name(i.Guild, typed)
		maps.Copy(p.Args, typed)
		p.Form = nil
		return p, true
	}
	return p, false
}

// name writes what people have picked within a text as others read it: Discord tells of a person, a
// channel, a role or an emoji by its id.
func (a *Adapter) name(guildID string, typed map[string]string) {
	for field, text := range typed {
		if !strings.Contains(text, "<") {
			continue
		}
		if id := strings.TrimSuffix(strings.TrimPrefix(text, "<#"), ">"); isSnowflake(id) && len(id)+3 == len(text) {
			typed[field] = id // nothing but a channel: it is what is meant, and no word of a text
			continue
		}
		text, _ = readContent(text, "", "")
		if !a.guilds.with(guildID, func(g *guild) { typed[field] = g.readable(text) }) {
			typed[field] = new(guild).readable(text)
		}
	}
}

// flatten returns the path of a command, what was given to it, and the option that is being typed.
func flatten(name string, options []given) (path []string, args map[string]string, typed *given) {
	path, args = []string{name}, map[string]string{}
	for depth := 0; depth < 2 && len(options) == 1 &&
		(options[0].Type == optionSub || options[0].Type == optionGroup); depth++ {
		path = append(path, options[0].Name)
		options = options[0].Options
	}
	for n := range options {
		o := &options[n]
		if o.Focused {
			typed = o
			continue
		}
		args[o.Name] = o.text()
	}
	return path, args, typed
}

// complete answers with what the value may be that somebody types.
func (a *Adapter) complete(ctx context.Context, i *interaction, h handle) {
	path, args, typed := flatten(i.Data.Name, i.Data.Options)
	choices := []choice{}
	if typed != nil && a.cfg.Completer != nil {
		param := typed.Name
		if c := a.tree.find(path); c != nil {
			for n := range c.Params {
				if slices.Contains(c.Params[n].Slots, typed.Name) {
					param = c.Params[n].Name
				}
			}
		}
		where := Where{User: userID(h.User), Room: roomOf(i.Guild, i.Channel), Private: i.Guild == ""}
		for _, v := range a.cfg.Completer.Complete(where, path, param, typed.text(), args) {
			if v = protocol.OneLine(v); v != "" && units(v) <= maxChoice && len(choices) < maxOptions {
				choices = append(choices, choice{v, nil, v})
			}
		}
	}
	a.callBack(ctx, h, callback{callbackComplete, map[string]any{"choices": choices}}, nil, "a completion")
}

// askFor opens a form for what is missing to a command. What is typed comes back as another
// interaction.
func (a *Adapter) askFor(ctx context.Context, h handle, c *Command, p press, missing []*Param) {
	id, err := encodePress(press{Path: p.Path, Args: p.Args})
	if err != nil {
		a.log.Warn("a form could not be made", "command", p.Path, "err", err)
		return
	}
	l := speaker(h.Locale).Language()
	f := form{CustomID: id, Title: title(upper(cmp.Or(c.In[l].Summary, c.Summary)))}
	if c.OnPerson != "" {
		f.Title = title(cmp.Or(c.MenuIn[l].Name, c.OnPerson))
	}
	for _, m := range missing {
		f.Components = append(f.Components, field(m, l, m.Required || contains(p.Form, m.Name)))
	}
	a.callBack(ctx, h, callback{callbackForm, f}, nil, "a form")
}

// field makes what a form asks for one parameter: an input within a label, which Discord wants
// instead of a row of inputs (developer documentation, "Label"). What is too long for the label
// stands below it.
func field(p *Param, l say.Language, required bool) component {
	input := component{Type: componentTextInput, CustomID: p.Slots[0], Style: 1, Required: &required}
	if p.Kind == Long {
		input.Style = 2
	}
	if p.Kind != Integer {
		input.MinLength, input.MaxLength = int(min(max(p.Min, 0), maxInput)), int(min(max(p.Max, 0), maxInput))
	}
	asks := upper(cmp.Or(p.In[l].Summary, p.Summary))
	label := component{Type: componentLabel, Label: title(asks), Component: &input}
	if label.Label != asks {
		label.Detail = describe(asks)
	}
	return label
}

// outdatedControl tells somebody that what they pressed is not understood any more.
func (a *Adapter) outdatedControl(ctx context.Context, h handle) {
	text := h.told("outdated", say.Code("Command", protocol.Code("/help")))
	a.callBack(ctx, h, callback{callbackMessage, a.content(render(text)[0], nil, h.Guild != "")}, nil, "an old control")
}

// tooEarly answers in a server of which Discord has not told yet. What is asked there would be
// ignored: the bot is not in it as far as it knows.
func (a *Adapter) tooEarly(ctx context.Context, h handle) {
	text := h.told("too-early")
	a.callBack(ctx, h, callback{callbackMessage, a.content(render(text)[0], nil, true)}, nil,
		"a command from a server that is not known yet")
}

// callBack sends the first answer to an interaction, and logs what went wrong with one that nobody
// waits for.
func (a *Adapter) callBack(ctx context.Context, h handle, c callback, into any, what string, files ...rest.File) error {
	r := rest.Request{Method: http.MethodPost, Path: "/interactions/" + h.ID + "/" + h.Token + "/callback",
		Body: c, Files: files, Into: into}
	if into != nil {
		r.Query = map[string][]string{"with_response": {"true"}}
	}
	err := a.rest.Do(ctx, r)
	switch {
	case err == nil || what == "":
	case rest.CodeOf(err) == rest.CodeAlreadyAcknowledged: // by an earlier run, of which this one has the replay, or by a copy
		a.doubt()
		a.log.Debug(what+" is answered already", "user", userID(h.User))
	default:
		a.log.Warn(what+" could not be answered", "user", userID(h.User), "err", err)
	}
	return err
}

// acknowledge tells Discord that an answer is on its way, if none is out yet. It waits for nothing
// that the bot does: an acknowledgement promises an answer and changes nothing. While the bot holds
// still it says so instead.
func (a *Adapter) acknowledge(r *reply) {
	if !r.mu.TryLock() {
		return // its answer is being sent at this moment
	}
	defer r.mu.Unlock()
	if r.stage != stageFresh {
		return
	}
	ctx, cancel := context.WithTimeout(a.ctx, 5*time.Second)
	defer cancel()
	c := callback{Type: callbackDefer}
	if r.private {
		c.Data = map[string]any{"flags": flagEphemeral}
	}
	held := a.held()
	if held {
		c = callback{callbackMessage, a.content(render(r.told("unwell"))[0], nil, r.private)}
	}
	err := a.callBack(ctx, r.handle, c, nil, "")
	switch rest.CodeOf(err) {
	case rest.CodeUnknownInteraction:
		r.stage = stageDead
		a.log.Warn("an interaction came too late to be acknowledged", "user", userID(r.User), "event",
			interactionID(r.ID))
		return
	case rest.CodeAlreadyAcknowledged:
		// By an earlier run, or by an answer of which nothing came back: what stands there may be
		// the answer itself. Or a copy of this bot runs as well.
		a.doubt()
		if err = a.probe(ctx, r); err == nil && r.stage != stageDeferred {
			return
		}
	}
	if r.stage = stageDeferred; err != nil {
		r.stage = stageUnknown
		a.log.Warn("an interaction could not be acknowledged", "user", userID(r.User), "event",
			interactionID(r.ID), "err", err)
		return
	}
	if held {
		r.stage = stageAnswered // the answer follows up
		return
	}
	a.replies.later(r, a.cfg.ForgetAfter, a.apologize)
}

// apologize puts a sentence where the acknowledgement stands to which there was no answer in time:
// as when the bot has come to hold still since. An answer that comes
// all the same follows up.
func (a *Adapter) apologize(r *reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stage != stageDeferred {
		return
	}
	ctx, cancel := context.WithTimeout(a.ctx, 5*time.Second)
	defer cancel()
	text := render(r.told("not-yet"))[0]
	if _, err := a.original(ctx, r, http.MethodPatch, revision{Content: text.Content, Mentions: allow(nil), Components: []component{}}); err != nil && !gone(err) {
		a.log.Warn("an acknowledgement could not be explained", "event", interactionID(r.ID), "err", err)
		return
	}
	r.stage = stageAnswered
}

// upper makes a summary begin as a title does.
func upper(s string) string {
	for i, r := range s {
		if i > 0 {
			break
		}
		if r >= 'a' && r <= 'z' {
			return string(r-'a'+'A') + s[1:]
		}
	}
	return s
}
