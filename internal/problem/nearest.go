package problem

// Nearest returns the known word that is closest to a misspelt one, or "" when
// none is close enough to be what was meant: at most a third of it, and never
// more than three letters, differ.
func Nearest(word string, known []string) string {
	best, least := "", min(3, max(1, len(word)/3))+1
	for _, candidate := range known {
		if len(word)-len(candidate) >= least || len(candidate)-len(word) >= least {
			continue // a word of a megabyte must not cost a comparison of as much
		}
		if d := distance(word, candidate); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance is the number of bytes to insert, delete, replace or swap with their
// neighbour to turn a into b (optimal string alignment).
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
