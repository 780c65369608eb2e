package store

// Fail fails the transaction with err, as a write that breaks a rule does. It is for those who have begun to write
// something that is only right as a whole, and whose caller may drop the error.
func (tx *Tx) Fail(err error) { tx.fail(err) }
