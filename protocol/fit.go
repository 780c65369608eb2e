package protocol

// Measurer is what an Adapter may have: it knows what its network takes as one message.
type Measurer interface {
	// Fits reports whether the text is one message of the network, in the network's own units, escaped and encoded as it
	// would be sent. It may be called concurrently, and before and after Run.
	Fits(t Text) bool
}

// Fit returns the longest text that fits, of those that write makes: write(n) says what is to be said with what people wrote
// shortened to n characters, of which more make it no shorter. Where even write(0) does not fit it is returned all the same,
// and the network shows it in parts. A nil fits takes every text.
func Fit(fits func(Text) bool, most int, write func(n int) Text) Text {
	whole := write(most)
	if fits == nil || most <= 0 || fits(whole) {
		return whole
	}
	best := write(0)
	if !fits(best) {
		return best
	}
	for least, most := 0, most; most-least > 1; { // write(least) fits and write(most) does not
		n := least + (most-least)/2
		if t := write(n); fits(t) {
			least, best = n, t
		} else {
			most = n
		}
	}
	return best
}
