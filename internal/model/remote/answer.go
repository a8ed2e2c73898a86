package remote

// Bounds of an answer. The longest replies of today's models are half a
// mebibyte; the room above that is for escapes and for the models of tomorrow.
const (
	MaxLine  = 4 << 20  // one line of a stream: at most one call with all its arguments
	MaxReply = 16 << 20 // a whole answer
)

// MaxCalls bounds the calls of one reply: twice what any provider allows.
const MaxCalls = 256

// Unanswered stands in for the result of a call that has none: providers refuse
// a conversation in which a call goes unanswered.
const Unanswered = "Error: this call has no result; it was not carried out."

// Garbled is an answer that can't be understood; why completes the sentence "the
// answer can't be used: …".
type Garbled string

func (g Garbled) Error() string { return "the answer can't be used: " + string(g) }
