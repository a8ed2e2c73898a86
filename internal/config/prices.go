package config

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
)

// Price is in dollars per million tokens; without Cached, input that is read from
// a cache costs as much as any, and without Written, input that is kept in one.
// Window is the model's context in tokens, and Image what a picture counts for at
// most.
type Price struct {
	Input   float64  `yaml:"input"`
	Output  float64  `yaml:"output"`
	Cached  *float64 `yaml:"cached"`
	Written *float64 `yaml:"written"`
	Window  int      `yaml:"window"`
	Image   int      `yaml:"image"`
	// Above is what the whole request costs when its input is longer.
	Above *PriceAbove `yaml:"above"`

	// Origin is the name of the file that says so, and AsOf the day that it gives.
	Origin string `yaml:"-"`
	AsOf   string `yaml:"-"`
}

// PriceAbove is what a request costs whose input has more tokens than this.
type PriceAbove struct {
	Tokens  int      `yaml:"tokens"`
	Input   float64  `yaml:"input"`
	Output  float64  `yaml:"output"`
	Cached  *float64 `yaml:"cached"`
	Written *float64 `yaml:"written"`
}

// priceList is a file of prices. As of is the day on which they held.
type priceList struct {
	AsOf   string           `yaml:"as_of"`
	Prices map[string]Price `yaml:"prices"`
}

// takePrices reads the file of prices, if one is named, under those of the settings
// file, which win.
func (c *Config) takePrices() error {
	for model, price := range c.Prices {
		price.Origin = filepath.Base(c.File)
		c.Prices[model] = price
	}
	if c.PricesFile == "" {
		return nil
	}
	list, err := readPrices(c.PricesFile)
	if err != nil {
		return err
	}
	for model, price := range list.Prices {
		if _, said := c.Prices[model]; said {
			continue
		}
		if c.Prices == nil {
			c.Prices = map[string]Price{}
		}
		price.Origin, price.AsOf = filepath.Base(c.PricesFile), list.AsOf
		c.Prices[model] = price
	}
	return nil
}

func readPrices(path string) (list priceList, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return list, fmt.Errorf("reading the prices: %w", err)
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return list, fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, true))
	}
	for _, doc := range file.Docs {
		if err := checkKeys(doc.Body, reflect.TypeFor[priceList](), ""); err != nil {
			return list, fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := yaml.Unmarshal(text, &list); err != nil {
		return list, fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, true))
	}
	if _, err := time.Parse(time.DateOnly, list.AsOf); err != nil && list.AsOf != "" {
		return list, fmt.Errorf("%s: as_of: %q is no day such as 2026-11-20", path, list.AsOf)
	}
	return list, nil
}

// checkPrices refuses prices that would give money back, or none at all for a long
// request.
func (c *Config) checkPrices() error {
	for model, p := range c.Prices {
		at := fmt.Sprintf("prices.%s (in %s)", model, p.Origin)
		tariffs := []PriceAbove{{Input: p.Input, Output: p.Output, Cached: p.Cached, Written: p.Written}}
		if p.Above != nil {
			if tariffs = append(tariffs, *p.Above); p.Above.Tokens < 1 {
				return fmt.Errorf("%s: above.tokens: say above how many tokens of input these prices hold", at)
			}
		}
		for _, t := range tariffs {
			for _, price := range []float64{t.Input, t.Output, *cmp.Or(t.Cached, &t.Input), *cmp.Or(t.Written, &t.Input)} {
				if price < 0 || math.IsNaN(price) || math.IsInf(price, 0) {
					return fmt.Errorf("%s: %v is no price; write US dollars per million tokens, 0 or more", at, price)
				}
			}
		}
		if p.Window < 0 || p.Image < 0 {
			return fmt.Errorf("%s: window and image are numbers of tokens, 1 or more, or left out", at)
		}
	}
	return nil
}
