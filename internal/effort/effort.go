// Package effort says how much the tests of a run may try. A plain go test ./... is for somebody who waits for it: what kills, cuts or
// fails something again and again, what starts foreign servers, and what waits for what takes its time, is left for the runs that ask for
// it by a variable of the environment.
package effort

import (
	"flag"
	"os"
	"strconv"
	"testing"
)

// The variables that ask for more. Any value but the empty one does; MOOT_PROOF=long is the same as MOOT_LONG.
const (
	slow  = "MOOT_SLOW"  // all tests, each with little effort, as CI does first
	proof = "MOOT_PROOF" // more: .ci/prove sets it
	long  = "MOOT_LONG"  // as much as there is: hours for some
)

// Of returns how much is tried: little in a run of go test that asks for nothing or for MOOT_SLOW, more for MOOT_PROOF, and much for
// MOOT_LONG.
func Of(little, more, much int) int {
	switch {
	case Long():
		return much
	case os.Getenv(proof) != "":
		return more
	}
	return little
}

// InProof returns how much a test of .ci/prove tries: more, or much for MOOT_LONG.
func InProof(more, much int) int { return Of(more, more, much) }

// Quick reports whether somebody waits: nothing was asked for, or -short was.
func Quick() bool {
	return testing.Short() || os.Getenv(slow) == "" && Of(0, 1, 1) == 0
}

// Long reports whether as much is to be tried as there is.
func Long() bool { return os.Getenv(long) != "" || os.Getenv(proof) == "long" }

// Checks has rapid, the library of tests that draw what they do, check each property so many times: few where somebody waits, and some
// otherwise. Who says -rapid.checks gets that, and MOOT_LONG as many as rapid checks by itself. Flags must have been parsed.
func Checks(few, some int) {
	if f := flag.Lookup("rapid.checks"); f == nil || f.Value.String() != f.DefValue || Long() {
		return
	}
	switch {
	case testing.Short():
		few *= 5 // rapid takes a fifth
	case !Quick():
		few = some
	}
	_ = flag.Set("rapid.checks", strconv.Itoa(few)) // it is a number
}

// Slow skips a test that takes its time where somebody waits.
func Slow(t testing.TB) {
	t.Helper()
	if Quick() {
		t.Skip("it takes its time: " + slow + "=1 runs it, as CI does")
	}
}

// Proof skips a test that is for .ci/prove, and for the stages of CI that set MOOT_LONG.
func Proof(t testing.TB) {
	t.Helper()
	if Of(0, 1, 1) == 0 {
		t.Skip("it takes its time: .ci/prove runs it")
	}
}
