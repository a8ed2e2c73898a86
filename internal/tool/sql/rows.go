package sql

import (
	"bytes"
	"encoding/json"
	"fmt"

	"errand/internal/problem"
	"errand/internal/tool"
)

const (
	// maxCell is how much of one value is shown: a page of text.
	maxCell = 8 << 10

	// frame is kept free for what stands around the rows.
	frame = 1 << 10
)

// table collects a result as compact JSON until it is full.
type table struct {
	columns []byte
	rows    bytes.Buffer
	count   int
	most    int  // rows that are wanted
	more    bool // rows were left out
}

func newTable(columns []string, most int) (*table, error) {
	text, err := encode(columns)
	if err != nil {
		return nil, err
	}
	if len(text) > tool.MaxOutput/4 {
		return nil, problem.New(problem.ToolFailed, "the result has too many columns to be shown.")
	}
	return &table{columns: text, most: most}, nil
}

// add takes one row and reports whether another one may be added. A string is cut
// to maxCell; all else is written as JSON.
func (t *table) add(cells []any) (bool, error) {
	if t.count == t.most {
		t.more = true
		return false, nil
	}
	for i, cell := range cells {
		if text, ok := cell.(string); ok && len(text) > maxCell {
			cells[i] = tool.Cut(text, maxCell) + fmt.Sprintf("… [%d bytes in all]", len(text))
		}
	}
	line, err := encode(cells)
	if err != nil {
		return false, err
	}
	if t.rows.Len()+len(line)+len(t.columns)+frame > tool.MaxOutput {
		if t.count == 0 {
			return false, problem.New(problem.ToolFailed, "one row of the result is larger than can be shown.")
		}
		t.more = true
		return false, nil
	}
	if t.count > 0 {
		t.rows.WriteByte(',')
	}
	t.rows.Write(line)
	t.count++
	return true, nil
}

func (t *table) String() string {
	return fmt.Sprintf(`{"columns":%s,"rows":[%s],"row_count":%d,"truncated":%t}`, t.columns, t.rows.Bytes(), t.count, t.more)
}

// encode writes JSON without the escapes that only HTML needs.
func encode(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("writing a result as JSON: %w", err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}
