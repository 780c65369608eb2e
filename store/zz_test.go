package store
func holdFile([]string){}
func openFlipped([]string){}
func commitUntilLimit([]string){}
func commitAndCount([]string){}
