package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strings"
	"text/tabwriter"
)

const mega = 1 << 20

func megabytes(bytes float64) string { return fmt.Sprintf("%.1f MB", bytes/mega) }

func times(ratio float64) string {
	if math.IsNaN(ratio) || math.IsInf(ratio, 0) {
		return ""
	}
	return fmt.Sprintf("%.2f x", ratio)
}

// count writes a number with commas.
func count(n int) string {
	digits := fmt.Sprint(n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// verdict is a row's last cell.
func (r row) verdict() string {
	switch {
	case r.hold == "":
		return ""
	case r.held:
		return "yes"
	}
	return "NO"
}

// report prints the table, and writes the document when that was asked for.
func (b *bench) report(ctx context.Context) error {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "figure\thold\tfloor\tErrand\tratio\theld")
	missed := 0
	for _, r := range b.rows {
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", r.figure, r.hold, r.floor, r.errand, r.ratio, r.verdict())
		if r.verdict() == "NO" {
			missed++
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if missed > 0 {
		fmt.Printf("%d figures do not hold. Other work on this machine is in them: ratios say more than numbers.\n", missed)
	}
	if b.out == "" {
		return nil
	}
	m, err := b.describe(ctx)
	if err != nil {
		return err
	}
	old, err := os.ReadFile(b.out)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	page := string(old)
	if len(b.rows) > 0 {
		if page, err = b.page(m); err != nil {
			return err
		}
	}
	return os.WriteFile(b.out, []byte(splice(page, b.nodesSection(string(old), m))), 0o644)
}

// barWidth is the longest bar of a chart, in characters.
const barWidth = 48

// draw writes a chart in characters, to be read in any viewer.
func (c chart) draw() string {
	longest, widest := 0.0, 0
	for _, each := range c.bars {
		longest, widest = max(longest, each.value), max(widest, len(each.label))
	}
	var text strings.Builder
	for _, each := range c.bars {
		length := 0
		if longest > 0 && each.value > 0 {
			length = max(1, int(math.Round(barWidth*each.value/longest)))
		}
		fmt.Fprintf(&text, "%-*s  %-*s  %s %s\n", widest, each.label, barWidth, strings.Repeat("█", length), figures(each.value), c.unit)
	}
	return text.String()
}

// figures writes a number with as many digits as say something.
func figures(value float64) string {
	switch size := math.Abs(value); {
	case size >= 100:
		return fmt.Sprintf("%.0f", value)
	case size >= 1:
		return fmt.Sprintf("%.2f", value)
	}
	return fmt.Sprintf("%.3f", value)
}
