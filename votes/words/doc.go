// Package words makes what people read of votes, in every language that the bot speaks. It knows no store: a [Vote] is all that is
// to be seen of one, and what is made of it depends on nothing else. The sentences that the commands of votes answer with are in
// its catalogue, too.
package words
