package tally

import (
	"bufio"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ranked reads a ballot as it is written: letters in their order, those that are wanted equally between brackets.
func ranked(t testing.TB, r Rules, order string) Ballot {
	t.Helper()
	var groups [][]int
	open := false
	for _, c := range order {
		switch {
		case c == '(':
			groups, open = append(groups, nil), true
		case c == ')':
			open = false
		case open:
			groups[len(groups)-1] = append(groups[len(groups)-1], int(c-'A'))
		default:
			groups = append(groups, []int{int(c - 'A')})
		}
	}
	b := r.Rank(groups)
	if !r.Valid(b) {
		t.Fatalf("%s is no ballot by %+v", order, r)
	}
	return b
}

// profile reads "5 ACBED, 3 AB": how many cast which ballot.
func profile(t testing.TB, r Rules, written string) (tally Tally) {
	t.Helper()
	voters, ballots := []int(nil), map[int]Ballot{}
	for part := range strings.SplitSeq(written, ",") {
		n, order, _ := strings.Cut(strings.TrimSpace(part), " ")
		many, err := strconv.Atoi(n)
		if err != nil {
			t.Fatal(err)
		}
		for range many {
			voters = append(voters, len(voters))
			ballots[len(ballots)] = ranked(t, r, order)
		}
	}
	return Count(r, voters, ballots)
}

// letters writes options as ranked reads them.
func letters(options []int) (s string) {
	for _, o := range options {
		s += string(rune('A' + o))
	}
	return s
}

// TestSchulzePublished holds the method to the examples that its author has published (M. Schulze, "The Schulze Method of
// Voting", section 3), with the winners that he names.
func TestSchulzePublished(t *testing.T) {
	for _, tc := range []struct {
		options       int
		ballots, wins string
	}{
		{5, "5 ACBED, 5 ADECB, 8 BEDAC, 3 CABED, 7 CAEBD, 2 CBADE, 7 DCEBA, 8 EBADC", "E"},
		{4, "8 ACDB, 2 BADC, 4 CDBA, 4 DBAC, 3 DCBA", "D"},
		{4, "3 ABCD, 2 CBDA, 2 DABC, 2 DBCA", "BD"},
		{4, "12 ABCD, 6 ADBC, 9 BCDA, 15 CDAB, 21 DBAC", "D"},
		{4, "6 ACDB, 1 BADC, 3 CBDA, 3 DBAC, 2 DCBA", "AD"},
		{6, "3 ADEBCF, 3 BFECDA, 4 CABFDE, 1 DBCEFA, 4 DEFABC, 2 ECBDFA, 2 FACDBE", "A"},
		{6, "3 ADEBCF, 3 BFECDA, 4 CABFDE, 1 DBCEFA, 4 DEFABC, 2 ECBDFA, 2 FACDBE, 2 AEFCBD", "D"},
		{4, "3 ABDC, 5 ADBC, 1 ADCB, 2 BADC, 2 BDCA, 4 CABD, 6 CBAD, 2 DBCA, 5 DCAB", "A"},
		{5, "3 ABDEC, 5 ADEBC, 1 ADECB, 2 BADEC, 2 BDECA, 4 CABDE, 6 CBADE, 2 DBECA, 5 DECAB", "B"},
		{4, "6 ABCD, 8 (AB), 8 (AC), 18 (AC)D, 8 (ACD), 40 B, 4 CBD, 9 CDA, 8 (CD), 14 DAB, 11 DBC, 4 DCA", "D"},
		{5, "9 ADBEC, 6 BCADE, 5 BCDEA, 2 CDBEA, 6 DECBA, 14 EACBD, 2 ECABD, 1 EDACB", "B"},
		{5, "9 ADBEC, 1 BACED, 6 CBADE, 2 CDBEA, 5 CDEAB, 6 DECAB, 14 EBACD, 2 EBCAD", "E"},
	} {
		r := Rules{Method: Schulze, Options: tc.options}
		got := Final(r, 1000, profile(t, r, tc.ballots))
		want := Chosen
		if len(tc.wins) > 1 {
			want = Tied
		}
		if wins := letters(append(got.Election.Elected, got.Election.Tied...)); wins != tc.wins || got.Outcome != want {
			t.Errorf("%s: got %s, %s; want %s, %s", tc.ballots, wins, got.Outcome, tc.wins, want)
		}
	}
}

// TestSchulzeTables holds the pairs and the strongest paths of the best known of these examples to the tables that are
// published with it.
func TestSchulzeTables(t *testing.T) {
	r := Rules{Method: Schulze, Options: 5}
	e := Final(r, 45, profile(t, r, "5 ACBED, 5 ADECB, 8 BEDAC, 3 CABED, 7 CAEBD, 2 CBADE, 7 DCEBA, 8 EBADC")).Election
	pairs := [][]int{{0, 20, 26, 30, 22}, {25, 0, 16, 33, 18}, {19, 29, 0, 17, 24}, {15, 12, 28, 0, 14}, {23, 27, 21, 31, 0}}
	paths := [][]int{{0, 28, 28, 30, 24}, {25, 0, 28, 33, 24}, {25, 29, 0, 29, 24}, {25, 28, 28, 0, 24}, {25, 28, 28, 31, 0}}
	if got := fmt.Sprint(e.Pairs); got != fmt.Sprint(pairs) {
		t.Errorf("pairs: got %s, want %v", got, pairs)
	}
	if got := fmt.Sprint(e.Paths()); got != fmt.Sprint(paths) {
		t.Errorf("paths: got %s, want %v", got, paths)
	}
}

// published is an election as its returning officer has published it.
type published struct {
	seats, quota int
	options      []string
	stages       []stage
	tally        Tally
}

type stage struct {
	surplus, excluded int
	figures           []float64 // of each option, and what was lost
	elected           []int
}

func readPublished(t *testing.T, name string) (p published) {
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	numbers := func(words []string) (out []int) {
		for _, w := range words {
			n, err := strconv.Atoi(w)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			out = append(out, n)
		}
		return out
	}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text())
		switch words[0] {
		case "#":
		case "seats":
			p.seats = numbers(words[1:])[0]
		case "quota":
			p.quota = numbers(words[1:])[0]
		case "option":
			p.options = append(p.options, strings.Join(words[1:], " "))
		case "stage":
			head, rest, _ := strings.Cut(lines.Text(), ": ")
			figures, who, _ := strings.Cut(rest, " elected ")
			st := stage{surplus: -1, excluded: -1}
			switch act := strings.Fields(head); act[1] {
			case "surplus":
				st.surplus = numbers(act[2:])[0] - 1
			case "excluded":
				st.excluded = numbers(act[2:])[0] - 1
			}
			for _, w := range strings.Fields(figures) {
				v, err := strconv.ParseFloat(w, 64)
				if err != nil {
					t.Fatal(err)
				}
				st.figures = append(st.figures, v)
			}
			if who != "-" {
				for _, o := range numbers(strings.Fields(who)) {
					st.elected = append(st.elected, o-1)
				}
			}
			p.stages = append(p.stages, st)
		default:
			n := numbers(words)
			b := make(Ballot, len(p.options))
			for i, o := range n[1:] {
				b[o-1] = i + 1
			}
			for range n[0] {
				p.tally.Cast++
				p.tally.Ballots = append(p.tally.Ballots, b)
			}
		}
	}
	return p
}

// TestSTVPublished holds the count to elections of Scottish councils, stage by stage. What is published is cut after five
// digits, ballot by ballot, so it is up to a hundred-thousandth less for each of some thousand ballots and transfer.
func TestSTVPublished(t *testing.T) {
	for _, name := range []string{"linn-2007.txt", "coldside-2022.txt", "maryfield-2022.txt"} {
		t.Run(name, func(t *testing.T) {
			p := readPublished(t, name)
			r := Rules{Method: STV, Options: len(p.options), Seats: p.seats}
			for _, b := range p.tally.Ballots {
				if !r.Valid(b) {
					t.Fatalf("%v is no ballot", b)
				}
			}
			res := Final(r, p.tally.Cast, p.tally)
			e := res.Election
			if res.Outcome != Chosen || len(e.Elected) != p.seats || e.Quota != p.quota || len(e.Stages) != len(p.stages) {
				t.Fatalf("got %s, %v, quota %d in %d stages; want quota %d in %d", res.Outcome, e.Elected, e.Quota, len(e.Stages), p.quota, len(p.stages))
			}
			for i, want := range p.stages {
				got := e.Stages[i]
				if got.Surplus != want.surplus || got.Excluded != want.excluded || !slices.Equal(slices.Sorted(slices.Values(got.Elected)), want.elected) {
					t.Errorf("stage %d: got %+v, want %+v", i+1, got, want)
				}
				for o, want := range want.figures {
					v := got.Lost
					if o < len(got.Votes) {
						v = got.Votes[o]
					}
					if is, _ := v.Float64(); is < want-0.1 || is > want+0.1 {
						t.Errorf("stage %d, option %d: got %s, want %.5f", i+1, o+1, v.FloatString(5), want)
					}
				}
			}
		})
	}
}

// TestSTVTies are ties that the rules of Scottish councils settle by an earlier stage, and ties that they settle by lot.
func TestSTVTies(t *testing.T) {
	for _, tc := range []struct {
		name, ballots           string
		options, seats          int
		elected, tied, excluded string
	}{
		{"nobody else stands a chance", "4 A, 3 B", 3, 2, "AB", "", ""},
		{"an earlier stage tells", "5 A, 3 B, 2 C, 1 DC", 4, 1, "A", "", "DCB"},
		{"two are level for the last seat", "6 A, 3 B, 3 C", 3, 2, "A", "BC", "C"},
		{"all are level", "1 A, 1 B, 1 C", 3, 2, "", "ABC", "C"},
		{"whoever goes first, the same is elected", "9 A, 8 B, 1 CA, 1 DA", 4, 1, "A", "", "D"},
		{"of three the one who had more before stays", "9 A, 3 B, 2 CA, 2 DA, 1 EC, 1 FD", 6, 1, "A", "", ""},
	} {
		r := Rules{Method: STV, Options: tc.options, Seats: tc.seats}
		got := Final(r, 100, profile(t, r, tc.ballots))
		e := got.Election
		want := Chosen
		if tc.tied != "" {
			want = Tied
		}
		if letters(slices.Sorted(slices.Values(e.Elected))) != tc.elected || letters(e.Tied) != tc.tied || got.Outcome != want {
			t.Errorf("%s: got %s elected, %s tied, %s", tc.name, letters(e.Elected), letters(e.Tied), got.Outcome)
		}
		var out []int
		for _, st := range e.Stages {
			if st.Excluded >= 0 {
				out = append(out, st.Excluded)
			}
		}
		if tc.excluded != "" && letters(out) != tc.excluded {
			t.Errorf("%s: got %s excluded, want %s", tc.name, letters(out), tc.excluded)
		}
	}
}

// TestSTVAlike counts ballots that make as many ties as there can be: each option is first once, and all are level.
func TestSTVAlike(t *testing.T) {
	const options = 10
	for seats := 1; seats < options; seats++ {
		r := Rules{Method: STV, Options: options, Seats: seats}
		var all Tally
		for first := range options {
			b, back := make(Ballot, options), make(Ballot, options)
			for i := range options {
				b[(first+i)%options], back[(first-i+options)%options] = i+1, i+1
			}
			all.Cast += 2
			all.Ballots = append(all.Ballots, b, back)
		}
		if got := Final(r, 20, all); got.Outcome != Tied || len(got.Election.Tied) != options {
			t.Errorf("%d seats: got %s, %v elected, %v tied", seats, got.Outcome, got.Election.Elected, got.Election.Tied)
		}
	}
}

func TestElectionOutcomes(t *testing.T) {
	one, many := Rules{Method: Schulze, Options: 3, Quorum: 3}, Rules{Method: STV, Options: 3, Seats: 2}
	if got := Final(one, 5, profile(t, one, "2 ABC")); got.Outcome != NoQuorum || got.Election != nil {
		t.Errorf("got %+v", got)
	}
	if got := Final(many, 5, many.NewTally()); got.Outcome != Unvoted || got.Election != nil {
		t.Errorf("got %+v", got)
	}
	if got := Final(one, 5, profile(t, one, "3 (ABC)")); got.Outcome != Tied || letters(got.Election.Tied) != "ABC" {
		t.Errorf("got %+v", got)
	}
	if !Possible(one, 3) || Possible(one, 2) {
		t.Error("an election is possible where its quorum can be reached, and only there")
	}
	c := Clock{Opened: opening, Deadline: opening.Add(24 * time.Hour), Now: opening.Add(24*time.Hour - 1)}
	all := profile(t, one, "5 ABC")
	if got := Decide(one, 5, all, c).Outcome; got != Open {
		t.Errorf("an election ended early: %s", got)
	}
	c.Now = c.Deadline
	if got := Decide(one, 5, all, c); got.Outcome != Chosen || letters(got.Winners) != "A" {
		t.Errorf("got %+v", got)
	}
}

func TestValidRanking(t *testing.T) {
	one, many := Rules{Method: Schulze, Options: 3}, Rules{Method: STV, Options: 3, Seats: 2}
	for _, tc := range []struct {
		b         Ballot
		one, many bool
	}{
		{nil, false, false}, {Ballot{0, 0, 0}, false, false}, {Ballot{1, 2}, false, false}, {Ballot{1, 2, 3}, true, true},
		{Ballot{0, 1, 0}, true, true}, {Ballot{2, 1, 0}, true, true}, {Ballot{1, 1, 2}, true, false}, {Ballot{1, 1, 3}, false, false},
		{Ballot{2, 3, 0}, false, false}, {Ballot{1, 1, 1}, true, false}, {Ballot{-1, 1, 2}, false, false}, {Ballot{1, 2, 4}, false, false},
	} {
		if got := one.Valid(tc.b); got != tc.one {
			t.Errorf("%v by Schulze: got %v", tc.b, got)
		}
		if got := many.Valid(tc.b); got != tc.many {
			t.Errorf("%v by STV: got %v", tc.b, got)
		}
	}
	if got := one.Rank([][]int{{0}, {0}}); one.Valid(got) {
		t.Errorf("an option can be ranked twice: %v", got)
	}
	if got := fmt.Sprint(ranked(t, one, "C(AB)").Groups()); got != "[[2] [0 1]]" {
		t.Errorf("got %s", got)
	}
}

// votesOf sums what is with options and what is lost.
func votesOf(st Stage) *big.Rat {
	sum := new(big.Rat).Set(st.Lost)
	for _, v := range st.Votes {
		sum.Add(sum, v)
	}
	return sum
}
