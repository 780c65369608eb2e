package store

// Outcome is what a feature made of an event. The zero value means that the event is none of its
// business.
type Outcome struct {
	Disposition Disposition
	Reason      string // for people; may be empty
	// Fault makes a dead letter of the event, so that somebody sees to it, although what was written stays. Zero makes none.
	Fault string
	// Final ends the way of the event here: the features behind this one do not see it.
	Final bool
}

// WasHandled is the outcome of an event that something came of.
func WasHandled(reason string) Outcome { return Outcome{Disposition: Handled, Reason: reason} }

// WasRefused is the outcome of an event that must not be acted on, for a reason. No feature sees it.
func WasRefused(reason string) Outcome {
	return Outcome{Disposition: Refused, Reason: reason, Final: true}
}

// WasIgnored is the outcome of an event that nothing came of, for a reason.
func WasIgnored(reason string) Outcome { return Outcome{Disposition: Ignored, Reason: reason} }
