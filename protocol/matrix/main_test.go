package matrix_test

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"testing"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if given := flag.Lookup("test.parallel"); given.Value.String() == given.DefValue {
		// The adapter and the homeserver mostly wait for one another.
		_ = flag.Set("test.parallel", strconv.Itoa(8*runtime.GOMAXPROCS(0))) // it is a number
	}
	os.Exit(m.Run())
}
