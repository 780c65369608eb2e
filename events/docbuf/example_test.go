package docbuf_test

import (
	"fmt"

	"moot/events/docbuf"
)

func Example() {
	type fact struct{ Kind, Room string }
	store := docbuf.NewReadWriteSeekString("")

	// A new store has end 0. Two documents are kept in memory.
	buf, err := docbuf.Open(store, docbuf.JSON[fact]{}, 0, 2)
	if err != nil {
		panic(err)
	}
	err = buf.Push(fact{"opened", "kitchen"}, fact{"voted", "kitchen"}, fact{"closed", "kitchen"})
	if err != nil {
		panic(err)
	}
	newest, _ := buf.Pop()
	fmt.Println(newest.Kind)

	// Close returns the end, which the caller keeps and Open asks for.
	end, err := buf.Close()
	if err != nil {
		panic(err)
	}
	buf, err = docbuf.Open(store, docbuf.JSON[fact]{}, end, 2)
	if err != nil {
		panic(err)
	}
	for entry, err := range buf.Scan(0) {
		if err != nil {
			panic(err)
		}
		fmt.Println(entry.Offset, entry.Next, entry.Doc.Kind)
	}
	// Output:
	// closed
	// 8 54 opened
	// 54 99 voted
}
