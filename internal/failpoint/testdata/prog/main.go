// Command prog comes by three places.
package main

import (
	"fmt"

	"moot/internal/failpoint"
)

func main() {
	failpoint.Hit(failpoint.CommitBefore)
	fmt.Println(1)
	failpoint.Hit(failpoint.CommitAfter)
	fmt.Println(2)
	failpoint.Hit(failpoint.CommitBefore)
	fmt.Println(3)
}
