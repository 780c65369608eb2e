//go:build !unix

package console

import "os"

// sizeChanged: there is no such signal here; the width is looked up when the next message is shown.
var sizeChanged os.Signal
