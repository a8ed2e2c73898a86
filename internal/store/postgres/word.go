package postgres

import "strings"

const (
	// mostWords bounds what waits to be told while the server does not answer: a draft of
	// which pieces are missing is told again when somebody asks for it.
	mostWords = 4_000
	// wordsAtOnce is how many are told before news are looked for again: what waits for a
	// commit of another node must not wait for whoever watches replies, too.
	wordsAtOnce = 200
	// longestWord is what fits into a notification beside its sender.
	longestWord = 7000
)

// Tell tells a word, without a line's end in it, to all other nodes, soon: something that
// is not stored, such as a piece of a reply that is being written. It does not block, and
// the word may get lost. One that is longer than a notification does: PostgreSQL would
// refuse what waits with it, too. A model can bring that about, by the name of a tool.
func (s *Store) Tell(word []byte) {
	w := s.herald
	if w == nil || len(word) > longestWord {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.words) < mostWords {
		w.words = append(w.words, string(word))
	}
	w.poke()
}

// tellWords are words as texts of the sender and then a word on each line.
func (w *herald) tellWords(words []string) []string {
	said := payloads{first: w.self + "\n", between: "\n"}
	for _, word := range words {
		said.add(word)
	}
	return said.end()
}

func (w *herald) hearWords(payload string) {
	sender, words, _ := strings.Cut(payload, "\n")
	if sender == w.self {
		return
	}
	for word := range strings.SplitSeq(words, "\n") {
		w.hear([]byte(word))
	}
}
