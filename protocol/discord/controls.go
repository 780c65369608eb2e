package discord

import (
	"errors"

	"moot/protocol"
)

// The kinds and styles of components (developer documentation, "Component Reference").
const (
	componentRow       = 1
	componentButton    = 2
	componentMenu      = 3
	componentTextInput = 4
	componentLabel     = 18

	buttonsInRow = 5
	rowsInAll    = 5
)

var buttonStyles = map[protocol.Tone]int{protocol.ToneMain: 1, protocol.ToneNeutral: 2, protocol.ToneGood: 3,
	protocol.ToneGrave: 4}

// component is one as it is sent. discordgo's own types write fields that Discord's schema does not
// know.
type component struct {
	Type       int          `json:"type"`
	CustomID   string       `json:"custom_id,omitempty"`
	Style      int          `json:"style,omitempty"`
	Label      string       `json:"label,omitempty"`
	Hint       string       `json:"placeholder,omitempty"`
	Least      *int         `json:"min_values,omitempty"`
	Most       int          `json:"max_values,omitempty"`
	Options    []menuOption `json:"options,omitempty"`
	Components []component  `json:"components,omitempty"`
	Detail     string       `json:"description,omitempty"`
	Component  *component   `json:"component,omitempty"` // within a label
	Required   *bool        `json:"required,omitempty"`
	MinLength  int          `json:"min_length,omitempty"`
	MaxLength  int          `json:"max_length,omitempty"`
}

type menuOption struct {
	Label  string `json:"label"`
	Value  string `json:"value"`
	Detail string `json:"description,omitempty"`
}

// layOut makes the rows of components of a message: buttons in order, five to a row, each menu in a
// row of its own. A control that cannot be shown is told to the caller and left out: the text says
// what to type instead.
func layOut(controls []protocol.Control, left func(protocol.Control, error)) []component {
	rows := []component{} // none takes those away that an edited message had
	seen := map[string]bool{}
	for _, c := range controls {
		one, err := draw(c)
		switch {
		case err != nil:
			left(c, err)
			continue
		case seen[one.CustomID]:
			left(c, errTwice)
			continue
		}
		last := len(rows) - 1
		fits := last >= 0 && one.Type == componentButton && rows[last].Components[0].Type == componentButton &&
			len(rows[last].Components) < buttonsInRow
		switch {
		case fits:
			rows[last].Components = append(rows[last].Components, one)
		case len(rows) == rowsInAll:
			left(c, errTooMany)
			continue
		default:
			rows = append(rows, component{Type: componentRow, Components: []component{one}})
		}
		seen[one.CustomID] = true
	}
	return rows
}

func draw(c protocol.Control) (component, error) {
	if err := c.Check(); err != nil {
		return component{}, err
	}
	id, err := encodePress(press{Path: c.Path, Args: c.Args, Menu: c.Param, Form: c.Form})
	if err != nil {
		return component{}, err
	}
	if c.Param == "" {
		return component{Type: componentButton, CustomID: id, Style: buttonStyles[c.Tone], Label: c.Label}, nil
	}
	least := max(c.Least, 1)
	menu := component{Type: componentMenu, CustomID: id, Hint: c.Label, Least: &least, Most: max(c.Most, 1)}
	for _, o := range c.Options {
		menu.Options = append(menu.Options, menuOption{Label: o.Label, Value: o.Value, Detail: o.Detail})
	}
	return menu, nil
}

var (
	errTwice   = errors.New("another one does the same")
	errTooMany = errors.New("more rows than a message can have")
)
