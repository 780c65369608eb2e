package e2e

import (
	"os"
	"time"
)

// uncached keeps the result of the tests out of Go's cache; testdata/uncached says why. It is called last.
func uncached() {
	const file = "testdata/uncached"
	now := time.Now()
	if os.Chtimes(file, now, now) == nil {
		_, _ = os.Stat(file)
	}
}
